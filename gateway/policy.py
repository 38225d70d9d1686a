"""What this gateway does when the cloud asks for it (S7, S9, S10): policy.yaml, changed only on the gateway."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from drivers.ups import Verb
from gateway.settings import UnitName
from gateway.wire import limits
from gateway.wire.classes import CLASSES, CommandClass


class Feed(StrEnum):
    """What of this gateway's own an outlet group can feed (S8)."""

    GATEWAY = "gateway"
    UPLINK = "uplink"


ONLY_BY_NAME = frozenset({Verb.BYPASS_ON, Verb.BYPASS_OFF, Verb.CLEAR_FAULTS})
"""Not allowed with their class: `verbs` has to name them (S2)."""

LEAST_CALIBRATION_LOAD_PCT = 30.0
LEAST_DAYS_BETWEEN_CALIBRATIONS = 90
"""By S8; an owner can only ask for more."""

OPERATORS = 64
"""Most operators of one gateway."""

Name = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z0-9._-]{1,32}\Z", description="a name: 1 to 32 of a-z, 0-9 and . _ -")
]
PublicKey = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9+/]{43}=\Z",
        description="an Ed25519 public key as `cloud operator-key` prints it: 44 characters of base64",
    ),
]
GroupIndex = Annotated[int, msgspec.Meta(ge=0, le=15, description="an outlet group's number, 0 (the main one) to 15")]
Classes = tuple[CommandClass, ...]
Verbs = tuple[Verb, ...]
Roles = tuple[Name, ...]


def _check_verbs(verbs: Verbs) -> None:
    if settings := [verb for verb in verbs if verb not in CLASSES]:
        raise ValueError(f"verbs: {', '.join(settings)}: a unit's settings are not changed from the cloud (S10)")


def _is_canonical(key: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(key, validate=True)).decode() == key
    except binascii.Error:
        return False


class CalibrationRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a runtime calibration may run, beside what always holds (S8)."""

    load_pct: Annotated[float, msgspec.Meta(ge=LEAST_CALIBRATION_LOAD_PCT, le=100)] = LEAST_CALIBRATION_LOAD_PCT
    days_between: Annotated[int, msgspec.Meta(ge=LEAST_DAYS_BETWEEN_CALIBRATIONS, le=3650)] = (
        LEAST_DAYS_BETWEEN_CALIBRATIONS
    )


class UnitPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One unit. `allow`, `verbs`, `roles`: in place of the gateway's; None is as there.

    `feeds`: by outlet group, what of the gateway's own it feeds; None is not said, and then nothing that cuts the
    output is done. `reboot_feeds`: those may be rebooted. `redundancy_group`: units that feed the same load.
    """

    allow: Classes | None = None
    verbs: Verbs | None = None
    roles: Roles | None = None
    feeds: dict[GroupIndex, tuple[Feed, ...]] | None = None
    reboot_feeds: bool = False
    redundancy_group: Name | None = None
    calibration: CalibrationRules = CalibrationRules()

    def __post_init__(self) -> None:
        _check_verbs(self.verbs or ())


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of policy.yaml; as it stands here where there is none.

    `allow`: classes of commands. `verbs`: further ones by name. `roles`: of the cloud, that may ask; None is any.
    `operators`: public keys by name; what cuts the output needs a signature of one of them (S9).
    """

    allow: Classes = (CommandClass.QUIET,)
    verbs: Verbs = ()
    roles: Roles | None = None
    operators: Annotated[dict[Name, PublicKey], msgspec.Meta(max_length=OPERATORS)] = {}
    units: Annotated[dict[UnitName, UnitPolicy], msgspec.Meta(max_length=limits.HELLO_UNITS)] = {}

    def __post_init__(self) -> None:
        _check_verbs(self.verbs)
        for name, key in self.operators.items():
            if not _is_canonical(key):
                raise ValueError(f"operators: {name}: no public key is written like this; copy the whole line again")

    def unit(self, name: str) -> UnitPolicy:
        """What holds for a unit, `allow`, `verbs` and `roles` filled in."""
        own = self.units.get(name, _NOTHING_SAID)
        return msgspec.structs.replace(
            own,
            allow=self.allow if own.allow is None else own.allow,
            verbs=self.verbs if own.verbs is None else own.verbs,
            roles=self.roles if own.roles is None else own.roles,
        )

    def allows(self, unit: str, verb: Verb) -> bool:
        rules = self.unit(unit)
        if verb in (rules.verbs or ()):
            return True
        return verb not in ONLY_BY_NAME and CLASSES.get(verb) in (rules.allow or ())

    def also_allowed(self, unit: str) -> frozenset[Verb]:
        """What `open_driver` has to be told that this policy names (S2)."""
        return frozenset(self.unit(unit).verbs or ()) & ONLY_BY_NAME

    def peers(self, unit: str) -> tuple[str, ...]:
        """The other units of its redundancy group."""
        group = self.unit(unit).redundancy_group
        if group is None:
            return ()
        return tuple(name for name, each in self.units.items() if each.redundancy_group == group and name != unit)

    def turn(self, unit: str) -> str:
        """Commands of one turn are carried out one after the other: those of a redundancy group, else of a unit."""
        group = self.unit(unit).redundancy_group
        return f"unit {unit}" if group is None else f"group {group}"

    def unknown_units(self, names: Iterable[str]) -> tuple[str, ...]:
        """Units that it speaks of and the gateway does not have."""
        return tuple(sorted(self.units.keys() - set(names)))

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, however it is written."""
        text = json.dumps(json.loads(to_json(self)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_NOTHING_SAID = UnitPolicy()


def to_json(policy: Policy) -> bytes:
    """For `from_json` in another process."""
    return msgspec.json.encode(policy)


def from_json(text: bytes) -> Policy:
    return msgspec.json.decode(text, type=Policy)
