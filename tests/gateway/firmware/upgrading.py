"""Orders, releases and readings of a unit to which nothing can be objected, to be spoilt one thing at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from drivers.ups import Flag, Identity, Snapshot, State
from gateway.firmware.job import Job, Source, new
from gateway.firmware.look import Link, Readings
from gateway.firmware.topology import Rules, Supply, Topology
from gateway.preconditions import Track
from gateway.wire.firmware import After, Facts, FirmwareOrder, Go, Image, OutputMode, Recover, VersionRange
from gateway.wire.health import Host
from gateway.wire.messages import Clock, Stamp
from gateway.wire.orders import By

HOUR_MS = 3_600_000
NOW_MS = 1_795_489_200_000
MONO_MS = 10_000_000
SERIAL, HARDWARE_ID, OLD, NEW = "AS1", "1026", "15.4", "15.5"
TARGET, FALLBACK = "1026/new.bin", "1026/old.bin"
SHA, FALLBACK_SHA = "a" * 64, "b" * 64
ORDER_ID, CHALLENGE = "1" * 32, "c" * 32
REPORTED = frozenset({Flag.OUTPUT_OVERLOAD, Flag.BATTERY_DISCONNECTED, Flag.FAULT_STATE})
ANYTHING = Rules(allow_output_off=True, allow_unprotected=True)
SAFE = Topology(gateway=Supply.UPSTREAM, uplink=Supply.OWN_BATTERY)


def stamp(after_ms: int = 0, *, clock: Clock = Clock.SYNCHRONISED, boot: str = "b1", skew_ms: int = 0) -> Stamp:
    return Stamp(at=NOW_MS + after_ms + skew_ms, boot=boot, mono=MONO_MS + after_ms, clock=clock.value)


def facts(**changes: Any) -> Facts:
    made = Facts(
        hardware_ids=(HARDWARE_ID,),
        version=NEW,
        release_counter=41,
        from_versions=(VersionRange(lowest="15.0", highest="15.4"),),
        image=Image(size=1024, sha256=SHA, chunk=1024, chunks=(SHA,)),
        output=tuple(OutputMode),
        after=After(boot_s=60, settle_s=20),
        issued_at=NOW_MS - 48 * HOUR_MS,
    )
    return msgspec.structs.replace(made, **changes)


def order(**changes: Any) -> FirmwareOrder:
    made = FirmwareOrder(
        id=ORDER_ID,
        gateway="pi",
        unit="rack-1",
        serial=SERIAL,
        target=TARGET,
        sha256=SHA,
        output=OutputMode.ON_UNPROTECTED,
        accept_unprotected=True,
        load_is_down=True,
        by=By(role="owner", name="Ann"),
        issued_at=NOW_MS - 24 * HOUR_MS,
        begin_at=NOW_MS - HOUR_MS,
        end_at=NOW_MS + 48 * HOUR_MS,
    )
    return msgspec.structs.replace(made, **changes)


def fallback(counter: int = 41) -> Source:
    image = Image(size=1024, sha256=FALLBACK_SHA, chunk=1024, chunks=(FALLBACK_SHA,))
    return Source(target=FALLBACK, facts=facts(version="15.3", release_counter=counter, image=image))


def job(*, with_fallback: bool = False, order_changes: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A job as it is made; `changes` are the facts'."""
    if with_fallback:
        changes["recover"] = Recover(same_image=1, fallback=FALLBACK)
    images = (Source(target=TARGET, facts=facts(**changes)), *((fallback(),) if with_fallback else ()))
    return new(order(**(order_changes or {})), images, stamp(), port="/dev/ttyS0", turn="unit rack-1")


def go(**changes: Any) -> Go:
    made = Go(
        id="9" * 32,
        order=ORDER_ID,
        gateway="pi",
        serial=SERIAL,
        target=TARGET,
        sha256=SHA,
        challenge=CHALLENGE,
        issued_at=NOW_MS,
    )
    return msgspec.structs.replace(made, **changes)


def identity(version: str = OLD, **changes: Any) -> Identity:
    made = Identity(serial=SERIAL, firmware=f"UPS {version}", product_id=1026, reported_flags=REPORTED)
    return msgspec.structs.replace(made, **changes)


def snapshot(**changes: Any) -> Snapshot:
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    made = Snapshot(
        at=at, full_at=at, state=State.ONLINE, input_v=230.0, charge_pct=100.0, runtime_s=1800, load_pct=40.0
    )
    return msgspec.structs.replace(made, **changes)


def readings(now: Stamp, version: str = OLD, *, good_for_s: float = 5000.0, **shown: Any) -> Readings:
    """As read at `now`; `shown` is what the snapshot has that is not as it should be."""
    now_s = now.mono / 1000
    bad = shown.get("state", State.ONLINE) is not State.ONLINE
    track = Track(
        snapshot=snapshot(**shown),
        identity=identity(version),
        seen_s=now_s,
        mains_since_s=None if bad else now_s - good_for_s,
    )
    return Readings(
        boot=now.boot,
        track=track,
        identity=identity(version),
        identity_s=now_s,
        link=Link(frames=200, bad=0),
        host=Host(disk_free_bytes=10**9, cpu_temp_c=50.0),
    )
