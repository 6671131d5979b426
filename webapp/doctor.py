"""What `flask doctor` looks at: whatever goes wrong between settings, stores, proxy, mail, providers and clock."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock
from webapp.doctor_capacity import examine_capacity
from webapp.doctor_front import examine_front
from webapp.doctor_providers import examine_providers
from webapp.findings import Finding
from webapp.gateways.mail_transport import MailFailed, transport_for
from webapp.policy.signing_keys import CLOCK_SKEW, is_due
from webapp.services.operating_figures import outbox_figures
from webapp.services.resealing import count_under_fallbacks
from webapp.services.runtime import runtime
from webapp.services.schema import find_schema
from webapp.services.signing_keys import KeyOverview, KeyState, list_keys
from webapp.settings import MIN_MEMORY, MIN_PASSES, Settings

MOST_CLOCK_SKEW = timedelta(seconds=5)
OLDEST_MAIL = timedelta(minutes=15)
ROTATION_OVERDUE = timedelta(days=1)  # workers tidy up every ten minutes, a job of cron once a day


def examine() -> Iterator[Finding]:
    """Look at everything, one thing after the other; a broken one does not stop the rest."""
    settings = runtime().settings
    yield _settings(settings)
    yield _secret_key(settings)
    database = list(_database(runtime().engine, settings))
    yield from database
    if all(finding.ok for finding in database):
        yield from examine_capacity(runtime().engine, settings)
    if settings.REDIS_URL:
        yield _guarded("redis", lambda: _redis(settings))
    yield _cookies(settings)
    yield _origins(settings)
    yield _proxies(settings)
    if settings.APP_ENV == "production":
        yield _guarded("front", lambda: examine_front(settings))
    yield _guarded("mail", lambda: _mail(settings))
    yield from examine_providers()
    if all(finding.ok for finding in database):
        yield _guarded("outbox", _outbox)
        if runtime().sealer.has_fallbacks:
            yield _guarded("fallbacks", _fallbacks)
        yield _guarded("signing keys", _signing_keys)


def _settings(settings: Settings) -> Finding:
    weak = [] if settings.RATELIMIT_ENABLED else ["RATELIMIT_ENABLED=0 is for benchmarks only"]
    if settings.ARGON2_TIME_COST < MIN_PASSES or settings.ARGON2_MEMORY_KIB < MIN_MEMORY:
        weak.append(f"ARGON2_TIME_COST and ARGON2_MEMORY_KIB are below {MIN_PASSES} and {MIN_MEMORY} (ASVS 11.4.2)")
    if settings.APP_ENV == "production" and not settings.SECURITY_CONTACT:
        weak.append("SECURITY_CONTACT is not set: who finds a weakness is told nowhere whom to write to (RFC 9116)")
    return Finding("settings", not weak, "; ".join(weak) or f"{settings.APP_ENV}, users see {settings.PUBLIC_URL}")


def _secret_key(settings: Settings) -> Finding:
    if not settings.can_replace_secret_key:
        advice = "holds a comma, so it could never stand in SECRET_KEY_FALLBACKS: choose another before it is used"
        return Finding("secret key", False, advice)
    file = settings.INSTANCE_PATH / "secret_key"
    if os.environ.get("SECRET_KEY") or not file.exists():
        return Finding("secret key", True, "from the environment")
    mode = file.stat().st_mode & 0o777
    good = mode & 0o077 == 0
    return Finding("secret key", good, f"kept in {file.name}, mode {mode:o}" + ("" if good else "; chmod 600 it"))


def _database(engine: Engine, settings: Settings) -> Iterator[Finding]:
    try:
        with engine.connect() as connection:
            now = text("SELECT clock_timestamp()" if engine.dialect.name == "postgresql" else "SELECT NULL")
            theirs = connection.execute(now).scalar_one()
    except SQLAlchemyError as error:
        yield Finding("database", False, f"does not answer ({type(error).__name__}): check DATABASE_URL")
        return
    yield Finding("database", True, f"{engine.dialect.name} answers{_in_the_clear(engine.url.host, _by_tls(engine))}")
    if theirs is not None:
        yield _clock("database", theirs)
    yield _migrations()
    if settings.APP_ENV == "production" and engine.dialect.name == "sqlite":
        yield Finding("database", True, "SQLite carries one machine; more machines need PostgreSQL and Redis")


def _migrations() -> Finding:
    schema = find_schema()
    if schema.is_behind:
        return Finding("migrations", False, f"at {schema.here}, not {schema.head}: run `flask --app wsgi db upgrade`")
    newer = "" if schema.here == schema.head else ", which is newer than this code"
    return Finding("migrations", True, f"at {schema.here}{newer}")


def _redis(settings: Settings) -> Finding:
    client = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1)
    seconds, microseconds = client.time()
    skew = _clock("redis", datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds))
    address = urlsplit(settings.REDIS_URL)
    open_words = _in_the_clear(address.hostname, address.scheme == "rediss")
    return skew if not skew.ok else Finding("redis", True, f"answers; keeps sessions and limits{open_words}")


def _cookies(settings: Settings) -> Finding:
    if settings.is_https:
        return Finding("cookies", True, "__Host-session: Secure, HttpOnly, SameSite=Lax; HSTS is sent")
    return Finding("cookies", True, "session: HttpOnly, SameSite=Lax, not Secure, because PUBLIC_URL is http")


def _origins(settings: Settings) -> Finding:
    """Which other sites' pages may call the API. A page that comes by http says whatever somebody on its way wants."""
    listed = settings.CORS_ORIGINS
    in_clear = [origin for origin in listed if origin.startswith("http:")]
    if in_clear and settings.APP_ENV == "production":
        return Finding("origins", False, f"CORS_ORIGINS lists {', '.join(in_clear)}: serve it by https, or take it out")
    return Finding("origins", True, f"the API may be called by pages of {', '.join(listed) or 'this site alone'}")


def _proxies(settings: Settings) -> Finding:
    count = settings.TRUSTED_PROXIES
    if count == 0 and settings.is_https:
        return Finding(
            "proxies",
            False,
            "PUBLIC_URL is https and TRUSTED_PROXIES is 0: all users would share one address. "
            "Set it to the number of proxies in front, each of which overwrites X-Forwarded-For and -Proto",
        )
    return Finding("proxies", True, f"{count} believed about address and scheme")


def _mail(settings: Settings) -> Finding:
    transport_for(settings).check()
    if settings.mail_directory is not None:
        real = settings.APP_ENV == "production"
        return Finding("mail", not real, "goes to files" + ("; set MAIL_URL to smtp:// or smtps://" if real else ""))
    address = urlsplit(settings.MAIL_URL)
    encrypted = address.scheme == "smtps" or "starttls=1" in address.query
    return Finding("mail", True, f"the mail server answers{_in_the_clear(address.hostname, encrypted)}")


def _fallbacks() -> Finding:
    left = count_under_fallbacks()
    if left:
        return Finding(
            "fallbacks",
            True,
            f"still needed by {left}: when every site has the new key, `flask --app wsgi secrets reseal`",
        )
    return Finding("fallbacks", True, "needed by refresh tokens only, for 30 days after the new key came")


def _outbox() -> Finding:
    found = outbox_figures()
    late = found.oldest_seconds > OLDEST_MAIL.total_seconds()
    advice = "; mails wait too long: look for mail_postponed in the log" if late else ""
    return Finding("outbox", not late, f"{found.told}{advice}")


def _signing_keys() -> Finding:
    keys = [key for key in list_keys() if key.state is not KeyState.GONE]
    trouble = [*_unreadable(keys), *_untimely(keys)]
    if trouble:
        return Finding("signing keys", False, "; ".join(trouble))
    active = next((key for key in keys if key.state is KeyState.ACTIVE), None)
    if active is None:
        return Finding("signing keys", True, "none yet; whoever first needs one makes it")
    others = [f"{key.kid} {key.state}" for key in keys if key is not active]
    return Finding(
        "signing keys", True, ", ".join([f"{active.kid} signs since {active.active_from:%Y-%m-%d}", *others])
    )


def _unreadable(keys: list[KeyOverview]) -> Iterator[str]:
    for key in keys:
        if not key.readable:
            yield (
                f"{key.kid} cannot be read, so what it signed is refused: put the SECRET_KEY it was sealed under into "
                f"SECRET_KEY_FALLBACKS, or run `flask --app wsgi keys retire {key.kid}`"
            )


def _untimely(keys: list[KeyOverview]) -> Iterator[str]:
    now = clock.now()
    for key in keys:
        if key.created_at > now + CLOCK_SKEW:
            yield f"{key.kid} was made {key.created_at - now} from now: check this machine's clock, and NTP"
    newest = max((key.active_from for key in keys), default=None)
    if newest is not None and is_due(newest + ROTATION_OVERDUE, now):
        yield (
            f"the newest is of {newest:%Y-%m-%d} and should have been followed: run `flask --app wsgi keys rotate`; a "
            "worker does so by itself, or `sessions purge` from cron"
        )


def _by_tls(engine: Engine) -> bool:
    return engine.url.query.get("sslmode") in ("require", "verify-ca", "verify-full")


def _in_the_clear(host: str | None, encrypted: bool) -> str:
    """What to add about a connection that leaves the machine without TLS. An operator may own the whole network, so it
    is told and not refused (ASVS 12.3.1).
    """
    if encrypted or not host or host == "localhost" or host.startswith(("/", "127.", "[", "::1")):
        return ""
    return ", without TLS: fit only for a network that is all yours"


def _clock(other: str, theirs: datetime) -> Finding:
    skew = abs(clock.now() - theirs)
    good = skew <= MOST_CLOCK_SKEW
    return Finding("clock", good, f"agrees with the {other}" if good else f"{skew} off the {other}: check NTP on both")


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:
        why = error.reason if isinstance(error, MailFailed) else type(error).__name__
        return Finding(subject, False, f"does not answer ({why}): check its setting")
