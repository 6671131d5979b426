"""What a new password may be: long enough, and not what somebody would guess (NIST SP 800-63B-4, 3.1.1.2).

The whole password is compared, never a part of it: a passphrase that happens to hold a name or a common word is fine.
There are no rules about kinds of characters, and nothing is trimmed or cut.
"""

import re
import unicodedata
from collections.abc import Collection, Container, Iterable
from enum import StrEnum

MAX_LENGTH = 256  # code points, so that nobody makes us hash a book (ASVS 6.2.9 asks for 64 or more)
MAX_RECEIVED_LENGTH = 4 * MAX_LENGTH  # code points as received; composing them (NFC) makes them fewer

MAX_LOOSE = 8  # digits and signs that may stand around expected parts: a date, a row of exclamation marks
MIN_RUN = 4  # characters next to each other on a keyboard or in a row before they count as expected
MAX_UNIT = 4  # characters whose mere repetition is expected

SITE_WORDS = ("account", "admin", "letmein", "login", "password", "passphrase", "secret", "signin", "welcome")
KOREAN_SITE_WORDS = ("비밀번호", "암호", "로그인", "계정", "관리자", "환영합니다")

ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "가나다라마바사아자차카타파하",
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "qsdfghjklm",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ",
    "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ",
    "ㅋㅌㅊㅍㅠㅜㅡ",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
)
LOOKALIKES = {
    "0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s", "!": "il"
}  # fmt: skip
SEPARATORS = re.compile(r"[\s._,'+-]+")


class PasswordRule(StrEnum):
    """The rule that a refused password breaks."""

    NOT_TEXT = "not_text"  # control characters or half a character: nobody types those
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    EXPECTED = "expected"  # repetitions, rows of the keyboard, "password": what is tried first
    ABOUT_SITE = "about_site"
    ABOUT_YOU = "about_you"
    BREACHED = "breached"


def normalise_password(password: str) -> str:
    """The form in which a password is measured, compared and hashed: NFC and nothing else.

    A Korean syllable typed on one system comes as one code point, on another as three; both are one password.
    """
    return unicodedata.normalize("NFC", password)


def judge_password(
    password: str, *, min_length: int, breached: Container[str], email: str, name: str, site_name: str
) -> PasswordRule | None:
    """The first rule that `password` breaks, or None when it is good.

    `min_length` is in code points. `breached` is asked last, and only about what keeps the other rules.

    Refused as being about somebody or something: what is made only of the address, its parts, the name, its parts, the
    site's name and words such as "login" - in any case, backwards, repeated, in a row, with look-alikes (4 for a, 0 for
    o), with separators, and with up to eight digits or signs around (ASVS 6.1.2, 6.2.11).
    """
    if len(password) > MAX_RECEIVED_LENGTH:
        return PasswordRule.TOO_LONG
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        return PasswordRule.NOT_TEXT
    password = normalise_password(password)
    if len(password) < min_length:
        return PasswordRule.TOO_SHORT
    if len(password) > MAX_LENGTH:
        return PasswordRule.TOO_LONG
    return _judge_expected(password, email, name, site_name) or (
        PasswordRule.BREACHED if password in breached else None
    )


def _judge_expected(password: str, email: str, name: str, site_name: str) -> PasswordRule | None:
    if _repeats(_fold(password)):
        return PasswordRule.EXPECTED
    expected = _words(*SITE_WORDS, *KOREAN_SITE_WORDS)
    if _is_made_of(expected, password):
        return PasswordRule.EXPECTED
    site = expected | _words(site_name)
    if _is_made_of(site, password):
        return PasswordRule.ABOUT_SITE
    if _is_made_of(site | _words(email, email.rpartition("@")[0], name), password):
        return PasswordRule.ABOUT_YOU
    return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _words(*texts: str) -> set[str]:
    """Each text as one word and cut at what is no letter or digit, forwards and backwards."""
    words = set()
    for text in map(_fold, texts):
        parts = re.findall(r"[^\W_]+", text)
        words |= {"".join(parts), *parts}
    words = {word for word in words if len(word) >= (3 if word.isascii() else 2)}
    return words | {word[::-1] for word in words}


def _repeats(text: str) -> bool:
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, MAX_UNIT + 1))


def _is_made_of(words: Collection[str], password: str) -> bool:
    """Whether nothing but `words` and rows makes up the password, apart from separators and a few digits or signs."""
    text = SEPARATORS.sub("", _fold(password))
    end = len(text)
    fewest_loose: list[int | None] = [0, *([None] * end)]  # that lead to each place; None: nothing leads there
    for place in range(end):
        loose = fewest_loose[place]
        if loose is None:
            continue
        for length in _lengths_at(text, place, words):
            fewest_loose[place + length] = _least(fewest_loose[place + length], loose)
        if not text[place].isalpha():
            fewest_loose[place + 1] = _least(fewest_loose[place + 1], loose + 1)
    loose = fewest_loose[end]
    return loose is not None and loose <= MAX_LOOSE and loose < end


def _least(known: int | None, found: int) -> int:
    return found if known is None else min(known, found)


def _lengths_at(text: str, place: int, words: Iterable[str]) -> set[int]:
    """How long the words and the rows are that begin at this place."""
    lengths = {len(word) for word in words if _stands_at(text, place, word)}
    ahead = text[place : place + 2 * MIN_RUN - 1]  # longer rows are made of these
    longest = max(_row_length(ahead, following) for following in _CYCLES)
    return lengths | set(range(MIN_RUN, longest + 1))


def _stands_at(text: str, place: int, word: str) -> bool:
    if place + len(word) > len(text):
        return False
    return all(
        have == want or want in LOOKALIKES.get(have, "")
        for have, want in zip(text[place : place + len(word)], word, strict=True)
    )


def _row_length(text: str, following: dict[str, str]) -> int:
    """How many characters from the start follow each other in the way that `following` says."""
    length = 1
    while length < len(text) and following.get(text[length - 1]) == text[length]:
        length += 1
    return length


def _cycles() -> list[dict[str, str]]:
    """What follows each character: itself, or its neighbour in a row, around its end, forwards or backwards."""
    same = {character: character for row in ROWS for character in row}
    forwards = [dict(zip(row, row[1:] + row[0], strict=True)) for row in ROWS]
    return [same, *forwards, *({after: before for before, after in row.items()} for row in forwards)]


_CYCLES = _cycles()
