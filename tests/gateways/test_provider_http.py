"""Whatever a provider does instead of answering, the call ends, in time and within bounds, as one refusal."""

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stand_in.people import GMAIL
from stand_in.server import HOST, listen
from tests.gateways.at_a_provider import bring_code, new_handshake, relying_party, sign_in
from tests.providers import faults
from tests.providers.faults import Fault, Wire
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderUnavailable
from webapp.gateways import provider_http
from webapp.gateways.provider_http import MAX_BYTES, Outbound, get_json

ENDPOINTS = ("metadata", "keys", "token", "userinfo")


@contextmanager
def haste() -> Iterator[None]:
    """Nobody waits for long in the meantime."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(provider_http, "DEADLINE", 0.4)
        monkeypatch.setattr(provider_http, "READ_TIMEOUT", 0.2)
        yield


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "openid-provider"]


@pytest.fixture(autouse=True)
def nothing_goes_on_afterwards() -> Iterator[None]:
    """Every thread that was left behind ends: its connection was cut."""
    yield
    for thread in threads():
        thread.join(60)
    assert threads() == []


def sent(data: bytes, *, then: Callable[[Wire], None] = lambda _wire: None) -> Fault:
    """These bytes, and after them something else."""

    def fault(wire: Wire) -> None:
        wire.send(data)
        then(wire)

    return fault


def zipped(body: bytes) -> Fault:
    return faults.answer(200, body, content_encoding="gzip")


def forever(data: bytes) -> Fault:
    def fault(wire: Wire) -> None:
        while True:
            wire.send(data)
            wire.rest(0.01)

    return fault


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FAULTS: dict[str, Fault] = {
    "a body that dribbles": faults.slow_body(),
    "a head that dribbles": faults.slow_headers(),
    "silence": faults.silent(),
    "silence after the head": sent(OK + b"Content-Length: 99\r\n\r\n{", then=faults.silent()),
    "interim answers without end": forever(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body of 64 MB": faults.huge(),
    "a body without end": faults.endless(),
    "headers without end": faults.endless_headers(),
    "a header of 200 kB": sent(OK + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n{}"),
    "a body that unpacks to 200 MB": zipped(gzip.compress(b" " * 200_000_000)),
    "a packed body that is none": zipped(b"this is not gzip"),
    "a packed body that breaks off": zipped(gzip.compress(b"{}" * 1000)[:20]),
    "chunks that are none": sent(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "chunks that break off": sent(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
    "a body that breaks off": faults.breaks_off(),
    "nothing": faults.hangs_up(),
    "another protocol": faults.not_http(),
    "no JSON": faults.garbage(),
    "a web page": faults.web_page(),
    "JSON without a bottom": faults.deep(),
    "an empty body": faults.answer(200),
    "no content": faults.answer(204),
    "a list": faults.json([]),
    "null": faults.json(None),
    "a number": faults.json(5),
    "a number without end": faults.answer(200, b"9" * 100_000),
    "status 404": faults.failing(404),
    "status 429": faults.failing(429),
    "status 500": faults.failing(500),
    "status 503 with an OAuth error": faults.error(status=503),
    "status 201": faults.json({}, 201),
    "a redirect": faults.redirect("http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_is_no_answer_is_one_refusal(provider: LyingProvider, endpoint: str, fault: Fault) -> None:
    provider.lie.answers[endpoint] = fault
    provider.lie.claims["email"] = REMOVED  # so that UserInfo is asked, too
    party = relying_party(provider)
    with haste(), pytest.raises(ProviderUnavailable):
        sign_in(provider, party=party)
    assert len(provider.asked(endpoint)) <= 1
    # Once it is honest again, everything is as it was.
    provider.lie.answers.clear()
    assert sign_in(provider, party=party).email == GMAIL.email


@pytest.mark.asvs("15.3.2")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(provider: LyingProvider, endpoint: str, status: int) -> None:
    provider.lie.answers[endpoint] = faults.redirect(f"{provider.issuer}/elsewhere", status)
    provider.lie.claims["email"] = REMOVED
    with pytest.raises(ProviderUnavailable) as unavailable:
        sign_in(provider)
    assert unavailable.value.details["reason"] == "redirect"
    assert provider.asked("/elsewhere") == []


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


def test_an_answer_may_be_packed_and_come_in_chunks(provider: LyingProvider) -> None:
    body = gzip.compress(json.dumps(provider.key_set()).encode())
    head = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    provider.lie.answers["keys"] = sent(head + chunked(body[:10], body[10:11], body[11:]))
    assert sign_in(provider).email == GMAIL.email


@pytest.mark.parametrize(("size", "fits"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_an_answer_has_a_greatest_length(provider: LyingProvider, size: int, fits: bool) -> None:
    honest = json.dumps(provider.key_set()).encode()
    provider.lie.answers["keys"] = faults.answer(200, honest + b" " * (size - len(honest)))
    if fits:
        sign_in(provider)
        return
    with pytest.raises(ProviderUnavailable) as unavailable:
        sign_in(provider)
    assert unavailable.value.details["reason"] == "too_long"


def test_all_calls_of_one_sign_in_share_one_deadline(provider: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []
    measure = provider_http._left

    def note(until: float) -> float:
        left.append(until)
        return measure(until)

    monkeypatch.setattr(provider_http, "_left", note)
    party, handshake = relying_party(provider), new_handshake()
    provider.lie.claims["email"] = REMOVED
    code = bring_code(party, provider, handshake)["code"]
    left.clear()
    party.exchange(code, handshake)
    assert [request.endpoint for request in provider.received[-3:]] == ["token", "keys", "userinfo"]
    assert len(set(left)) == 1


# The environment and the network have no say


@pytest.mark.asvs("1.3.6")
def test_no_proxy_and_no_netrc_of_the_environment_is_used(
    provider: LyingProvider, other_provider: LyingProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other_provider.issuer)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    provider.lie.claims["email"] = REMOVED
    outbound = Outbound("google")
    outbound.call(lambda session: get_json(session, provider.metadata_url))
    assert "Authorization" not in provider.received[0].headers
    party, handshake = relying_party(provider), new_handshake()
    url = party.authorization_url(handshake)
    with monkeypatch.context() as browsers_have_their_own:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            browsers_have_their_own.delenv(name)
        callback = provider.approve(url)
    party.exchange(callback.partition("code=")[2].partition("&")[0], handshake)
    assert other_provider.received == []
    assert provider.asked("userinfo")[0].headers["Authorization"].startswith("Bearer ")


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """A server on TLS whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with listen() as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)
            except OSError:
                return

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield f"https://localhost:{listening.getsockname()[1]}/"
        server.join(60)


def test_a_certificate_that_nobody_vouches_for_is_refused(self_signed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    with pytest.raises(ProviderUnavailable) as unavailable:
        Outbound("google").call(lambda session: get_json(session, self_signed))
    assert unavailable.value.details["reason"] == "SSLError"


def test_a_tls_handshake_that_never_ends_is_cut() -> None:
    with listen() as listening:
        address = f"https://{HOST}:{listening.getsockname()[1]}/"
        with haste(), pytest.raises(ProviderUnavailable) as unavailable:
            Outbound("google").call(lambda session: get_json(session, address))
    assert unavailable.value.details["reason"] in ("slow", "ConnectTimeout", "ReadTimeout")


def test_where_nobody_listens_nobody_waits() -> None:
    with listen() as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}/"
    with pytest.raises(ProviderUnavailable) as unavailable:
        Outbound("google").call(lambda session: get_json(session, address))
    assert unavailable.value.details["reason"] == "ConnectionError"
