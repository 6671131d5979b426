"""Input that is nearly right: what is valid, cut, flipped, doubled and spliced. Noise gets past no first check."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

AMOUNT = "FUZZ_EXAMPLES"  # environment variable: how many inputs for each parser; without it a few, always the same
_given = os.environ.get(AMOUNT, "")
F = TypeVar("F", bound=Callable[..., Any])

fuzzed: Callable[[F], F] = settings(
    max_examples=int(_given or 60),
    derandomize=not _given,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
_ODD = (
    b"\x00",
    b"\xff",
    b"\r\n",
    b"\xe2\x80\xae",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"%00",
    b"%ff",
    b"{",
    b"[" * 40,
    b"9" * 40,
)


@st.composite
def mutated(draw: st.DrawFn, examples: Sequence[bytes]) -> bytes:
    """One of the examples after a few accidents; now and then anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    value = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 1000)) * len(value) // 1000  # the same draws whatever the example's length is today
        to = min(len(value), at + draw(st.integers(0, 40)))
        part = draw(
            st.one_of(
                st.just(b""),
                st.binary(min_size=1, max_size=8),
                st.sampled_from(_ODD),
                st.just(value[at:to] * 2),
                st.sampled_from(examples).map(lambda other: other[:40]),
            )
        )
        value = value[:at] + part + value[to:]
    return value


def mutated_text(examples: Sequence[str]) -> st.SearchStrategy[str]:
    """The same of text, with what no UTF-8 can spell among it."""
    octets = [example.encode("utf-8", "surrogatepass") for example in examples]
    return mutated(octets).map(lambda value: value.decode("utf-8", "surrogateescape"))


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def mutated_object(draw: st.DrawFn, example: dict[str, Any]) -> dict[str, Any]:
    """A JSON object of which some members are other things, or gone."""
    value = dict(example)
    for name in draw(st.lists(st.sampled_from(sorted(example)), min_size=1, max_size=3)):
        if draw(st.booleans()):
            value.pop(name, None)
        else:
            value[name] = draw(JSON_VALUES)
    return value
