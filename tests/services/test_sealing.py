"""Sealed values open for us, for their purpose and in their place, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.services.sealing import FORMAT, HEADER_LENGTH, NONCE_LENGTH, SealBroken, Sealer

KEY, OLD_KEY, FOREIGN_KEY = "today" * 8, "before" * 8, "mallory" * 8
TAG_LENGTH = 16
NAMES = st.text(st.characters(codec="utf-8"))


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    return Sealer(KEY, [OLD_KEY])


@given(st.binary(max_size=2000), NAMES, NAMES)
def test_what_was_sealed_opens_again(sealer, plain, purpose, place):
    sealed = sealer.seal(plain, purpose=purpose, bound_to=place)
    assert sealer.open(sealed, purpose=purpose, bound_to=place) == plain


@pytest.mark.asvs("11.3.3", "11.2.5")
def test_a_change_to_any_octet_breaks_the_seal(sealer):
    sealed = sealer.seal(b"https://site.example/reset/abc", purpose="outbox", bound_to="row 1")
    for place in range(len(sealed)):
        for bit in range(8):
            forged = bytearray(sealed)
            forged[place] ^= 1 << bit
            with pytest.raises(SealBroken):
                sealer.open(bytes(forged), purpose="outbox", bound_to="row 1")


@pytest.mark.asvs("11.2.5")
def test_a_part_of_a_sealed_value_opens_nothing(sealer):
    sealed = sealer.seal(b"plain", purpose="outbox")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:length], purpose="outbox")


@pytest.mark.asvs("11.2.5")
@given(st.binary(max_size=200))
def test_what_was_never_sealed_opens_nothing(sealer, junk):
    for start in (b"", FORMAT, sealer.seal(b"", purpose="outbox")[:HEADER_LENGTH]):
        with pytest.raises(SealBroken):
            sealer.open(start + junk, purpose="outbox")


@pytest.mark.asvs("11.3.3")
@pytest.mark.parametrize(
    ("purpose", "place"),
    [
        ("totp", "row 1"),
        ("outbox", "row 2"),
        ("outbox", ""),
        ("outboxrow", " 1"),
        ("outbo", "xrow 1"),
        ("", "outboxrow 1"),
    ],
)
def test_it_opens_for_no_other_purpose_and_in_no_other_row(sealer, purpose, place):
    sealed = sealer.seal(b"plain", purpose="outbox", bound_to="row 1")
    with pytest.raises(SealBroken):
        sealer.open(sealed, purpose=purpose, bound_to=place)


@pytest.mark.asvs("11.2.2")
def test_a_change_of_the_secret_key_leaves_what_was_sealed_readable_through_the_fallbacks():
    sealed = Sealer(OLD_KEY).seal(b"plain", purpose="outbox")
    assert Sealer(KEY, [FOREIGN_KEY, OLD_KEY]).open(sealed, purpose="outbox") == b"plain"
    with pytest.raises(SealBroken):
        Sealer(KEY).open(sealed, purpose="outbox")


def test_a_fallback_seals_nothing():
    sealed = Sealer(KEY, [OLD_KEY]).seal(b"plain", purpose="outbox")
    assert Sealer(KEY).open(sealed, purpose="outbox") == b"plain"
    with pytest.raises(SealBroken):
        Sealer(OLD_KEY).open(sealed, purpose="outbox")


@pytest.mark.asvs("11.3.4")
def test_every_seal_has_a_nonce_of_its_own(sealer):
    sealed = [sealer.seal(b"the same", purpose="outbox") for _ in range(10_000)]
    assert len({value[HEADER_LENGTH : HEADER_LENGTH + NONCE_LENGTH] for value in sealed}) == len(sealed)
    assert NONCE_LENGTH == 12


def test_a_sealed_value_shows_nothing_but_its_length(sealer):
    sealed = sealer.seal(b"alice@example.com", purpose="outbox", bound_to="alice")
    assert b"alice" not in sealed
    assert len(sealed) == HEADER_LENGTH + NONCE_LENGTH + len(b"alice@example.com") + TAG_LENGTH


def test_the_key_id_differs_from_key_to_key():
    headers = {Sealer(key).seal(b"", purpose="x")[:HEADER_LENGTH] for key in (KEY, OLD_KEY, FOREIGN_KEY)}
    assert len(headers) == 3


def test_a_broken_seal_does_not_say_why(sealer):
    with pytest.raises(SealBroken) as broken:
        sealer.open(sealer.seal(b"plain", purpose="outbox"), purpose="totp")
    assert str(broken.value) == ""
    assert broken.value.__cause__ is None


def test_without_a_secret_key_there_is_no_seal():
    with pytest.raises(ValueError, match="secret key"):
        Sealer("")
