"""S9: what is signed, by whom, and what no envelope gets away with."""

from __future__ import annotations

import base64
import json
import zlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Verb
from gateway.wire import limits
from gateway.wire.envelope import (
    JSON_DEPTH,
    opened,
    operator,
    public_key,
    public_text,
    read_payload,
    seal,
    sign,
    signed_bytes,
    strict_json,
)
from gateway.wire.errors import BadSignature, Malformed, TooLarge, WireError
from gateway.wire.orders import CLOUD, ORDER, By, Envelope, Order, Signature

CLOUD_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ALICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
MALLORY = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
KEYS = {CLOUD: CLOUD_KEY.public_key(), operator("alice"): ALICE.public_key()}

AN_ORDER = Order(
    id="0" * 32,
    gateway="pi",
    unit="rack-1",
    serial="AS1",
    verb=Verb.OUTLET_REBOOT,
    by=By(role="owner", name="Ann"),
    issued_at=1000,
    expires_at=2000,
    challenge="a" * 32,
    groups=(1, 2),
)


def sealed(*keys: tuple[str, Ed25519PrivateKey], order: Order = AN_ORDER) -> bytes:
    return msgspec.json.encode(seal(ORDER, order, keys or ((CLOUD, CLOUD_KEY),)))


def signed(payload: bytes, kind: str = ORDER) -> bytes:
    """An envelope around any payload, rightly signed by the cloud."""
    signatures = [sign(kind, payload, CLOUD, CLOUD_KEY)]
    return msgspec.json.encode(Envelope(type=kind, payload=base64.b64encode(payload).decode(), signatures=signatures))


def changed(raw: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(raw), **fields}).encode()


def test_an_order_comes_out_as_it_was_signed_and_by_whom_is_known() -> None:
    raw = sealed((CLOUD, CLOUD_KEY), (operator("alice"), ALICE), (operator("bob"), MALLORY))
    found = opened(raw, ORDER, KEYS)
    assert read_payload(found.payload, Order) == AN_ORDER
    assert found.signers == {CLOUD, "operator:alice"}
    assert found.strangers == {"operator:bob"}


def test_a_large_envelope_may_come_deflated_as_any_message() -> None:
    raw = sealed((CLOUD, CLOUD_KEY), *((operator(f"o{n}"), ALICE) for n in range(limits.SIGNATURES - 1)))
    assert opened(zlib.compress(raw), ORDER, KEYS) == opened(raw, ORDER, KEYS)
    with pytest.raises(TooLarge):
        opened(zlib.compress(b" " * (limits.ENVELOPE_BYTES + 1)), ORDER, KEYS)


def test_what_is_signed_is_type_and_payload_each_behind_its_length() -> None:
    assert signed_bytes("ab", b"{}") == b"ridethrough-signed/1" + b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\2{}"


@given(st.text(max_size=8), st.binary(max_size=8), st.text(max_size=8), st.binary(max_size=8))
def test_no_two_envelopes_sign_the_same_bytes(kind: str, payload: bytes, other_kind: str, other: bytes) -> None:
    same = (kind, payload) == (other_kind, other)
    assert (signed_bytes(kind, payload) == signed_bytes(other_kind, other)) is same


def test_s9_an_envelope_of_one_type_is_never_one_of_another() -> None:
    go = signed(b"{}", kind="ridethrough-go/1")
    with pytest.raises(Malformed):
        opened(go, ORDER, KEYS)
    with pytest.raises(BadSignature):
        opened(changed(go, type=ORDER), ORDER, KEYS)


@pytest.mark.parametrize(
    "keys",
    [
        ((CLOUD, MALLORY),),
        ((operator("alice"), ALICE),),
        ((operator("alice"), ALICE), (CLOUD, CLOUD_KEY)),
        ((CLOUD, CLOUD_KEY), (CLOUD, CLOUD_KEY)),
        ((CLOUD, CLOUD_KEY), (operator("alice"), MALLORY)),
        ((CLOUD, CLOUD_KEY), (operator("alice"), CLOUD_KEY)),
    ],
)
def test_s9_a_wrong_or_missing_or_misplaced_signature_is_refused(
    keys: tuple[tuple[str, Ed25519PrivateKey], ...],
) -> None:
    with pytest.raises(BadSignature):
        opened(sealed(*keys), ORDER, KEYS)


def test_s9_without_the_clouds_key_nothing_is_opened() -> None:
    with pytest.raises(BadSignature):
        opened(sealed(), ORDER, {operator("alice"): ALICE.public_key()})


@given(data=st.data())
def test_s9_one_changed_bit_of_payload_or_signature_is_noticed(data: st.DataObject) -> None:
    envelope = json.loads(sealed())
    which = data.draw(st.sampled_from(["payload", "signature"]))
    text = envelope["payload"] if which == "payload" else envelope["signatures"][0]["value"]
    content = bytearray(base64.b64decode(text))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    new = base64.b64encode(content).decode()
    if which == "payload":
        envelope["payload"] = new
    else:
        envelope["signatures"][0]["value"] = new
    with pytest.raises(BadSignature):
        opened(json.dumps(envelope).encode(), ORDER, KEYS)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_value_or_a_declared_error(raw: bytes) -> None:
    with pytest.raises(WireError):
        opened(raw, ORDER, KEYS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "by", "verb", "x"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_any_signed_json_ends_in_an_order_or_malformed(tree: object) -> None:
    with pytest.raises(Malformed):
        read_payload(opened(signed(json.dumps(tree).encode()), ORDER, KEYS).payload, Order)


@pytest.mark.parametrize("twice", ['"verb":"beep"', '"by":{"role":"a","role":"b","name":"n"}'])
def test_s9_a_key_given_twice_is_refused_at_any_depth(twice: str) -> None:
    text = msgspec.json.encode(AN_ORDER).decode()
    name = twice.partition(":")[0]
    doubled = (
        text.replace(name, f"{twice},{name}", 1)
        if "role" not in twice
        else text.replace('"role"', '"role":"a","role"', 1)
    )
    with pytest.raises(Malformed, match="twice"):
        read_payload(doubled.encode(), Order)


def test_a_signed_field_that_this_version_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(Malformed, match="only_if"):
        read_payload(changed(msgspec.json.encode(AN_ORDER), only_if="on_mains"), Order)
    by = {"role": "owner", "name": "Ann", "on_behalf_of": "Bob"}
    with pytest.raises(Malformed, match="on_behalf_of"):
        read_payload(changed(msgspec.json.encode(AN_ORDER), by=by), Order)


def test_an_envelope_that_gives_a_key_twice_is_refused() -> None:
    raw = sealed().replace(b'{"type"', b'{"type":"x","type"', 1)
    with pytest.raises(Malformed, match="twice"):
        opened(raw, ORDER, KEYS)


@pytest.mark.parametrize("text", ["YQ", "YR==", "Y Q==", "YQ==\n", "_-==", "YQ===", "é"])
def test_base64_that_is_not_as_its_bytes_are_written_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        opened(changed(sealed(), payload=text), ORDER, KEYS)
    with pytest.raises(Malformed):
        public_key(text)


def test_a_signature_written_in_another_way_is_refused() -> None:
    envelope = json.loads(sealed())
    value = envelope["signatures"][0]["value"]
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = other[other.index(value[-3]) ^ 1]
    envelope["signatures"][0]["value"] = f"{value[:-3]}{last}=="
    assert base64.b64decode(value) == base64.b64decode(envelope["signatures"][0]["value"])
    with pytest.raises(Malformed):
        opened(json.dumps(envelope).encode(), ORDER, KEYS)


def test_every_limit_has_its_edge() -> None:
    assert opened(signed(b" " * limits.ORDER_BYTES), ORDER, KEYS).payload == b" " * limits.ORDER_BYTES
    with pytest.raises(TooLarge):
        opened(signed(b" " * (limits.ORDER_BYTES + 1)), ORDER, KEYS)
    with pytest.raises(TooLarge):
        opened(sealed() + b" " * limits.ENVELOPE_BYTES, ORDER, KEYS)
    many = [(CLOUD, CLOUD_KEY), *((operator(f"o{n}"), ALICE) for n in range(limits.SIGNATURES))]
    assert opened(sealed(*many[:-1]), ORDER, KEYS).signers == {CLOUD}
    with pytest.raises(Malformed):
        opened(sealed(*many), ORDER, KEYS)
    strict_json(b"[" * JSON_DEPTH + b"]" * JSON_DEPTH)
    for depth in (JSON_DEPTH + 1, 900, 4000):
        with pytest.raises(Malformed):
            strict_json(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("text", [b'{"a":NaN}', b'{"a":Infinity}', b"\xff", b"", b"{", b"1" * 5000])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        strict_json(text)


def test_an_order_larger_than_the_limit_is_not_sealed() -> None:
    with pytest.raises(TooLarge):
        seal(ORDER, msgspec.structs.replace(AN_ORDER, serial="é" * limits.ORDER_BYTES), [(CLOUD, CLOUD_KEY)])


def test_a_public_key_is_written_as_it_is_read() -> None:
    assert public_text(public_key(public_text(ALICE.public_key()))) == public_text(ALICE.public_key())
    with pytest.raises(Malformed):
        public_key(base64.b64encode(bytes(31)).decode())


def test_the_signature_is_ed25519_over_exactly_those_bytes() -> None:
    signature: Signature = seal(ORDER, AN_ORDER, [(CLOUD, CLOUD_KEY)]).signatures[0]
    CLOUD_KEY.public_key().verify(base64.b64decode(signature.value), signed_bytes(ORDER, msgspec.json.encode(AN_ORDER)))
