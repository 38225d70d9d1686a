"""What has to hold of a unit before it is told something that may cost its load (S8). Unknown is refused.

Every refusal says the value that was found and the one that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import Flag, Identity, OutletGroup, Snapshot, State, TestStatus, Verb
from drivers.verdict import groups_of, pending
from gateway.policy import UnitPolicy
from gateway.seen import Seen
from gateway.wire import limits
from gateway.wire.messages import Clock, Stamp
from gateway.wire.orders import Order

MAINS_GOOD_S = 300.0
CHARGE_PCT = 90.0
CALIBRATION_CHARGE_PCT = 100.0
LOAD_STEADY_S = 300.0
LOAD_BAND_PCT = 10.0
"""A load is steady while its highest and lowest reading lie no further apart."""
READ_WITHIN_S = 30.0
"""What was not read for so long is unknown; the slowest unit is asked every 5 s."""
DAY_MS = 24 * 3600 * 1000
SCHEDULE = "schedule"
"""Role of what nobody asked for at that moment."""

_BAD_MAINS = frozenset({Flag.INPUT_NOT_ACCEPTABLE, Flag.BAD_MAINS_STATE, Flag.POWER_FAILURE})
_BUSY = frozenset({Flag.TEST_IN_PROGRESS, Flag.PENDING_OUTPUT_ON, Flag.PENDING_OUTPUT_OFF, Flag.SHUTDOWN_IMMINENT})
_RUNNING = (TestStatus.PENDING, TestStatus.IN_PROGRESS)
_SWITCHES_OFF = frozenset({Verb.OUTLET_OFF, Verb.OUTLET_SHUTDOWN, Verb.SHUTDOWN})
MAIN_GROUP = 0


class Refusal(msgspec.Struct, frozen=True):
    """`reason`: stable, lower-case with underscores. `detail`: a sentence for a person."""

    reason: str
    detail: str


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """What the readings of one unit say about its last minutes, in seconds of the stamps' monotonic clock.

    `mains_since_s`: since when every reading showed good mains; None if the last did not. `load_since_s`: since when
    the load has stayed between `load_low` and `load_high`.
    """

    snapshot: Snapshot
    identity: Identity | None
    seen_s: float
    mains_since_s: float | None = None
    load_since_s: float | None = None
    load_low: float = 0.0
    load_high: float = 0.0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """`calibrated_at`: UTC milliseconds of the unit's last calibration that this gateway began. `peers`: the other
    units of its redundancy group, None for one that was never read."""

    now: Stamp
    rules: UnitPolicy
    track: Track | None
    peers: Mapping[str, Track | None] = MappingProxyType({})
    calibrated_at: int | None = None

    @property
    def now_s(self) -> float:
        return self.now.mono / 1000


Hindrances = Iterator[Refusal]


def tracked(track: Track | None, seen: Seen) -> Track:
    """`track` with one more reading; a pause in them, or another unit, makes what went before it unknown."""
    now_s = seen.stamp.mono / 1000
    if track is not None and not (0 <= now_s - track.seen_s <= READ_WITHIN_S and _is_same(track.identity, seen)):
        track = None
    before = track.mains_since_s if track else None
    fresh = Track(
        snapshot=seen.snapshot,
        identity=seen.identity or (track.identity if track else None),
        seen_s=now_s,
        mains_since_s=(before if before is not None else now_s) if mains_are_good(seen.snapshot) else None,
    )
    since_s, low, high = _load(track, seen, now_s)
    return msgspec.structs.replace(fresh, load_since_s=since_s, load_low=low, load_high=high)


def mains_are_good(snapshot: Snapshot) -> bool:
    return snapshot.state is State.ONLINE and not snapshot.flags & _BAD_MAINS


def hindrance(order: Order, facts: Facts) -> Refusal | None:
    """The first thing that speaks against an order, and what else does in its detail; None: nothing does."""
    found = list(_CHECKS.get(order.verb, _nothing)(order, facts))
    if not found:
        return None
    return Refusal(found[0].reason, "; ".join(each.detail for each in found)[: limits.DETAIL_LENGTH])


def needs_reading(verb: Verb) -> bool:
    """Whether its preconditions are about what the unit reads just now."""
    return _CHECKS.get(verb, _feeds) is not _feeds


def _is_same(identity: Identity | None, seen: Seen) -> bool:
    return identity is None or seen.identity is None or identity.serial == seen.identity.serial


def _load(track: Track | None, seen: Seen, now_s: float) -> tuple[float | None, float, float]:
    load = seen.snapshot.load_pct
    if not seen.full and track is not None:  # a fast reading repeats the load of the last full one
        return track.load_since_s, track.load_low, track.load_high
    if load is None:
        return None, 0.0, 0.0
    if track is None or track.load_since_s is None:
        return now_s, load, load
    low, high = min(track.load_low, load), max(track.load_high, load)
    return (now_s, load, load) if high - low > LOAD_BAND_PCT else (track.load_since_s, low, high)


def _nothing(_order: Order, _facts: Facts) -> Hindrances:
    return iter(())


def _self_test(_order: Order, facts: Facts) -> Hindrances:
    yield from _test(facts, CHARGE_PCT)


def _calibration(order: Order, facts: Facts) -> Hindrances:
    if order.by.role == SCHEDULE:
        yield Refusal("scheduled", "a calibration empties the battery: somebody has to ask for it at that moment")
    yield from _test(facts, CALIBRATION_CHARGE_PCT)
    if facts.track is not None:
        yield from _steady_load(facts, facts.track)
    for name, peer in facts.peers.items():
        yield from peer_refusals(name, peer, facts.now_s)
    yield from _calibrated(facts)


def _bypass(_order: Order, facts: Facts) -> Hindrances:
    if (track := _current(facts)) is None:
        yield _unread(facts)
        return
    yield from _mains(track, facts.now_s)
    yield from _flag(track, Flag.OUTPUT_OVERLOAD)
    yield from busy(track.snapshot)


def _test(facts: Facts, charge_pct: float) -> Hindrances:
    if (track := _current(facts)) is None:
        yield _unread(facts)
        return
    yield from _mains(track, facts.now_s)
    yield from _charge(track.snapshot, charge_pct)
    for flag in (Flag.REPLACE_BATTERY, Flag.BATTERY_DISCONNECTED, Flag.OUTPUT_OVERLOAD):
        yield from _flag(track, flag)
    yield from busy(track.snapshot)


def _current(facts: Facts) -> Track | None:
    track = facts.track
    return track if track is not None and 0 <= facts.now_s - track.seen_s <= READ_WITHIN_S else None


def _unread(facts: Facts) -> Refusal:
    ago = "never" if facts.track is None else f"{facts.now_s - facts.track.seen_s:.0f} s ago"
    return Refusal("unit_not_read", f"the unit was read {ago}, {READ_WITHIN_S:.0f} s ago is the limit")


def _mains(track: Track, now_s: float) -> Hindrances:
    wanted = f"mains have to be good for {MAINS_GOOD_S:.0f} s"
    state = track.snapshot.state
    if track.mains_since_s is None:
        bad = ", ".join(sorted(track.snapshot.flags & _BAD_MAINS)) or f"state {state.value if state else 'unknown'}"
        yield Refusal("not_on_mains", f"{bad}, {wanted}")
    elif now_s - track.mains_since_s < MAINS_GOOD_S:
        yield Refusal("mains_not_steady", f"mains seen good for {now_s - track.mains_since_s:.0f} s, {wanted}")


def _charge(snapshot: Snapshot, wanted_pct: float) -> Hindrances:
    charge = snapshot.charge_pct
    if charge is None:
        yield Refusal("charge_unknown", f"charge not reported, {wanted_pct:g} % are wanted")
    elif not round(charge, 1) >= wanted_pct:
        yield Refusal("charge_low", f"charge {charge:.1f} %, {wanted_pct:g} % are wanted")


def _flag(track: Track, flag: Flag) -> Hindrances:
    reported = track.identity.reported_flags if track.identity else frozenset()
    if flag in track.snapshot.flags:
        yield Refusal(flag.value, f"{flag.value} is set")
    elif flag not in reported:
        yield Refusal(f"{flag.value}_unknown", f"the unit does not report {flag.value}")


def busy(snapshot: Snapshot) -> Hindrances:
    """A test, a calibration, or an outlet group that is switching."""
    going_on = [flag.value for flag in sorted(snapshot.flags & _BUSY)]
    for name, result in (("self_test", snapshot.self_test), ("calibration", snapshot.calibration)):
        if result is not None and result.status in _RUNNING:
            going_on.append(f"{name} {result.status.value}")
    going_on += [f"outlet group {group.index} is switching" for group in _switching(snapshot)]
    if going_on:
        yield Refusal("pending", f"{', '.join(going_on)}, nothing may be pending")


def _switching(snapshot: Snapshot) -> list[OutletGroup]:
    return [group for group in groups_of(snapshot).values() if pending(group)]


def _steady_load(facts: Facts, track: Track) -> Hindrances:
    load, least = track.snapshot.load_pct, facts.rules.calibration.load_pct
    if load is None or track.load_since_s is None:
        yield Refusal("load_unknown", f"load not reported, {least:g} % are wanted")
        return
    if not track.load_low >= least:
        yield Refusal("load_low", f"load {track.load_low:.1f} %, {least:g} % are wanted")
    if facts.now_s - track.load_since_s < LOAD_STEADY_S:
        steady_s = facts.now_s - track.load_since_s
        wanted = f"within {LOAD_BAND_PCT:g} points for {LOAD_STEADY_S:.0f} s is wanted"
        yield Refusal("load_not_steady", f"load steady for {steady_s:.0f} s, {wanted}")


def peer_refusals(name: str, peer: Track | None, now_s: float) -> Hindrances:
    """Why another unit of the redundancy group could not carry the load alone."""
    if peer is None or not 0 <= now_s - peer.seen_s <= READ_WITHIN_S:
        yield Refusal("peer_unknown", f"{name} of the redundancy group was not read in the last {READ_WITHIN_S:.0f} s")
    elif not mains_are_good(peer.snapshot):
        state = peer.snapshot.state
        yield Refusal("peer_off_mains", f"{name} of the redundancy group: {state.value if state else 'state unknown'}")
    elif found := list(busy(peer.snapshot)):
        yield Refusal("peer_busy", f"{name} of the redundancy group: {found[0].detail}")


def _calibrated(facts: Facts) -> Hindrances:
    last, days = facts.calibrated_at, facts.rules.calibration.days_between
    wanted = f"{days} days have to lie between two"
    if facts.now.clock != Clock.SYNCHRONISED:  # the first one too: nobody could tell later when it was
        yield Refusal("clock_not_set", f"a calibration can't be dated until the clock is set; {wanted}")
    elif last is not None and facts.now.at - last < days * DAY_MS:
        yield Refusal("calibrated_lately", f"calibrated {(facts.now.at - last) / DAY_MS:.1f} days ago, {wanted}")


def _feeds(order: Order, facts: Facts) -> Hindrances:
    """Nobody cuts off the gateway, or its way to the cloud, from afar."""
    feeds = facts.rules.feeds
    if feeds is None:
        yield Refusal(
            "feeds_unknown", "policy.yaml does not say what the unit's outlets feed; `feeds: {}`: nothing of ours"
        )
        return
    whole = order.verb is Verb.SHUTDOWN or not order.groups or MAIN_GROUP in order.groups
    hit = [index for index, fed in sorted(feeds.items()) if fed and (whole or index in order.groups)]
    for index in hit:
        fed = " and ".join(feed.value for feed in feeds[index])
        if order.verb in _SWITCHES_OFF:
            yield Refusal("feeds_gateway", f"outlet group {index} feeds {fed}: never switched off from the cloud")
        elif not facts.rules.reboot_feeds:
            yield Refusal(
                "feeds_gateway", f"outlet group {index} feeds {fed}, and policy.yaml has no reboot_feeds: true"
            )


_CHECKS: Mapping[Verb, Callable[[Order, Facts], Hindrances]] = MappingProxyType(
    {
        Verb.SELF_TEST: _self_test,
        Verb.SIMULATE_POWER_FAILURE: _self_test,
        Verb.CALIBRATION: _calibration,
        Verb.BYPASS_ON: _bypass,
        Verb.OUTLET_OFF: _feeds,
        Verb.OUTLET_SHUTDOWN: _feeds,
        Verb.OUTLET_REBOOT: _feeds,
        Verb.SHUTDOWN: _feeds,
    }
)
