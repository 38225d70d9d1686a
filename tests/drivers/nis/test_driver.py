"""The driver on an apcupsd in memory: every key, stale data, reconnecting."""

from __future__ import annotations

from datetime import date

import pytest

from drivers.errors import BadAnswer, BadUrl, IdentityChanged, LineDown, NoAnswer, PortLost, Refused, Stale
from drivers.nis.options import read_options
from drivers.ups import (
    Calibration,
    Cause,
    Command,
    Flag,
    GroupDelays,
    Outcome,
    OutletGroup,
    Settings,
    State,
    TestResult,
    TestStatus,
    Verb,
)
from drivers.url import Address, parse
from tests.drivers.memory import silent
from tests.drivers.nis.bench import SERIAL, NisBench


async def test_every_key_is_in_the_snapshot() -> None:
    found = await NisBench().driver.full()
    assert (found.state, found.cause) == (State.ONLINE, Cause.LOW_INPUT_VOLTAGE)
    assert found.full_at == found.at
    assert (found.input_v, found.input_max_v, found.input_min_v, found.input_hz) == (231.8, 233.2, 230.4, 50)
    assert (found.output_v, found.load_pct, found.apparent_load_pct) == (231.8, 23.4, 18.3)
    assert (found.charge_pct, found.runtime_s, found.battery_v, found.battery_temp_c) == (100, 3750, 27.6, 25.3)
    assert (found.ambient_temp_c, found.ambient_humidity_pct) == (21.5, 44)
    assert found.self_test == TestResult(status=TestStatus.PASSED)
    assert found.calibration == Calibration(status=TestStatus.NONE)
    assert found.main_outlet == OutletGroup(index=0, on=True)
    assert (found.output_a, found.energy_wh, found.bypass_v, found.input_2_v) == (None, None, None, None)


async def test_every_key_is_in_the_identity_and_the_settings() -> None:
    bench = NisBench()
    who = await bench.driver.connect()
    assert (who.serial, who.model, who.firmware, who.name) == (SERIAL, "Smart-UPS 1500", "652.13.I", "rack")
    assert (who.manufactured_on, who.battery_installed_on) == (date(2008, 9, 2), date(2021, 4, 15))
    assert (who.nominal_output_v, who.battery_nominal_v, who.real_power_w) == (230, 24, 980)
    assert (who.apparent_power_va, who.battery_packs, who.bad_battery_packs) == (None, 1, 0)
    assert await bench.driver.settings() == Settings(
        transfer_high_v=253,
        transfer_low_v=208,
        sensitivity="reduced",
        battery_test_interval="start_up_14d",
        output_v=230,
        low_battery_runtime_s=120,
        minimum_return_charge_pct=15,
        alarm_delay="30s",
        delays=(GroupDelays(index=0, turn_off_s=20, turn_on_s=0),),
    )


@pytest.mark.parametrize(
    ("status", "statflag", "state", "flags"),
    [
        ("ONLINE", "0x05000008", State.ONLINE, set()),
        ("ONBATT", "0x05000010", State.ON_BATTERY, set()),
        ("ONBATT LOWBATT", "0x05000050", State.ON_BATTERY, {Flag.SHUTDOWN_IMMINENT}),
        ("ONLINE LOWBATT", "0x05000048", State.ONLINE, set()),
        ("TRIM ONLINE", "0x0500000a", State.ONLINE, {Flag.AVR_TRIM}),
        ("BOOST ONLINE", "0x0500000c", State.ONLINE, {Flag.AVR_BOOST}),
        ("ONLINE OVERLOAD", "0x05000028", State.ONLINE, {Flag.OUTPUT_OVERLOAD}),
        ("ONLINE REPLACEBATT", "0x05000088", State.ONLINE, {Flag.REPLACE_BATTERY}),
        ("ONLINE NOBATT", "0x01000008", State.ONLINE, {Flag.BATTERY_DISCONNECTED}),
        ("SHUTTING DOWN", "0x05000210", State.ON_BATTERY, {Flag.PENDING_OUTPUT_OFF}),
        ("", "0x05000000", State.OFF, set()),
        ("ONLINE", "", State.ONLINE, set()),
    ],
)
async def test_each_status_word_and_bit_has_its_meaning(
    status: str, statflag: str, state: State, flags: set[Flag]
) -> None:
    bench = NisBench()
    bench.apcupsd.keys |= {"STATUS": status, "STATFLAG": statflag}
    found = await bench.driver.full()
    assert found.state is state
    assert set(found.flags) == flags


async def test_a_calibration_shows() -> None:
    bench = NisBench()
    bench.apcupsd.keys |= {"STATUS": "CAL ONBATT", "STATFLAG": "0x05000011"}
    assert (await bench.driver.full()).calibration == Calibration(status=TestStatus.IN_PROGRESS)


async def test_s19_an_input_beyond_the_transfer_points_is_a_power_failure_in_a_test_too() -> None:
    bench = NisBench()
    bench.apcupsd.keys |= {"STATUS": "ONBATT", "STATFLAG": "0x05000010", "SELFTEST": "IP", "LINEV": "000.0 Volts"}
    assert Flag.POWER_FAILURE in (await bench.driver.full()).flags


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"STATUS": "COMMLOST "}, "COMMLOST"),
        ({"STATFLAG": "0x05000108"}, "COMMLOST"),
        ({"DATE": "2026-11-24 04:50:00 +0000"}, "294 s ago"),
        ({"DATE": "Tue Nov 24 04:50:00 CET 2026", "END APC": "Tue Nov 24 04:54:54 CET 2026"}, "294 s ago"),
        ({"STATUS": "", "STATFLAG": "0x05000000", "DATE": "2026-11-24 04:54:45 +0000"}, "not read its UPS yet"),
        ({"STATUS": "", "STATFLAG": "0x05000000", "STARTTIME": ""}, "not read its UPS yet"),
    ],
)
async def test_old_data_are_an_error_and_never_a_reading(keys: dict[str, str], why: str) -> None:
    bench = NisBench()
    await bench.driver.full()
    bench.apcupsd.keys |= keys
    for read in (bench.driver.fast, bench.driver.full, bench.driver.identify, bench.driver.settings):
        with pytest.raises(Stale, match=why):
            await read()
    bench.apcupsd.keys = NisBench().apcupsd.keys
    assert (await bench.driver.fast()).state is State.ONLINE
    assert len(bench.port.opened_at) == 1


async def test_to_connect_costs_a_request_only_where_no_unit_was_met_yet() -> None:
    bench = NisBench()
    for work, requests in (
        (bench.driver.connect, 1),
        (bench.driver.connect, 1),
        (bench.driver.full, 2),
        (bench.driver.connect, 2),
        (bench.driver.fast, 3),
        (bench.driver.identify, 4),
        (bench.driver.settings, 5),
    ):
        await work()
        assert len(bench.apcupsd.requests) == requests
    bench.apcupsd.keys["BATTDATE"] = "2026-11-01"
    await bench.driver.full()
    assert (await bench.driver.connect()).battery_installed_on == date(2026, 11, 1), "every reading tells it all"
    assert len(bench.apcupsd.requests) == 6


async def test_a_unit_whose_data_are_stale_when_it_is_met_is_not_known_until_it_is_read() -> None:
    bench = NisBench()
    bench.apcupsd.keys["STATUS"] = "COMMLOST"
    for _ in range(2):
        with pytest.raises(Stale, match="COMMLOST"):
            await bench.driver.connect()
    bench.apcupsd.keys["STATUS"] = "ONLINE"
    assert (await bench.driver.connect()).serial == SERIAL
    bench.port.hang_up()
    with pytest.raises(PortLost):
        await bench.driver.full()
    bench.clock.now += 60
    bench.apcupsd.keys["STATUS"] = "COMMLOST"
    with pytest.raises(Stale, match="COMMLOST"):
        await bench.driver.connect()


async def test_how_old_is_too_old_is_the_owners_choice() -> None:
    bench = NisBench("max_age_s=300")
    bench.apcupsd.keys["DATE"] = "2026-11-24 04:50:00 +0000"
    assert (await bench.driver.full()).state is State.ONLINE


@pytest.mark.parametrize("text", ["Apcupsd not running", "Invalid command"])
async def test_a_daemon_that_tells_no_status_is_no_reading(text: str) -> None:
    bench = NisBench()
    bench.apcupsd.instead = text
    with pytest.raises(Stale, match=text):
        await bench.driver.full()


async def test_silence_costs_the_connection_until_it_is_opened_anew() -> None:
    bench = NisBench()
    await bench.driver.full()
    undamaged, bench.port.damage = bench.port.damage, silent
    with pytest.raises(NoAnswer):
        await bench.driver.full()
    bench.port.damage = undamaged
    with pytest.raises(LineDown):
        await bench.driver.full()
    bench.clock.now += 60
    assert (await bench.driver.full()).state is State.ONLINE
    assert (len(bench.port.opened_at), bench.driver.counters.reopens) == (2, 1)


async def test_something_else_on_that_port_is_told() -> None:
    bench = NisBench()
    bench.port.damage = lambda request, answer: [(0.01, b"HTTP/1.1 400 Bad Request\r\n" + answer[:0] + request[:0])]
    with pytest.raises(BadAnswer, match="frame of"):
        await bench.driver.connect()


async def test_a_refused_connection_says_what_apcupsd_needs() -> None:
    bench = NisBench()
    bench.port.fail_to_open = Refused("memory")
    with pytest.raises(Refused, match="NETSERVER"):
        await bench.driver.connect()


async def test_s3_another_serial_number_is_no_reading_until_it_is_accepted() -> None:
    bench = NisBench(pinned="AS0000000002")
    with pytest.raises(IdentityChanged):
        await bench.driver.connect()
    bench.driver.accept(SERIAL)
    bench.clock.now += 60
    assert (await bench.driver.connect()).serial == SERIAL


async def test_s3_nothing_of_the_old_unit_is_known_under_the_accepted_one() -> None:
    bench = NisBench()
    await bench.driver.connect()
    bench.driver.accept("AS0000000002")
    with pytest.raises(IdentityChanged):
        await bench.driver.connect()


@pytest.mark.parametrize("verb", Verb)
async def test_no_command_goes_this_way(verb: Verb) -> None:
    bench = NisBench()
    report = await bench.driver.execute(Command(verb=verb, serial=SERIAL))
    assert report.outcome is Outcome.UNSUPPORTED
    assert bench.apcupsd.requests == []


def test_a_url_is_a_host_and_perhaps_a_port() -> None:
    options = read_options(parse("nis://nas"))
    assert (options.address, options.pace.fast_s, options.max_age_s) == (Address("nas", 3551), 5, 180)


@pytest.mark.parametrize(
    ("text", "said"),
    [("nis://", "no host"), ("nis://nas/ups", "HOST or HOST:PORT"), ("nis://nas?fast_s=1", "allowed: max_age_s")],
)
def test_what_is_wrong_with_a_url_is_told(text: str, said: str) -> None:
    with pytest.raises(BadUrl, match=said):
        read_options(parse(text))
