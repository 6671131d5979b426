"""What must never stand in a log is taken out here, whoever wrote it: values by their name, by their looks, and
whatever this very request sent (ASVS 16.2.5). No Flask.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MAX_TEXT = 16_384  # characters kept of one value
MIN_SENT_LENGTH = 4  # characters; a shorter value that a request sent would blank half the line

_PRIVATE_WORDS = frozenset(
    {"password", "passwords", "passwd", "passphrase", "secret", "secrets", "credential", "credentials"}
    | {"token", "tokens", "csrf", "cookie", "cookies", "authorization", "jwt", "otp", "code", "codes"}
    | {"email", "emails", "address", "addresses"}
)
_HARMLESS_KEYS = frozenset({"status_code", "exit_code"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Za-z][a-z]*")

# Several with nothing but a sign between them are taken as one: what ends one may begin the next.
_EMAIL = re.compile(
    r"(?<![\w.+%'!#$&*/=?^{|}~-])[\w.+%'!#$&*/=?^{|}~-]{1,256}+@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"
    r"(?:[\w.+%'!#$&*/=?^{|}~-]{0,256}+@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8})*"
)
# As in a path or a query, where its sign and others are escaped.
_ESCAPED_EMAIL = re.compile(
    r"(?i)(?<![\w.+~%-])(?:[\w.+~-]|%(?!40)[0-9a-f]{2}){1,256}+(?:%40(?:[\w.+~-]|%(?!40)[0-9a-f]{2}){1,256}+){1,8}"
)
_URL_CREDENTIALS = re.compile(r"://[^\s/@\"']{1,512}@")
_QUERY = re.compile(r"(?<=[\w/])\?[\w%.~+-]{1,128}=[^\s\"'<>]*")
_SQL_VALUES = re.compile(r"\[parameters: .*?(?:\]$|\Z)|(?<=Failing row contains ).*$|(?<=DETAIL:).*$", re.DOTALL | re.M)
_HEADER = re.compile(r"(?im)\b(set-cookie|cookie|authorization)(['\"]?\s*[:=]\s*)[^\r\n]+")
_NAMED = re.compile(
    r"(?i)\b((?:\w{0,40}_)?(?:password|passwd|passphrase|token|csrf_token|secret|otp|code)['\"]?\s*[:=]\s*)"
    r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&)}\]]+)"
)
_LONG = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9_-]{10,}){0,4}={0,2}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def is_private_key(key: str) -> bool:
    """Whether a value of this name is blanked whatever it is."""
    return key not in _HARMLESS_KEYS and any(word.lower() in _PRIVATE_WORDS for word in _WORDS.findall(key))


def _long_word(match: re.Match[str]) -> str:
    word = match[0]
    if _UUID.fullmatch(word):
        return word
    has_digit = any(character.isdigit() for character in word)
    has_letter = any(character.isalpha() for character in word)
    is_mixed = word != word.lower() and word != word.upper()
    # Names in a traceback are long too, but have no digits, or are short enough.
    return REDACTED if (has_digit and has_letter) or (is_mixed and len(word) >= 32) else word


def redact_text(text: str, sent: Iterable[str] = ()) -> str:
    """`text` without addresses, credentials, tokens, query strings, SQL values, or any of the values in `sent`."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT // 2] + "\n[shortened]\n" + text[-MAX_TEXT // 2 :]
    for value in _spellings(sent):
        text = text.replace(value, REDACTED)
    text = _URL_CREDENTIALS.sub("://" + REDACTED + "@", text)
    text = _SQL_VALUES.sub(REDACTED, text)
    text = _HEADER.sub(r"\1\2" + REDACTED, text)
    text = _QUERY.sub("?" + REDACTED, text)
    text = _EMAIL.sub(REDACTED, text)
    text = _ESCAPED_EMAIL.sub(REDACTED, text)
    text = _NAMED.sub(r"\1" + REDACTED, text)
    return _LONG.sub(_long_word, text)


def redact(value: object, sent: Iterable[str] = ()) -> object:
    """Any value fit for a log line, made of plain types only."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {
            redact_text(str(key), sent): REDACTED if is_private_key(str(key)) else redact(item, sent)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, sent) for item in value]
    return redact_text(str(value), sent)


def _spellings(sent: Iterable[str]) -> list[str]:
    """Each value as it is, as repr shows it and as an address carries it; the longest first."""
    values = {value for value in sent if len(value) >= MIN_SENT_LENGTH}
    spelled = set(values)
    for value in values:
        raw = value.encode("utf-8", "replace")
        spelled |= {repr(value)[1:-1], quote(raw), quote(raw, safe=""), quote_plus(raw)}
    return sorted(spelled, key=len, reverse=True)
