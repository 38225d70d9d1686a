"""What owners and operators wish to hear of, and how: the registry's rows as values. Pure. Instants are
UTC milliseconds.

`owner` None: the operator's, for every device of this cloud.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from drivers.ups import Severity

T = TypeVar("T")
K = TypeVar("K")

NAME_LENGTH = 64
SCOPE_AT_MOST = 200
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Minute = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z", description="a time of day, as in 22:30")]


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything below."""


class Owner(_Words, frozen=True, kw_only=True):
    """`time_zone`: IANA's name, as in Europe/Berlin: quiet hours and mails are told by it."""

    id: int
    name: Name
    email: str
    time_zone: str = "UTC"
    created_at: int = 0


class Site(_Words, frozen=True, kw_only=True):
    """A place whose units share their mains."""

    id: int
    owner: int
    name: Name


class Device(_Words, frozen=True, kw_only=True):
    """One unit as the cloud knows it: one owner at most. `test_every_days`: 0: nobody expects tests."""

    id: int
    gateway: str
    unit: str
    serial: str = ""
    model: str = ""
    name: str = ""
    owner: int | None = None
    site: int | None = None
    tags: tuple[str, ...] = ()
    battery_due_on: date | None = None
    """The owner's word, which goes before the unit's own."""
    warranty_until: date | None = None
    test_every_days: Annotated[int, Meta(ge=0, le=3650)] = 0

    @property
    def label(self) -> str:
        return self.name or f"{self.gateway}/{self.unit}"


class Scope(_Words, frozen=True, kw_only=True):
    """Which devices: any that one of the lists names; all lists empty: every device of the owner."""

    devices: Annotated[tuple[int, ...], Meta(max_length=SCOPE_AT_MOST)] = ()
    sites: Annotated[tuple[int, ...], Meta(max_length=SCOPE_AT_MOST)] = ()
    tags: Annotated[tuple[Name, ...], Meta(max_length=SCOPE_AT_MOST)] = ()


class Channel(_Words, frozen=True, kw_only=True):
    """Where notices go. `kind`: mail, webhook, apprise. `target`: address or URL, a secret where it holds one.
    `per_minute`: how many notices at most.
    """

    id: int
    owner: int | None
    name: Name
    kind: Literal["mail", "webhook", "apprise"]
    target: str
    per_minute: Annotated[int, Meta(ge=1, le=600)] = 30
    enabled: bool = True


class Quiet(_Words, frozen=True, kw_only=True):
    """Hours in the owner's time zone in which notices wait until `until`. `since` after `until`: over midnight.
    `days`: 0 is Monday; of the day on which the quiet begins. `breaks_through`: this severity and above.
    """

    since: Minute
    until: Minute
    days: Annotated[tuple[Annotated[int, Meta(ge=0, le=6)], ...], Meta(min_length=1, max_length=7)] = (
        0,
        1,
        2,
        3,
        4,
        5,
        6,
    )
    breaks_through: Severity | None = Severity.CRITICAL


class Escalation(_Words, frozen=True, kw_only=True):
    """If nobody acknowledges within `after_s`, `channel` is told too."""

    after_s: Annotated[int, Meta(ge=60, le=7 * 86400)]
    channel: int


class Policy(_Words, frozen=True, kw_only=True):
    """Who is told of what. `conditions`: empty: all. `resolves`: also of ends. `group_s`: what follows a first notice
    within it goes out together (0: each by itself)."""

    id: int
    owner: int | None
    name: Name
    channel: int
    least: Severity = Severity.WARNING
    scope: Scope = Scope()
    conditions: Annotated[tuple[str, ...], Meta(max_length=SCOPE_AT_MOST)] = ()
    quiet: Quiet | None = None
    escalation: Escalation | None = None
    resolves: bool = True
    group_s: Annotated[int, Meta(ge=0, le=86400)] = 300
    enabled: bool = True
    saved_at: int = 0


class Rule(_Words, frozen=True, kw_only=True):
    """A threshold of an owner's own. `reading`: a name of drivers.ups.READINGS. It begins where the reading is above
    (below) `limit` for `for_s`, and ends where it is back at `clear` (default: `limit`) or better."""

    id: int
    owner: int | None
    name: Name
    reading: str
    above: bool
    limit: float
    clear: float | None = None
    for_s: Annotated[int, Meta(ge=0, le=7 * 86400)] = 60
    severity: Severity = Severity.WARNING
    scope: Scope = Scope()
    enabled: bool = True


class Silence(_Words, frozen=True, kw_only=True):
    """Nothing is said meanwhile of what it names. A critical is named only by its condition or with `critical`.
    `kind`: silence, or maintenance (work on the units: planned)."""

    id: int
    owner: int | None
    starts_at: int
    ends_at: int
    kind: Literal["silence", "maintenance"] = "silence"
    scope: Scope = Scope()
    conditions: Annotated[tuple[str, ...], Meta(max_length=SCOPE_AT_MOST)] = ()
    critical: bool = False
    by: str = ""
    why: str = ""


class Route(_Words, frozen=True, kw_only=True):
    """A node of the operator's tree. An alert goes to the deepest nodes that fit, in order; the first ends the search
    among its siblings unless it says `go_on`. What a node does not say it inherits.

    `match`: names of Device's label, owner, site, tag, condition, severity, gateway to a pattern (fnmatch).
    """

    name: Name = "root"
    match: Annotated[
        Mapping[Literal["owner", "site", "tag", "gateway", "unit", "condition", "severity"], str], Meta(max_length=16)
    ] = {}
    channel: str = ""
    least: Severity | None = None
    group_by: tuple[Literal["site", "condition", "owner", "gateway"], ...] | None = None
    group_s: Annotated[int, Meta(ge=0, le=86400)] | None = None
    escalate_after_s: Annotated[int, Meta(ge=60, le=7 * 86400)] | None = None
    escalate_to: str = ""
    go_on: bool = False
    routes: Annotated[tuple[Route, ...], Meta(max_length=SCOPE_AT_MOST)] = ()


class Terms(_Words, frozen=True, kw_only=True):
    """Figures of the service: `alerts` in cloud.yaml. Each default is what its source says."""

    on_battery_hold_s: float = 10.0
    """S22, as the next two."""
    gateway_lost_hold_s: float = 600.0
    gateway_lost_on_battery_hold_s: float = 90.0
    end_hold_s: float = 5.0
    """The end of what was told has to last so long, or it is none."""
    critical_after_s: float = 300.0
    """On battery longer than this, or with less charge than the next: critical (S22)."""
    critical_below_pct: float = 50.0
    flap_changes: Annotated[int, Meta(ge=2)] = 4
    """So many begins and ends within the next, and what begins then is one `unstable` alert (gateway-ota.md C4): with
    the default, the third onset."""
    flap_window_s: float = 600.0
    site_share: float = 0.3
    """Of a site's units, and two at least, on battery within the next: one incident (C4)."""
    site_window_s: float = 60.0
    sites_at_least: Annotated[int, Meta(ge=2)] = 3
    flood_more_than: Annotated[int, Meta(ge=1)] = 6
    """Notifications of a device within the next, after which it is muted for the third (smartconnect.md)."""
    flood_window_s: float = 1800.0
    flood_mute_s: float = 7 * 86400.0
    mute_critical: bool = False
    runtime_short_share: float = 0.7
    """A battery that gave less of the runtime it promised, or will by the way it falls."""
    hearing_for_s: float = 180.0
    """Ingest has to hear the broker so long before silence of gateways counts (C4)."""
    retry_for_s: float = 3 * 86400.0
    """A notification that can't be sent is given up after this."""
    keep_resolved_s: Annotated[float, Meta(ge=86400)] = 365 * 86400.0
    """What is over is kept so long, with why and to whom it was told; the last of each condition longer."""
    keep_queue_s: Annotated[float, Meta(ge=86400)] = 7 * 86400.0
    """What waits for the alerts role, too: one that is away for longer misses what is older."""


class Directory(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything above as the registry had it at one moment, by id; and found quickly by other things."""

    owners: Mapping[int, Owner] = {}
    sites: Mapping[int, Site] = {}
    devices: Mapping[int, Device] = {}
    channels: Mapping[int, Channel] = {}
    policies: Mapping[int, Policy] = {}
    rules: Mapping[int, Rule] = {}
    silences: Mapping[int, Silence] = {}
    routes: Route | None = None

    @cached_property
    def units(self) -> Mapping[str, Device]:
        """By GATEWAY/UNIT."""
        return {f"{device.gateway}/{device.unit}": device for device in self.devices.values()}

    @cached_property
    def at_gateway(self) -> Mapping[str, tuple[Device, ...]]:
        return _by(self.devices.values(), lambda device: device.gateway)

    @cached_property
    def at_site(self) -> Mapping[int | None, tuple[Device, ...]]:
        return _by(self.devices.values(), lambda device: device.site)

    @cached_property
    def policies_of(self) -> Mapping[int | None, tuple[Policy, ...]]:
        """By owner; None: the operator's."""
        return _by(self.policies.values(), lambda policy: policy.owner)

    @cached_property
    def channels_of(self) -> Mapping[int | None, tuple[Channel, ...]]:
        """By owner; None: the operator's."""
        return _by(self.channels.values(), lambda channel: channel.owner)


def _by(found: Iterable[T], key: Callable[[T], K]) -> Mapping[K, tuple[T, ...]]:
    lists: defaultdict[K, list[T]] = defaultdict(list)
    for each in found:
        lists[key(each)].append(each)
    return {name: tuple(each) for name, each in lists.items()}
