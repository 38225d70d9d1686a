"""Why a release must not go on a unit, ever: one rule, by which the gateway refuses and the cloud explains.

What can pass by itself (mains, charge, window …) is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from drivers.ups import Identity
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import REISSUE, role_of, within
from gateway.wire.firmware_versions import known


class Reason(StrEnum):
    UNIT_UNKNOWN = "unit_unknown"
    HARDWARE_ID = "hardware_id"
    PATH = "path"
    FROM_VERSION = "from_version"
    STEP_BEFORE = "step_before"
    COUNTER = "counter"
    COUNTER_FLOOR = "counter_floor"
    REISSUE_PATH = "reissue_path"


class Objection(msgspec.Struct, frozen=True):
    """`detail`: a sentence for a person. `value`: what was found; `threshold`: what is wanted. Numbers are text too."""

    reason: Reason
    detail: str
    value: str
    threshold: str


def objections(facts: Facts, path: str, identity: Identity, highest_counter: int, floor: int) -> tuple[Objection, ...]:
    """Every reason, empty if there is none.

    `highest_counter`: the highest release counter that units of this hardware id were brought to, 0 if none was.
    `floor`: lowest counter that the repository allows this hardware id, 0 if it names none.
    """
    return (*_of_the_unit(facts, path, identity), *_of_the_counter(facts, highest_counter, floor))


def _of_the_unit(facts: Facts, path: str, identity: Identity) -> Iterator[Objection]:
    if (role_of(path) == REISSUE) != (facts.reissues is not None):
        detail = f"what reissues old code lies under {REISSUE}/, where two have to sign, and nothing else does"
        yield Objection(Reason.REISSUE_PATH, detail, path, f"{REISSUE}/")
    ids = ", ".join(facts.hardware_ids)
    unit = known(identity)
    if unit is None:
        said = f"firmware {identity.firmware or ''!r}, product id {identity.product_id or 'unknown'}"
        yield Objection(Reason.UNIT_UNKNOWN, f"the unit does not say beyond doubt what it is: {said}", said, ids)
        return
    if unit.hardware_id not in facts.hardware_ids:
        detail = f"the release is for hardware id {ids}, the unit has {unit.hardware_id}"
        yield Objection(Reason.HARDWARE_ID, detail, unit.hardware_id, ids)
    if role_of(path) not in (unit.hardware_id, REISSUE):
        detail = f"who signs for {role_of(path)}/ does not sign for hardware id {unit.hardware_id}"
        yield Objection(Reason.PATH, detail, path, f"{unit.hardware_id}/")
    if not any(within(unit.version, each.lowest, each.highest) for each in facts.from_versions):
        yield _wrong_version(facts, unit.version)


def _wrong_version(facts: Facts, version: str) -> Objection:
    allowed = ", ".join(f"{each.lowest}..{each.highest}" for each in facts.from_versions)
    if facts.step_before is None:
        detail = f"it may be put on {allowed}, the unit runs {version}"
        return Objection(Reason.FROM_VERSION, detail, version, allowed)
    detail = f"the unit runs {version} and has to get {facts.step_before} first: this one goes on {allowed} alone"
    return Objection(Reason.STEP_BEFORE, detail, version, facts.step_before)


def _of_the_counter(facts: Facts, highest: int, floor: int) -> Iterator[Objection]:
    counter = facts.release_counter
    if counter < highest:
        detail = f"release counter {counter} is below {highest}, to which this hardware id was brought already"
        yield Objection(Reason.COUNTER, detail, str(counter), str(highest))
    if counter < floor:
        detail = f"release counter {counter} is below the floor {floor} that is signed for this hardware id"
        yield Objection(Reason.COUNTER_FLOOR, detail, str(counter), str(floor))
