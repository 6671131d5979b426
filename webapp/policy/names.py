"""What a person is called: whatever they like, on one line."""

import re

LONGEST_NAME = 100  # code points

# Marks that turn the direction of the text after them: with one, a name could rewrite the page or the list around it.
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def clean_name(name: str) -> str:
    """`name` on one line, trimmed, of at most 100 code points, without marks that turn the text around it."""
    return " ".join(_TURNING.sub("", name).split())[:LONGEST_NAME].rstrip()
