"""gateway.wire.token: a token has one text, and no error shows it."""

from __future__ import annotations

import base64
import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import limits
from gateway.wire.errors import Malformed, TooLarge, WireError
from gateway.wire.token import PREFIX, Token, decode, digest, encode

TOKEN = Token(
    url="https://bridge.example.net:8443",
    gateway="pi-basement",
    secret="5e" * 32,
    authority="a1" * 32,
    command_key="c2" * 32,
)
TEXT = (
    "ridethrough-token:eyJ1cmwiOiJodHRwczovL2JyaWRnZS5leGFtcGxlLm5ldDo4NDQzIiwiZ2F0ZXdheSI6InBpLWJhc2VtZW50Iiwic2Vj"
    "cmV0IjoiNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZTVlNWU1ZSIsImF1dGhvcml0eSI6"
    "ImExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTEiLCJjb21tYW5kX2tleSI6ImMy"
    "YzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzJjMmMyYzIifQ"
)

hexadecimal = st.binary(min_size=32, max_size=32).map(bytes.hex)
tokens = st.builds(
    Token,
    url=st.sampled_from(["https://h:1", "https://[2001:db8::7]:8443", f"https://{'a' * 253}:65535"]),
    gateway=st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True).filter(lambda n: n not in ("bridge", "enroll", "admin")),
    secret=hexadecimal,
    authority=hexadecimal,
    command_key=hexadecimal,
    firmware_root=st.none() | hexadecimal,
)


def text_of(fields: dict[str, object] | str) -> str:
    content = fields if isinstance(fields, str) else json.dumps(fields, separators=(",", ":"))
    return PREFIX + base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


FIELDS: dict[str, object] = msgspec.to_builtins(TOKEN)


def test_a_tokens_text_is_pinned() -> None:
    assert encode(TOKEN) == TEXT
    assert decode(f"  {TEXT}\n") == TOKEN


@given(tokens)
def test_every_token_comes_back_and_is_within_the_limit(token: Token) -> None:
    assert decode(encode(token)) == token
    assert len(encode(token)) <= limits.TOKEN_LENGTH


@given(
    st.text(max_size=300)
    | st.text(max_size=300).map(lambda text: PREFIX + text)
    | st.binary(max_size=300).map(lambda raw: PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("="))
)
def test_any_text_is_a_token_or_a_wire_error(text: str) -> None:
    try:
        decode(text)
    except WireError as error:
        assert error.what


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="ascii"))
def test_no_two_texts_mean_the_same_token(place: int, letter: str) -> None:
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    try:
        assert (decode(changed) == TOKEN) == (changed.strip() == TEXT)
    except WireError:
        assert changed.strip() != TEXT


@pytest.mark.parametrize(
    "fields",
    [
        FIELDS | {"more": 1},
        FIELDS | {"gateway": "bridge"},
        FIELDS | {"gateway": "Pi"},
        FIELDS | {"gateway": "p" * 33},
        FIELDS | {"secret": "5E" * 32},
        FIELDS | {"secret": "5e" * 31},
        FIELDS | {"authority": "a1" * 32 + "\n"},
        FIELDS | {"url": "http://bridge.example.net:8443"},
        FIELDS | {"url": "https://user@bridge.example.net:8443"},
        FIELDS | {"url": "https://bridge.example.net:8443/path"},
        FIELDS | {"url": "https://bridge.example.net:8443\n"},
        FIELDS | {"firmware_root": ""},
        {key: value for key, value in FIELDS.items() if key != "command_key"},
        json.dumps(FIELDS, separators=(",", ":")).replace('"gateway"', '"gateway":"pi-other","gateway"'),
        json.dumps(FIELDS),
        "[" * 600,
        "{",
    ],
)
def test_a_token_that_is_not_exactly_one_is_refused(fields: dict[str, object] | str) -> None:
    with pytest.raises(Malformed):
        decode(text_of(fields))


def test_a_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        decode(PREFIX + "A" * limits.TOKEN_LENGTH)


def test_s11_no_error_and_no_picture_of_a_token_shows_its_secret() -> None:
    assert TOKEN.secret not in repr(TOKEN)
    for broken in (text_of(FIELDS | {"more": 1}), text_of(FIELDS | {"gateway": "Pi"}), TEXT[:-1], f"x{TEXT}"):
        with pytest.raises(WireError) as raised:
            decode(broken)
        assert TOKEN.secret not in raised.value.what
        assert broken[30:60] not in raised.value.what


def test_s11_what_is_kept_of_a_secret_is_its_sha_256() -> None:
    assert digest(TOKEN.secret) == hashlib.sha256(b"5e" * 32).hexdigest()
