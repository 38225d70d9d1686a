"""How people write down what they want, by names: the same for the command line, the API, and what is shown. Pure.

An empty `owner` is the operator. Devices are GATEWAY/UNIT, a serial number, or a name that one device alone has.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cloud_bridge.alerts.terms import NAME_LENGTH, SCOPE_AT_MOST, Quiet
from drivers.ups import Severity

ADDRESS_LENGTH = 254
"""Of a mail address: RFC 5321, 4.5.3.1.3, without its brackets."""
TARGET_LENGTH = 2000
WHY_LENGTH = 200
SILENCE_S = 366 * 86400
"""The longest silence: nobody means one for ever."""

Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)]
Reference = Annotated[str, Meta(max_length=2 * NAME_LENGTH + 1)]
Names = Annotated[tuple[Reference, ...], Meta(max_length=SCOPE_AT_MOST)]
Tags = Annotated[tuple[Name, ...], Meta(max_length=SCOPE_AT_MOST)]
Seconds = Annotated[int, Meta(ge=0, le=7 * 86400)]
Instant = Annotated[datetime, Meta(tz=True, description="a time with its zone, as in 2026-11-24T08:00:00Z")]


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything below."""


class OwnerForm(_Form, frozen=True, kw_only=True):
    """`time_zone`: IANA's name, as in Europe/Berlin."""

    name: Name
    email: Annotated[str, Meta(max_length=ADDRESS_LENGTH)]
    time_zone: Annotated[str, Meta(max_length=NAME_LENGTH)] = "UTC"


class SiteForm(_Form, frozen=True, kw_only=True):
    owner: Reference
    name: Name


class DeviceForm(_Form, frozen=True, kw_only=True):
    """`owner`, `site`: empty: none. `test_every_days`: a self-test is expected so often; 0: none is."""

    name: Annotated[str, Meta(max_length=NAME_LENGTH)] = ""
    owner: Reference = ""
    site: Reference = ""
    tags: Tags = ()
    battery_due_on: date | None = None
    warranty_until: date | None = None
    test_every_days: Annotated[int, Meta(ge=0, le=3650)] = 0


class ChannelForm(_Form, frozen=True, kw_only=True):
    """`target`: a mail address, or a URL."""

    owner: Reference = ""
    name: Name
    kind: Literal["mail", "webhook", "apprise"]
    target: Annotated[str, Meta(min_length=1, max_length=TARGET_LENGTH)]
    per_minute: Annotated[int, Meta(ge=1, le=600)] = 30
    enabled: bool = True


class EscalationForm(_Form, frozen=True, kw_only=True):
    """If nobody acknowledges within `after_s`, `channel` is told too."""

    after_s: Annotated[int, Meta(ge=60, le=7 * 86400)]
    channel: Reference


class PolicyForm(_Form, frozen=True, kw_only=True):
    """`devices`, `sites`, `tags`: whatever one of them names; all empty: every device of the owner. `conditions`:
    empty: all. `group_s`: what follows a first notice within it goes out together."""

    owner: Reference = ""
    name: Name
    channel: Reference
    least: Severity = Severity.WARNING
    devices: Names = ()
    sites: Names = ()
    tags: Tags = ()
    conditions: Names = ()
    quiet: Quiet | None = None
    escalation: EscalationForm | None = None
    resolves: bool = True
    group_s: Annotated[int, Meta(ge=0, le=86400)] = 300
    enabled: bool = True


class RuleForm(_Form, frozen=True, kw_only=True):
    """A threshold: `reading` above (or below) a limit for `for_s`, until it is back at `clear`."""

    owner: Reference = ""
    name: Name
    reading: Annotated[str, Meta(max_length=NAME_LENGTH)]
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    for_s: Seconds = 60
    severity: Severity = Severity.WARNING
    devices: Names = ()
    sites: Names = ()
    tags: Tags = ()
    enabled: bool = True


class SilenceForm(_Form, frozen=True, kw_only=True):
    """Until `ends_at`, or for `for_s`; from `starts_at`, or now. `critical`: of critical alerts as well, which a
    silence otherwise leaves alone unless it names their condition."""

    owner: Reference = ""
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    for_s: Annotated[int, Meta(ge=60, le=SILENCE_S)] | None = None
    kind: Literal["silence", "maintenance"] = "silence"
    devices: Names = ()
    sites: Names = ()
    tags: Tags = ()
    conditions: Names = ()
    critical: bool = False
    by: Annotated[str, Meta(max_length=NAME_LENGTH)] = ""
    why: Annotated[str, Meta(max_length=WHY_LENGTH)] = ""


class OwnerShown(OwnerForm, frozen=True, kw_only=True):
    id: int
    created_at: datetime
    devices: int = 0


class SiteShown(SiteForm, frozen=True, kw_only=True):
    id: int
    devices: tuple[str, ...] = ()


class DeviceShown(DeviceForm, frozen=True, kw_only=True):
    """`muted_until`: its notifications are off by the flood rule."""

    id: int
    gateway: str
    unit: str
    serial: str
    model: str
    muted_until: datetime | None = None


class ChannelShown(ChannelForm, frozen=True, kw_only=True):
    """`target`: without what is secret in it."""

    id: int


class PolicyShown(PolicyForm, frozen=True, kw_only=True):
    """`unsubscribed`: addresses that get nothing by it until it is saved again."""

    id: int
    saved_at: datetime
    unsubscribed: tuple[str, ...] = ()


class RuleShown(RuleForm, frozen=True, kw_only=True):
    id: int


class SilenceShown(SilenceForm, frozen=True, kw_only=True):
    id: int
    in_force: bool


class MuteShown(_Form, frozen=True, kw_only=True):
    """`left_out`: notices that were not made since the last digest."""

    device: str
    owner: str
    since: datetime
    until: datetime
    left_out: int


Form = OwnerForm | SiteForm | DeviceForm | ChannelForm | PolicyForm | RuleForm | SilenceForm
