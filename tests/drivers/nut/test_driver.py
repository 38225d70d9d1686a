"""The driver on an upsd in memory: reading, reconnecting, and data that are old."""

from __future__ import annotations

import pytest

from drivers.errors import (
    BadAnswer,
    IdentityChanged,
    LineDown,
    LineError,
    NoAnswer,
    PeerError,
    PortLost,
    Refused,
    Stale,
)
from drivers.ups import Flag, State
from tests.drivers.memory import Arrivals, Damage, silent
from tests.drivers.nut.bench import PASSWORD, SERIAL, USER, NutBench


def answering_after(delay_s: float) -> Damage:
    def damage(request: bytes, answer: bytes) -> Arrivals:
        return [(delay_s, answer)]

    return damage


async def test_connecting_tells_who_answers_and_writes_nothing() -> None:
    bench = NutBench()
    identity = await bench.driver.connect()
    assert (identity.serial, identity.model, identity.firmware) == (SERIAL, "Smart-UPS 1500", "652.13.I")
    assert identity.name == 'RACK "A" \\ #1'
    assert bench.driver.pinned == SERIAL
    assert bench.upsd.requests == ["LIST VAR rack"]


async def test_a_full_reading_is_one_list_and_a_fast_one_is_the_status() -> None:
    bench = NutBench()
    await bench.driver.connect()
    full = await bench.driver.full()
    assert full.full_at == full.at
    bench.upsd.variables |= {"ups.status": "OB DISCHRG", "battery.charge": "12.0"}
    bench.clock.now += 2
    fast = await bench.driver.fast()
    assert bench.upsd.requests[1:] == ["LIST VAR rack", "GET VAR rack ups.status"]
    assert (full.state, fast.state) == (State.ONLINE, State.ON_BATTERY)
    assert (fast.charge_pct, fast.full_at) == (100.0, full.at)
    assert fast.at > full.at


async def test_the_first_fast_reading_is_a_full_one() -> None:
    bench = NutBench()
    fast = await bench.driver.fast()
    assert fast.full_at == fast.at


@pytest.mark.parametrize("token", ["DATA-STALE", "DRIVER-NOT-CONNECTED"])
@pytest.mark.parametrize("kind", ["fast", "full", "identify", "settings", "connect"])
async def test_old_data_are_an_error_and_never_a_reading(kind: str, token: str) -> None:
    bench = NutBench()
    await bench.driver.full()
    bench.upsd.unavailable = token
    with pytest.raises(Stale, match=token):
        await getattr(bench.driver, "full" if kind == "connect" else kind)()
    with pytest.raises(Stale, match=token):
        await getattr(bench.driver, kind)()


async def test_a_reading_after_old_data_is_a_full_one_on_the_same_connection() -> None:
    bench = NutBench()
    await bench.driver.full()
    bench.upsd.unavailable = "DATA-STALE"
    with pytest.raises(Stale):
        await bench.driver.fast()
    bench.upsd.unavailable = ""
    bench.upsd.variables["battery.charge"] = "50"
    reading = await bench.driver.fast()
    assert (reading.charge_pct, reading.full_at) == (50, reading.at)
    assert len(bench.port.opened_at) == 1


async def test_a_unit_that_is_stale_at_first_contact_is_met_as_soon_as_it_answers() -> None:
    bench = NutBench()
    bench.upsd.unavailable = "DATA-STALE"
    with pytest.raises(Stale):
        await bench.driver.connect()
    bench.upsd.unavailable = ""
    assert (await bench.driver.connect()).serial == SERIAL
    assert len(bench.port.opened_at) == 1


async def test_a_driver_that_has_read_nothing_yet_is_no_outage() -> None:
    bench = NutBench()
    await bench.driver.full()
    bench.upsd.variables["ups.status"] = "WAIT"
    for read in (bench.driver.fast, bench.driver.full):
        with pytest.raises(Stale, match="WAIT"):
            await read()


async def test_an_unknown_unit_is_told_with_where_to_look() -> None:
    bench = NutBench()
    bench.upsd.name = "other"
    with pytest.raises(PeerError, match=r"UNKNOWN-UPS to LIST VAR rack: .*upsc -l") as caught:
        await bench.driver.connect()
    assert caught.value.token == "UNKNOWN-UPS"
    with pytest.raises(LineDown, match="UNKNOWN-UPS"):
        await bench.driver.connect()


async def test_a_refused_connection_says_what_upsd_needs() -> None:
    bench = NutBench()
    bench.port.fail_to_open = Refused("memory")
    with pytest.raises(Refused, match=r"LISTEN lines \(upsd.conf\)"):
        await bench.driver.connect()


async def test_silence_costs_the_connection_and_a_late_answer_is_never_taken_for_the_next() -> None:
    bench = NutBench("reconnect_s=5")
    await bench.driver.full()
    bench.port.damage = answering_after(4.0)
    bench.upsd.variables["ups.status"] = "OB"
    with pytest.raises(NoAnswer):
        await bench.driver.fast()
    bench.port.damage = answering_after(0.01)
    bench.upsd.variables["ups.status"] = "OL"
    with pytest.raises(LineDown):
        await bench.driver.fast()
    bench.clock.now += 7.5
    assert (await bench.driver.fast()).state is State.ONLINE
    assert len(bench.port.opened_at) == 2
    assert bench.driver.counters.reopens == 1


async def test_bytes_that_nobody_asked_for_cost_the_connection() -> None:
    bench = NutBench()
    await bench.driver.full()
    bench.port.arrive([(0.0, b'VAR rack ups.status "OB"\n')])
    with pytest.raises(BadAnswer, match="nobody asked"):
        await bench.driver.fast()
    assert not bench.port.is_open


async def test_a_closed_connection_is_opened_anew() -> None:
    bench = NutBench()
    await bench.driver.full()
    bench.port.hang_up()
    with pytest.raises(PortLost):
        await bench.driver.full()
    bench.clock.now += 60
    assert (await bench.driver.full()).state is State.ONLINE


async def test_an_answer_split_at_every_byte_is_the_same_reading() -> None:
    def bytewise(request: bytes, answer: bytes) -> Arrivals:
        return [(0.0001 * place, bytes([octet])) for place, octet in enumerate(answer)]

    bench = NutBench()
    whole = await bench.driver.full()
    bench.port.damage = bytewise
    assert (await bench.driver.full()).flags == whole.flags
    assert (await bench.driver.full()).charge_pct == whole.charge_pct


async def test_s3_another_serial_number_is_no_reading_until_it_is_accepted() -> None:
    bench = NutBench(pinned=SERIAL)
    await bench.driver.full()
    bench.upsd.variables |= {"ups.serial": "AS0000000002", "device.serial": "AS0000000002"}
    with pytest.raises(IdentityChanged):
        await bench.driver.full()
    with pytest.raises(IdentityChanged):
        await bench.driver.fast()
    bench.driver.accept("AS0000000002")
    bench.clock.now += 60
    assert (await bench.driver.connect()).serial == "AS0000000002"


async def test_s3_a_pinned_unit_must_not_lose_its_serial_number() -> None:
    bench = NutBench(pinned=SERIAL)
    del bench.upsd.variables["ups.serial"], bench.upsd.variables["device.serial"]
    with pytest.raises(IdentityChanged):
        await bench.driver.connect()


async def test_a_unit_without_serial_number_is_read_and_pinned_once_it_has_one() -> None:
    bench = NutBench()
    bench.upsd.variables |= {"ups.serial": "", "device.serial": "********"}
    assert (await bench.driver.connect()).serial is None
    assert (await bench.driver.full()).state is State.ONLINE
    bench.upsd.variables["ups.serial"] = SERIAL
    await bench.driver.full()
    assert bench.driver.pinned == SERIAL


async def test_the_user_is_named_at_each_connection_and_the_password_never_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    bench = NutBench(user=True)
    await bench.driver.connect()
    assert bench.upsd.requests[0] == f"USERNAME {USER}"
    assert bench.upsd.requests[1].startswith("PASSWORD ")
    assert bench.upsd.requests[2:] == ["SET TRACKING ON", "LIST VAR rack"]
    bench.port.damage = silent
    with pytest.raises(LineError):
        await bench.driver.full()
    assert PASSWORD not in caplog.text
    assert "goes out unencrypted" in caplog.text


async def test_tls_is_asked_for_before_anything_else_is_said() -> None:
    bench = NutBench("tls=require", user=True, tls=True)
    await bench.driver.connect()
    assert bench.upsd.requests[0] == "STARTTLS"
    assert bench.port.is_secure


async def test_without_tls_in_upsd_require_fails_and_try_goes_on() -> None:
    strict, easy = NutBench("tls=require", user=True, tls=True), NutBench("tls=try", tls=True)
    strict.upsd.tls = easy.upsd.tls = "FEATURE-NOT-CONFIGURED"
    with pytest.raises(PeerError, match="upsd has no certificate"):
        await strict.driver.connect()
    assert strict.upsd.requests == ["STARTTLS"]
    assert (await easy.driver.connect()).serial == SERIAL
    assert not easy.port.is_secure


async def test_a_failed_handshake_is_never_followed_by_plain_text() -> None:
    bench = NutBench("tls=try", user=True, tls=True)
    bench.port.fail_tls = PortLost("memory", "TLS: certificate verify failed")
    with pytest.raises(PortLost):
        await bench.driver.connect()
    assert bench.upsd.requests == ["STARTTLS"]


async def test_a_self_test_of_before_does_not_hide_an_outage() -> None:
    """S19: a driver that reads the reason seldom still tells that of the transfer before."""
    bench = NutBench()
    bench.upsd.variables |= {
        "driver.name": "usbhid-ups",
        "input.transfer.reason": "selfTest",
        "ups.status": "OB",
        "input.voltage": "0.0",
    }
    reading = await bench.driver.full()
    assert reading.cause is None
    assert Flag.POWER_FAILURE in reading.flags
