"""The tokens in links: what they open, for how long, and that nothing else opens anything."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.model import ID_LENGTH
from cloud_bridge.links import (
    ADDRESS_LENGTH,
    KEY_BYTES,
    UNSUBSCRIBE_VALID_MS,
    BadLink,
    NoPublicUrl,
    Purpose,
    TurnOn,
    Unsubscribe,
    asked_to_turn_on,
    asked_to_unsubscribe,
    sign,
    turn_on_url,
    unsubscribe_url,
)
from cloud_bridge.runtime.doors import URL_BYTES

KEY = bytes(range(KEY_BYTES))
NOW = 1_790_000_000_000
URL = "https://ups.example.net"
ADDRESS = "ada@example.net"
MUTE = "c0ffee00" * 4

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
wishes = st.builds(
    Unsubscribe,
    address=st.text(min_size=1, max_size=ADDRESS_LENGTH),
    policy=st.integers(0, 2**31 - 1),
    until=st.integers(NOW + 1, NOW + UNSUBSCRIBE_VALID_MS),
    channel=st.integers(0, 2**31 - 1),
)
mutes = st.builds(TurnOn, mute=st.text(min_size=1, max_size=ID_LENGTH))


def token_of(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def test_a_link_is_public_url_purpose_and_token() -> None:
    url = unsubscribe_url("https://example.net/ups", KEY, ADDRESS, 7, NOW)
    assert url.startswith("https://example.net/ups/unsubscribe/")
    assert turn_on_url(URL, KEY, MUTE).startswith("https://ups.example.net/turn-on/")


def test_the_signature_is_hmac_sha256_over_purpose_and_payload() -> None:
    """Worked out with openssl dgst -sha256 -mac HMAC over the three lines; the key is the bytes 0 to 31."""
    payload, _, signature = sign(KEY, Purpose.TURN_ON, TurnOn("m1")).partition(".")
    assert payload == "eyJtdXRlIjoibTEifQ"
    assert signature == "RpZa7jFXCoIVUjWr2W0aloziY0WBlHPtk6sVy_8rWzY"


def test_what_was_signed_comes_back() -> None:
    asked = asked_to_unsubscribe(KEY, token_of(unsubscribe_url(URL, KEY, "Ada@Example.net", 7, NOW, 3)), NOW)
    assert asked == Unsubscribe(ADDRESS, 7, NOW + UNSUBSCRIBE_VALID_MS, 3)
    assert asked_to_turn_on(KEY, token_of(turn_on_url(URL, KEY, MUTE))) == TurnOn(MUTE)


def test_without_public_url_there_is_no_link() -> None:
    with pytest.raises(NoPublicUrl, match="public_url"):
        unsubscribe_url("", KEY, ADDRESS, 7, NOW)
    with pytest.raises(NoPublicUrl, match="public_url"):
        turn_on_url("", KEY, MUTE)


def test_s23_an_unsubscribe_link_is_good_for_sixty_days_and_no_longer() -> None:
    token = token_of(unsubscribe_url(URL, KEY, ADDRESS, 7, NOW))
    sixty_days = 60 * 24 * 3600 * 1000
    assert asked_to_unsubscribe(KEY, token, NOW + sixty_days - 1).address == ADDRESS
    with pytest.raises(BadLink):
        asked_to_unsubscribe(KEY, token, NOW + sixty_days)


@given(keys, wishes, mutes)
def test_s23_a_token_has_one_purpose(key: bytes, wish: Unsubscribe, mute: TurnOn) -> None:
    with pytest.raises(BadLink):
        asked_to_turn_on(key, sign(key, Purpose.UNSUBSCRIBE, wish))
    with pytest.raises(BadLink):
        asked_to_unsubscribe(key, sign(key, Purpose.TURN_ON, mute), NOW)
    with pytest.raises(BadLink):  # not even with the fields of the other
        asked_to_turn_on(key, sign(key, Purpose.UNSUBSCRIBE, mute))


@given(keys, keys, wishes)
def test_a_token_of_another_key_opens_nothing(key: bytes, other: bytes, wish: Unsubscribe) -> None:
    token = sign(other, Purpose.UNSUBSCRIBE, wish)
    if key == other:
        assert asked_to_unsubscribe(key, token, NOW) == wish
    else:
        with pytest.raises(BadLink):
            asked_to_unsubscribe(key, token, NOW)


@given(wishes, wishes)
def test_s23_no_field_of_a_token_can_be_changed(wish: Unsubscribe, other: Unsubscribe) -> None:
    """The payload of one with the signature of another, field by field."""
    signature = sign(KEY, Purpose.UNSUBSCRIBE, wish).partition(".")[2]
    for field in Unsubscribe.__struct_fields__:
        forged = msgspec.structs.replace(wish, **{field: getattr(other, field)})
        payload = sign(bytes(KEY_BYTES), Purpose.UNSUBSCRIBE, forged).partition(".")[0]
        if forged != wish:
            with pytest.raises(BadLink):
                asked_to_unsubscribe(KEY, f"{payload}.{signature}", NOW)


@given(wishes, st.data())
def test_no_character_of_a_token_can_be_changed_dropped_or_added(wish: Unsubscribe, data: st.DataObject) -> None:
    """Base64 has more than one text for some bytes: only ours counts."""
    token = sign(KEY, Purpose.UNSUBSCRIBE, wish)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDwxyz0189-_.=+/ \n"))
    for forged in (
        token[:at] + letter + token[at + 1 :],
        token[:at] + token[at + 1 :],
        token[:at] + letter + token[at:],
    ):
        if forged != token:
            with pytest.raises(BadLink):
                asked_to_unsubscribe(KEY, forged, NOW)


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda some: some.decode("latin-1"))))
def test_any_text_that_we_did_not_make_is_a_bad_link_and_nothing_else(text: str) -> None:
    with pytest.raises(BadLink):
        asked_to_unsubscribe(KEY, text, NOW)
    with pytest.raises(BadLink):
        asked_to_turn_on(KEY, text)


def test_the_longest_token_of_ours_is_shorter_than_what_the_door_lets_through() -> None:
    longest = sign(KEY, Purpose.UNSUBSCRIBE, Unsubscribe("\u00e4" * ADDRESS_LENGTH, 2**31 - 1, NOW + 1, 2**31 - 1))
    assert len(longest) < URL_BYTES / 2
    assert asked_to_unsubscribe(KEY, longest, NOW).policy == 2**31 - 1


@given(wishes)
def test_a_signed_token_that_says_what_none_of_ours_would_is_a_bad_link(wish: Unsubscribe) -> None:
    """A later version's, perhaps: refused, not guessed at."""
    forms = (
        msgspec.structs.replace(wish, address=""),
        msgspec.structs.replace(wish, policy=-1),
        msgspec.structs.replace(wish, policy=2**31),
        msgspec.structs.replace(wish, address="a" * (ADDRESS_LENGTH + 1)),
        TurnOn(MUTE),
    )
    for form in forms:
        with pytest.raises(BadLink):
            asked_to_unsubscribe(KEY, sign(KEY, Purpose.UNSUBSCRIBE, form), NOW)
