"""A new release: its facts from an image, and what is refused with its place."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.firmware.errors import BadRelease
from cloud_bridge.firmware.release import facts_of, image_of
from cloud_bridge.firmware.wording import changes, release_line
from gateway.wire import limits
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import read_facts
from tests.cloud_bridge.firmware.made import IMAGE, PATH, WISH

NOW = 1_800_000_000_000
THERE = facts_of(IMAGE, WISH, {}, {}, NOW)
USED = {"18": 1}


def mistakes(content: bytes = IMAGE, **changes_: Any) -> tuple[str, ...]:
    wish = msgspec.structs.replace(WISH, **{"name": "b.enc", "version": "15.7"} | changes_)
    with pytest.raises(BadRelease) as caught:
        facts_of(content, wish, {PATH: THERE}, USED, NOW)
    return caught.value.mistakes


@given(content=st.binary(min_size=1, max_size=9000), chunk=st.integers(limits.CHUNK_LEAST, 4096))
def test_the_chunks_of_an_image_are_the_image(content: bytes, chunk: int) -> None:
    image = image_of(content, chunk)
    pieces = [content[at : at + chunk] for at in range(0, len(content), chunk)]
    assert b"".join(pieces) == content
    assert image.chunks == tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
    assert (image.size, image.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_facts_are_what_was_said_and_a_gateway_reads_them_so() -> None:
    assert THERE.version == "15.6"
    assert THERE.release_counter == 1
    assert THERE.issued_at == NOW
    assert read_facts(msgspec.to_builtins(THERE), PATH, len(IMAGE), THERE.image.sha256) == THERE


def test_the_counter_is_one_above_the_last_that_was_ever_used() -> None:
    wish = msgspec.structs.replace(WISH, name="b.enc", version="15.7")
    assert facts_of(IMAGE, wish, {PATH: THERE}, {"18": 41, "21": 99}, NOW).release_counter == 42


@pytest.mark.parametrize("counter", [1, 0])
def test_a_counter_that_is_not_above_the_last_is_refused(counter: int) -> None:
    said = mistakes(release_counter=counter)
    assert any("counter" in each or "`int` >= 1" in each for each in said)


@pytest.mark.parametrize("version", ["15.6", "15.5.9", "9.4", "15.06"])
def test_a_version_that_is_not_above_is_refused_and_the_way_back_is_told(version: str) -> None:
    said = mistakes(version=version, from_versions=("1.0",))
    assert any("not above 15.6" in each and "two have to sign" in each for each in said)


def test_too_many_chunks_are_refused_with_a_size_that_would_do() -> None:
    content = b"x" * (limits.CHUNKS * 1024 + 1)
    assert mistakes(content, chunk=1024) == (
        "524289 bytes in chunks of 1024 are 513 chunks, 512 are allowed: take chunks of 2048 or more",
    )
    assert len(image_of(content, 2048).chunks) == 257


@pytest.mark.parametrize(
    ("content", "changes_", "said"),
    [
        (b"", {}, "empty"),
        (b"x" * (limits.FIRMWARE_BYTES + 1), {"chunk": 65536}, "are allowed"),
        (IMAGE, {"chunk": 100}, "1024 to 65536"),
        (IMAGE, {"version": "15.x"}, "15.6"),
        (IMAGE, {"from_versions": ("15.0-15.5",)}, "15.0..15.5"),
        (IMAGE, {"from_versions": ()}, "from_versions"),
        (IMAGE, {"output": ("on",)}, "on_unprotected"),
        (IMAGE, {"output": ()}, "output"),
        (IMAGE, {"name": "a.enc"}, "there already"),
        (IMAGE, {"name": "a b"}, "HARDWARE_ID/FILE"),
        (IMAGE, {"name": "../a"}, "HARDWARE_ID/FILE"),
        (IMAGE, {"step_before": "18/none"}, "add it first"),
        (IMAGE, {"reissues": "c" * 64}, "no release for this hardware id"),
        (IMAGE, {"reissues": "c"}, "reissues"),
        (IMAGE, {"notes": "x" * 3000}, "notes"),
        (IMAGE, {"hardware_ids": ()}, "no hardware id"),
    ],
)
def test_what_can_not_be_released_is_told_with_what_would_be_right(
    content: bytes, changes_: dict[str, Any], said: str
) -> None:
    assert any(said in each for each in mistakes(content, **changes_))


def test_every_mistake_is_told_at_once() -> None:
    assert len(mistakes(release_counter=1, version="15.6", step_before="18/none", name="a.enc")) == 4


def test_old_code_anew_names_the_old_image_and_lies_apart() -> None:
    again = msgspec.structs.replace(WISH, reissues=THERE.image.sha256, from_versions=("15.7..15.9",))
    assert again.path == "reissue/a.enc"
    assert facts_of(IMAGE, again, {PATH: THERE}, USED, NOW).reissues == THERE.image.sha256


def test_whoever_signs_is_told_what_that_puts_into_force() -> None:
    releases: dict[str, Facts] = {PATH: THERE}
    before: dict[str, Any] = {"version": 1, "targets": {"18/old": {}, "18/same": {}, "18/other": {"a": 1}}}
    after: dict[str, Any] = {"version": 2, "targets": {PATH: {}, "18/same": {}, "18/other": {}}, "expires": "2030"}
    assert changes(before, after, releases) == [
        f"adds {release_line(PATH, THERE)}",
        "withdraws 18/old",
        "CHANGES 18/other, which was there",
        "expires: 2030",
    ]
    roles: dict[str, Any] = {"delegations": {"roles": [{"name": "18", "threshold": 1, "keyids": ["ab"]}]}}
    assert changes({}, roles, {}) == ["role 18: 1 of the keys ab"]
    assert changes(roles, {}, {}) == ["role 18 is gone"]
