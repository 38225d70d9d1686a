"""What has to hold before a unit is told to enter its boot loader (gateway-ota.md A5). Unknown is refused.

On mains is judged from a reading at most look.READ_WITHIN_S old, and nothing and nobody overrides it.
"""

from __future__ import annotations

from drivers.ups import Snapshot
from gateway.firmware.hindrance import Hindrance, Hindrances, failing, number
from gateway.firmware.look import IDENTITY_WITHIN_S, Link, Look, Readings, clock_is_trusted, fresh, said_now, unread
from gateway.firmware.soundness import INTERNAL_FAULTS, OVERLOADS, soundness
from gateway.firmware.topology import Rules, Supply, Topology
from gateway.preconditions import Track, peer_refusals
from gateway.wire.firmware import Facts, FirmwareOrder, OutputMode
from gateway.wire.firmware_rules import objections
from gateway.wire.firmware_versions import known, ordered
from gateway.wire.health import DISK_LOW_BYTES, HOT_C, Host
from gateway.wire.messages import Instant, Stamp

LOAD_DOWN_PCT = 1.0
"""A load that is down draws no more: what a unit can't tell from nothing."""

FRAMES, BAD_FRAMES_PCT = 200, 1.0


def hindrances(
    order: FirmwareOrder,
    facts: Facts,
    readings: Readings,
    now: Stamp,
    topology: Topology,
    rules: Rules,
    built_at: Instant = 0,
) -> tuple[Hindrance, ...]:
    """All that speaks against entering at this moment, in the order of A5's table; empty: nothing does."""
    look = Look(order=order, facts=facts, readings=readings, now=now, topology=topology, rules=rules, built_at=built_at)
    return tuple(_all(look))


def _all(look: Look) -> Hindrances:
    track = fresh(look.readings, look.now)
    if track is None:
        yield unread(look)
    else:
        yield from soundness(look, track)
    yield from _identity(look)
    yield from _link(look.readings.link)
    yield from _power(look)
    yield from _output(look, None if track is None else track.snapshot)
    for name, peer in look.readings.peers.items():
        yield from _peer(name, peer, look.now_s)
    yield from _window(look)
    yield from _host(look.readings.host)


def _identity(look: Look) -> Hindrances:
    """Whether it is the unit of the order, and one that the image is for."""
    identity, readings, order = said_now(look.readings, look.now), look.readings, look.order
    if identity is None:
        age_s = None if readings.identity_s is None else look.now_s - readings.identity_s
        yield failing("identity_unknown", "seconds since it said who it is", age_s, IDENTITY_WITHIN_S)
        return
    if identity.serial is None:
        yield failing("serial_unknown", "serial number", None, order.serial)
    elif identity.serial != order.serial:
        yield failing("serial_wrong", "serial number", identity.serial, order.serial)
    for each in objections(look.facts, order.target, identity, readings.counter, readings.floor):
        yield Hindrance(reason=each.reason, detail=each.detail, value=each.value or "unknown", threshold=each.threshold)
    unit = known(identity)
    if unit is not None and ordered(unit.version) == ordered(look.facts.version):
        yield failing("already_installed", "version", unit.version, f"another than {look.facts.version}")


def _link(link: Link | None) -> Hindrances:
    if link is None or link.frames < FRAMES:
        yield failing("link_unproven", "frames seen", None if link is None else link.frames, f"at least {FRAMES}")
    elif not link.bad * 100 < BAD_FRAMES_PCT * link.frames:
        share = link.bad * 100 / link.frames
        yield failing("link_errors", "% of bad frames", share, f"less than {BAD_FRAMES_PCT:g}", overridable=True)


def _power(look: Look) -> Hindrances:
    """With the output off, nothing that hangs on it may be needed to bring it back."""
    if look.order.output is not OutputMode.OFF:
        return
    for name, supply in (("gateway_power", look.topology.gateway), ("uplink_power", look.topology.uplink)):
        if supply not in (Supply.UPSTREAM, Supply.OWN_BATTERY):
            yield failing(name, name, supply.value, "upstream or own_battery")


def _output(look: Look, snapshot: Snapshot | None) -> Hindrances:
    order, mode = look.order, look.order.output
    if mode not in look.facts.output:
        yield failing("output_not_of_model", "output", mode.value, " or ".join(look.facts.output))
    if mode is OutputMode.OFF:
        yield from _consent("output_off_not_allowed", "allow_output_off", look.rules.allow_output_off)
        yield from _consent("load_not_said_down", "load_is_down of the order", order.load_is_down)
        load = None if snapshot is None else snapshot.load_pct
        yield from number("load_down_pct", load, lambda pct: 0 <= pct <= LOAD_DOWN_PCT, f"at most {LOAD_DOWN_PCT:g}")
    if mode is OutputMode.ON_UNPROTECTED:
        yield from _consent("unprotected_not_allowed", "allow_unprotected", look.rules.allow_unprotected)
        yield from _consent("unprotected_not_accepted", "accept_unprotected of the order", order.accept_unprotected)


def _consent(reason: str, what: str, given: bool) -> Hindrances:
    if not given:
        yield failing(reason, what, "false", "true")


def _peer(name: str, peer: Track | None, now_s: float) -> Hindrances:
    found = [each.detail for each in peer_refusals(name, peer, now_s)]
    for detail in found:
        yield failing("peer_not_well", name, detail, "on mains, idle, read lately", overridable=True)
    if not found and peer is not None and (faults := peer.snapshot.flags & (INTERNAL_FAULTS | OVERLOADS)):
        yield failing("peer_not_well", name, ", ".join(sorted(faults)), "no fault", overridable=True)


def _window(look: Look) -> Hindrances:
    now, order = look.now, look.order
    if not clock_is_trusted(now, order, look.facts, look.built_at):
        found = f"{now.clock}, {now.at}"
        yield failing("clock_not_trusted", "clock", found, "synchronised, and not before what was signed or built")
    elif not order.begin_at <= now.at < order.end_at:
        window = f"from {order.begin_at} to before {order.end_at}"
        yield failing("window_closed", "UTC milliseconds", now.at, window, overridable=True)


def _host(host: Host) -> Hindrances:
    """The gateway itself must be able to see it through. A host without a thermometer is not held to be hot."""
    free = host.disk_free_bytes
    if free is None or free < DISK_LOW_BYTES:
        yield failing("disk_low", "bytes free", free, f"at least {DISK_LOW_BYTES}")
    hot = host.cpu_temp_c
    if hot is not None and not hot < HOT_C:
        yield failing("gateway_hot", "°C of the processor", hot, f"below {HOT_C:g}")
