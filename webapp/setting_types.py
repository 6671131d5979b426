"""How the values of settings are read: units, whole numbers, lists, addresses. No message repeats a value."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def split(value: str) -> SplitResult:
    """The parts of an address. Raises ValueError."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    return parts


def as_browsers_write(origin: str) -> str:
    """An origin in the spelling of the Origin header: lower case, without the port that goes without saying."""
    origin = origin.rstrip("/").lower()
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80").removesuffix(":")


def _seconds(value: object) -> object:
    if isinstance(value, str):
        try:
            return timedelta(seconds=int(value))
        except (ValueError, OverflowError):
            raise ValueError("must be a whole number of seconds") from None
    return value


def _whole(value: object) -> object:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ValueError("must be a whole number") from None
    return value


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _within(most: timedelta, *, zero: bool = False) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= most or not (value or zero):
            raise ValueError(f"must be {0 if zero else 1} to {int(most.total_seconds())} seconds")
        return value

    return AfterValidator(check)


Seconds = Annotated[timedelta, BeforeValidator(_seconds), _within(timedelta(days=400))]
ShortSeconds = Annotated[timedelta, BeforeValidator(_seconds), _within(timedelta(days=1))]
SecondsOrZero = Annotated[timedelta, BeforeValidator(_seconds), _within(timedelta(minutes=10), zero=True)]
Whole = Annotated[int, BeforeValidator(_whole)]
SeveralTexts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
