"""Why a release must not go on a unit, and what a release may say of itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Identity
from gateway.wire.errors import Malformed
from gateway.wire.firmware import Facts, Image, OutputMode, Recover, VersionRange
from gateway.wire.firmware_facts import chunks_of, contradictions, read_facts
from gateway.wire.firmware_rules import Objection, Reason, objections

SHA, OLD = "a" * 64, "b" * 64
PATH = "18/SMT18UPS_15-6.enc"
FACTS = Facts(
    hardware_ids=("18",),
    version="15.6",
    release_counter=5,
    from_versions=(VersionRange(lowest="14.1", highest="14.9"), VersionRange(lowest="15.0", highest="15.5")),
    image=Image(size=2500, sha256=SHA, chunk=1024, chunks=("c" * 64,) * 3),
    output=(OutputMode.OFF,),
    issued_at=1_800_000_000_000,
)
UNIT = Identity(product_id=18, firmware="UPS 15.0")


def altered(**changes: Any) -> Facts:
    return msgspec.structs.replace(FACTS, **changes)


def judged(
    facts: Facts = FACTS, path: str = PATH, unit: Identity = UNIT, highest: int = 0, floor: int = 0
) -> list[tuple[Reason, str, str]]:
    found = objections(facts, path, unit, highest, floor)
    assert all(each.detail for each in found)
    return [(each.reason, each.value, each.threshold) for each in found]


@pytest.mark.parametrize("firmware", ["UPS 15.0", "UPS 15.5", "UPS 14.1", "UPS 14.9", "UPS 15.4.9", "UPS 15.05"])
def test_a_unit_of_the_model_on_a_version_within_a_range_takes_it(firmware: str) -> None:
    assert judged(unit=Identity(product_id=18, firmware=firmware), highest=5, floor=5) == []


@pytest.mark.parametrize("firmware", ["UPS 15.6", "UPS 14.0", "UPS 14.10", "UPS 15.5.1", "UPS 9.4"])
def test_a2_a_version_outside_all_ranges_is_refused_with_what_would_do(firmware: str) -> None:
    version = firmware.removeprefix("UPS ")
    wanted = [(Reason.FROM_VERSION, version, "14.1..14.9, 15.0..15.5")]
    assert judged(unit=Identity(product_id=18, firmware=firmware)) == wanted


def test_a2_a_version_outside_is_sent_to_the_step_before_if_there_is_one() -> None:
    unit = Identity(product_id=18, firmware="UPS 09.3")
    wanted = [(Reason.STEP_BEFORE, "09.3", "18/SMT18UPS_09-4.enc")]
    assert judged(altered(step_before="18/SMT18UPS_09-4.enc"), unit=unit) == wanted
    assert judged(altered(step_before="18/SMT18UPS_09-4.enc")) == []


def test_a2_another_hardware_id_is_refused_by_the_facts_and_by_the_path() -> None:
    unit = Identity(product_id=21, firmware="UPS 15.0")
    assert judged(unit=unit) == [(Reason.HARDWARE_ID, "21", "18"), (Reason.PATH, PATH, "21/")]
    assert judged(altered(hardware_ids=("18", "21")), unit=unit) == [(Reason.PATH, PATH, "21/")]


@pytest.mark.parametrize(
    "unit",
    [
        Identity(),
        Identity(product_id=18),
        Identity(firmware="UPS 15.0"),
        Identity(product_id=0, firmware="UPS 15.0"),
        Identity(product_id=18, firmware="15.0"),
        Identity(product_id=18, firmware="UPS 15.0 "),
        Identity(product_id=18, firmware="UPS 15.0\n"),
        Identity(product_id=18, firmware="UPS 15.0x"),
    ],
)
def test_a19_a_unit_that_does_not_say_what_it_is_takes_nothing_for_granted(unit: Identity) -> None:
    reasons = [reason for reason, _, _ in judged(unit=unit)]
    known = (unit.firmware or "").strip() == "UPS 15.0" and unit.product_id
    assert reasons == ([] if known else [Reason.UNIT_UNKNOWN])


def test_a5_a_counter_below_the_highest_or_the_floor_is_refused_and_an_equal_one_is_not() -> None:
    assert judged(highest=5, floor=5) == []
    assert judged(highest=6) == [(Reason.COUNTER, "5", "6")]
    assert judged(floor=6) == [(Reason.COUNTER_FLOOR, "5", "6")]
    assert [reason for reason, _, _ in judged(highest=9, floor=9)] == [Reason.COUNTER, Reason.COUNTER_FLOOR]


def test_old_code_anew_has_to_lie_where_two_sign_and_nothing_else_does() -> None:
    again = altered(reissues=OLD)
    assert judged(again, "reissue/a.enc") == []
    assert judged(again) == [(Reason.REISSUE_PATH, PATH, "reissue/")]
    assert judged(FACTS, "reissue/a.enc") == [(Reason.REISSUE_PATH, "reissue/a.enc", "reissue/")]


def test_every_reason_is_told_at_once() -> None:
    unit = Identity(product_id=21, firmware="UPS 3.0")
    reasons = [reason for reason, _, _ in judged(altered(reissues=OLD), unit=unit, highest=6, floor=7)]
    assert len(reasons) == 6
    assert len(set(reasons)) == 6


def test_an_upslink_unit_is_known_by_its_model_id() -> None:
    facts = altered(hardware_ids=("upslink-50",), from_versions=(VersionRange(lowest="9", highest="9"),))
    assert judged(facts, "upslink-50/a", Identity(firmware="50.9.D")) == []
    assert [reason for reason, _, _ in judged(facts, "upslink-50/a", Identity(firmware="50.8.D"))] == [
        Reason.FROM_VERSION
    ]


@given(counter=st.integers(1, 2**31), highest=st.integers(0, 2**31), floor=st.integers(0, 2**31))
def test_a5_no_counter_below_either_passes_whatever_the_numbers(counter: int, highest: int, floor: int) -> None:
    found: tuple[Objection, ...] = objections(altered(release_counter=counter), PATH, UNIT, highest, floor)
    assert (not found) == (counter >= max(highest, floor))


def test_facts_that_fit_their_target_are_read_as_they_are() -> None:
    assert read_facts(msgspec.to_builtins(FACTS), PATH, 2500, SHA) == FACTS
    reissue = altered(reissues=OLD, hardware_ids=("18", "21"), version="14.0")
    assert read_facts(msgspec.to_builtins(reissue), "reissue/x", 2500, SHA) == reissue


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({}, "21/x", "signs for 21 alone"),
        ({"hardware_ids": ("18", "21")}, PATH, "signs for 18 alone"),
        ({"hardware_ids": ("18", "18")}, PATH, "named twice"),
        ({"hardware_ids": ("reissue",)}, "reissue/x", "no hardware id"),
        ({"reissues": OLD}, PATH, "lies under reissue/"),
        ({}, "reissue/x", "lies under reissue/"),
        ({}, "18/../x", "the path is no"),
        ({}, "18/", "the path is no"),
        ({"step_before": PATH}, PATH, "the release itself"),
        ({"step_before": "21/a"}, PATH, "another hardware id"),
        ({"recover": Recover(fallback="21/a")}, PATH, "another hardware id"),
        ({"output": (OutputMode.OFF, OutputMode.OFF)}, PATH, "named twice"),
        ({"from_versions": (VersionRange(lowest="15.5", highest="15.0"),)}, PATH, "the lower one comes first"),
        ({"from_versions": (VersionRange(lowest="15.0", highest="15.7"),)}, PATH, "only a reissue goes back"),
        ({"image": Image(size=2501, sha256=SHA, chunk=1024, chunks=("c" * 64,) * 3)}, PATH, "2501 bytes"),
        ({"image": Image(size=2500, sha256=OLD, chunk=1024, chunks=("c" * 64,) * 3)}, PATH, "SHA-256"),
        ({"image": Image(size=2500, sha256=SHA, chunk=1024, chunks=("c" * 64,) * 4)}, PATH, "have 3"),
        ({"image": Image(size=2500, sha256=SHA, chunk=1024, chunks=("c" * 64,) * 2)}, PATH, "have 3"),
    ],
)
def test_facts_that_contradict_themselves_or_their_target_are_refused(
    changes: dict[str, Any], path: str, said: str
) -> None:
    facts = altered(**changes)
    assert any(said in each for each in contradictions(facts, path, 2500, SHA))
    with pytest.raises(Malformed, match=said):
        read_facts(msgspec.to_builtins(facts), path, 2500, SHA)


@pytest.mark.parametrize("custom", [None, [], "x", 5, {}, {"version": 1}, {**msgspec.to_builtins(FACTS), "schema": 2}])
def test_what_is_no_facts_is_refused(custom: object) -> None:
    with pytest.raises(Malformed):
        read_facts(custom, PATH, 2500, SHA)


@given(size=st.integers(1, 10_000_000), chunk=st.integers(1024, 65536))
def test_so_many_chunks_cover_the_image_and_one_less_does_not(size: int, chunk: int) -> None:
    count = chunks_of(size, chunk)
    assert (count - 1) * chunk < size <= count * chunk
