"""The short-lived process that looks at signatures: the gateway itself never loads what that takes."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.ups import Verb
from gateway.runtime.prove import Answer, Question, elsewhere
from gateway.unproven import LOOKED_AT_MOST, TOLD_EVERY_S, WINDOW_S, Unproven
from gateway.wire.envelope import operator, public_text, seal
from gateway.wire.errors import BadSignature
from gateway.wire.orders import CLOUD, ORDER, By, Order
from tests.gateway.commanded import ALICE, BY_BOTH, CLOUD_KEY, MALLORY

PEM = CLOUD_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ALICES = {"alice": public_text(ALICE.public_key())}
BEEP = Order(
    id="0" * 32,
    gateway="pi",
    unit="rack-1",
    serial="AS1",
    verb=Verb.BEEP,
    by=By(role="owner", name="Ann"),
    issued_at=1000,
    expires_at=2000,
)
SEALED = msgspec.json.encode(seal(ORDER, BEEP, BY_BOTH))
FORGED = msgspec.json.encode(seal(ORDER, BEEP, ((CLOUD, MALLORY),)))


async def test_s9_a_process_of_its_own_says_what_is_signed_and_by_whom() -> None:
    answer = await elsewhere(Question(SEALED, PEM, ALICES))
    assert msgspec.json.decode(answer.order, type=Order) == BEEP
    assert answer.signers == {CLOUD, operator("alice")}


@pytest.mark.parametrize("envelope", [FORGED, b"", b"{}", b"[" * 9000])
async def test_s9_what_is_not_signed_is_refused_with_the_reason(envelope: bytes) -> None:
    answer = await elsewhere(Question(envelope, PEM, ALICES))
    assert answer == Answer(refused=answer.refused)
    assert answer.refused


@pytest.mark.parametrize("key", [b"", b"no key", public_text(ALICE.public_key()).encode()])
async def test_a_key_that_is_none_is_told_and_proves_nothing(key: bytes) -> None:
    assert await elsewhere(Question(SEALED, key, ALICES)) == Answer(unusable="not a public key in PEM")


async def test_s9_a_process_that_could_not_look_proves_nothing() -> None:
    with pytest.raises(BadSignature, match="exit status 1"):
        await elsewhere(Question(SEALED, PEM, ALICES), (sys.executable, "-c", "raise SystemExit(1)"))


def test_who_asks_loads_nothing_of_it() -> None:
    code = "import sys, gateway.runtime.commands; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_so_many_forged_ones_are_looked_at_and_the_rest_is_counted() -> None:
    unproven = Unproven()
    looked = 0
    for second in range(50):
        if unproven.may_look(second):
            looked += 1
            unproven.counted(second)
        else:
            unproven.passed_over()
    assert looked == LOOKED_AT_MOST
    assert unproven.may_look(WINDOW_S)
    assert unproven.counted(TOLD_EVERY_S) == 50
