"""Commands through upsd: once (S1), from the list (S2), to the unit that is meant (S3), judged by what is seen."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import IdentityChanged, LineError, NotAllowed, Stale
from drivers.nut import allowed, commands
from drivers.nut.allowed import command_request, setting_request
from drivers.ups import Command, Outcome, Verb
from tests.drivers.memory import Arrivals, undamaged
from tests.drivers.nut.bench import SERIAL, NutBench


def swallow_told(request: bytes, answer: bytes) -> Arrivals:
    return [] if request.startswith((b"INSTCMD", b"SET VAR")) else undamaged(request, answer)


async def test_a_self_test_that_shows_is_done() -> None:
    bench = NutBench(user=True)
    bench.upsd.effects["test.battery.start"] = {"ups.status": "OB DISCHRG"}
    report = await bench.execute(Verb.SELF_TEST)
    assert report.outcome is Outcome.DONE
    assert bench.upsd.told == ["INSTCMD rack test.battery.start"]


async def test_a_self_test_that_does_not_show_is_not_taken() -> None:
    report = await NutBench(user=True).execute(Verb.SELF_TEST)
    assert report.outcome is Outcome.NOT_TAKEN
    assert "its driver reports success" in report.detail


async def test_the_first_name_that_upsd_lists_is_meant() -> None:
    bench = NutBench(user=True)
    bench.upsd.commands = ["test.battery.start.quick"]
    await bench.execute(Verb.SELF_TEST)
    assert bench.upsd.told == ["INSTCMD rack test.battery.start.quick"]


@pytest.mark.parametrize("verb", [Verb.CALIBRATION, Verb.BEEP, Verb.UNMUTE, Verb.CLEAR_FAULTS])
async def test_what_upsd_does_not_list_is_unsupported_and_not_sent(verb: Verb) -> None:
    bench = NutBench(user=True, also_allowed=frozenset({Verb.CLEAR_FAULTS}))
    assert (await bench.execute(verb)).outcome is Outcome.UNSUPPORTED
    assert bench.upsd.told == []


async def test_s1_a_command_without_an_answer_leaves_once_and_is_unknown() -> None:
    bench = NutBench(user=True)
    bench.port.damage = swallow_told
    report = await bench.execute(Verb.SELF_TEST)
    assert report.outcome is Outcome.UNKNOWN
    assert bench.upsd.told == ["INSTCMD rack test.battery.start"]


async def test_s1_a_setting_without_an_answer_leaves_once_and_is_read_back() -> None:
    bench = NutBench(user=True)
    bench.port.damage = swallow_told
    report = await bench.execute(Verb.SET_NAME, value="shed")
    assert report.outcome is Outcome.DONE
    assert bench.upsd.told == ['SET VAR rack ups.id "shed"']


async def test_s1_two_writes_are_half_a_second_apart() -> None:
    bench = NutBench(user=True)
    at: list[float] = []

    def note(request: bytes, answer: bytes) -> Arrivals:
        at.extend([bench.clock.now] if request.startswith(b"INSTCMD") else [])
        return undamaged(request, answer)

    bench.port.damage = note
    bench.upsd.refuse["beeper.mute"] = "INSTCMD-FAILED"
    await bench.execute(Verb.MUTE)
    await bench.execute(Verb.MUTE)
    assert at[1] - at[0] >= 0.5


async def test_s2_a_refused_command_is_remembered_and_not_tried_again() -> None:
    bench = NutBench(user=True)
    bench.upsd.refuse["test.battery.start"] = "CMD-NOT-SUPPORTED"
    assert (await bench.execute(Verb.SELF_TEST)).outcome is Outcome.UNSUPPORTED
    assert (await bench.execute(Verb.SELF_TEST)).outcome is Outcome.UNSUPPORTED
    assert bench.upsd.told == ["INSTCMD rack test.battery.start"]


async def test_s2_a_command_that_the_driver_does_not_know_is_unsupported() -> None:
    bench = NutBench(user=True)
    bench.upsd.tracking = ["PENDING", "ERR UNKNOWN"]
    assert (await bench.execute(Verb.SELF_TEST)).outcome is Outcome.UNSUPPORTED


async def test_a_failure_that_the_driver_reports_is_unknown_unless_the_status_decides() -> None:
    bench = NutBench(user=True)
    bench.upsd.tracking = ["ERR FAILED"]
    assert (await bench.execute(Verb.SELF_TEST)).outcome is Outcome.UNKNOWN
    bench.upsd.effects["test.battery.start"] = {"ups.status": "OB"}
    assert (await bench.execute(Verb.SELF_TEST)).outcome is Outcome.DONE


async def test_an_upsd_without_tracking_says_only_that_the_driver_was_told() -> None:
    bench = NutBench(user=True)
    bench.upsd.tracking = []
    report = await bench.execute(Verb.SHUTDOWN)
    assert "its driver was told" in report.detail


@pytest.mark.parametrize("name", ["load.off", "outlet.1.load.off"])
async def test_an_outlet_group_is_named_in_the_command(name: str) -> None:
    bench = NutBench(user=True)
    group = 1 if "outlet" in name else 0
    bench.upsd.variables |= {"outlet.1.status": "on"}
    bench.upsd.effects[name] = {"outlet.1.status": "off", "ups.status": "OFF"}
    assert (await bench.execute(Verb.OUTLET_OFF, groups=(group,))).outcome is Outcome.DONE
    assert bench.upsd.told == [f"INSTCMD rack {name}"]


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        (Verb.OUTLET_OFF, {}),
        (Verb.OUTLET_OFF, {"groups": (0, 1)}),
        (Verb.OUTLET_OFF, {"groups": (3,)}),
        (Verb.OUTLET_OFF, {"groups": (0,), "use_on_delay": True}),
        (Verb.OUTLET_ON, {"groups": (0,), "cold_boot": True}),
        (Verb.SELF_TEST, {"groups": (0,)}),
        (Verb.SELF_TEST, {"value": 1}),
        (Verb.BYPASS_ON, {}),
        (Verb.SET_NAME, {"value": "x" * 33}),
        (Verb.SET_NAME, {"value": "a\nFSD rack"}),
        (Verb.SET_NAME, {"value": 'a "rack"'}),
        (Verb.SET_NAME, {"value": "#1"}),
        (Verb.SET_NAME, {"value": "a\\"}),
        (Verb.SET_NAME, {"value": ""}),
        (Verb.SET_TRANSFER_HIGH, {"value": 254}),
        (Verb.SET_TRANSFER_HIGH, {"value": True}),
        (Verb.SET_SENSITIVITY, {"value": "none"}),
        (Verb.SET_BATTERY_DATE, {"value": "today"}),
    ],
)
async def test_what_makes_no_sense_is_refused_and_not_sent(verb: Verb, more: dict[str, object]) -> None:
    bench = NutBench(user=True)
    assert (await bench.execute(verb, **more)).outcome is Outcome.REFUSED
    assert bench.upsd.told == []


async def test_s3_a_command_for_another_unit_is_not_sent() -> None:
    bench = NutBench(user=True)
    report = await bench.execute(Verb.SELF_TEST, serial="AS0000000002")
    assert report.outcome is Outcome.REFUSED
    assert bench.upsd.told == []


async def test_s3_a_unit_that_was_exchanged_since_is_not_told() -> None:
    bench = NutBench(user=True)
    await bench.driver.connect()
    bench.upsd.variables["ups.serial"] = "AS0000000002"
    with pytest.raises(IdentityChanged):
        await bench.driver.execute(Command(verb=Verb.SELF_TEST, serial=SERIAL))
    assert bench.upsd.told == []


async def test_s3_a_unit_without_serial_number_is_told_nothing() -> None:
    bench = NutBench(user=True)
    bench.upsd.variables |= {"ups.serial": "", "device.serial": ""}
    report = await bench.execute(Verb.SELF_TEST, serial="")
    assert (report.outcome, bench.upsd.told) == (Outcome.REFUSED, [])
    assert "without a serial number" in report.detail


async def test_s3_the_proof_of_the_serial_number_is_right_before_the_command() -> None:
    bench = NutBench(user=True)
    await bench.execute(Verb.SELF_TEST)
    place = bench.upsd.requests.index("INSTCMD rack test.battery.start")
    assert bench.upsd.requests[place - 1] == "LIST VAR rack"


async def test_s3_a_proof_older_than_two_seconds_is_none() -> None:
    bench = NutBench(user=True)
    bench.port.damage = lambda request, answer: [(2.5 if b"LIST VAR" in request else 0.01, answer)]
    report = await bench.execute(Verb.SELF_TEST)
    assert (report.outcome, bench.upsd.told) == (Outcome.REFUSED, [])


async def test_without_a_user_nothing_is_sent_and_the_reason_told() -> None:
    bench = NutBench()
    report = await bench.execute(Verb.SELF_TEST)
    assert (report.outcome, bench.upsd.told) == (Outcome.REFUSED, [])
    assert "user= and password_file=" in report.detail


async def test_a_user_that_may_not_is_told_where_to_look() -> None:
    bench = NutBench(user=True)
    bench.upsd.users.clear()
    report = await bench.execute(Verb.SELF_TEST)
    assert report.outcome is Outcome.REFUSED
    assert "upsd.users" in report.detail


async def test_a_command_to_a_unit_that_went_stale_was_not_sent() -> None:
    bench = NutBench(user=True)
    await bench.driver.connect()
    bench.upsd.unavailable = "DATA-STALE"
    with pytest.raises(Stale):
        await bench.driver.execute(Command(verb=Verb.SELF_TEST, serial=SERIAL))
    assert bench.upsd.told == []


async def test_a_lost_connection_before_the_command_is_an_error() -> None:
    bench = NutBench(user=True)
    await bench.driver.connect()
    bench.port.hang_up()
    with pytest.raises(LineError):
        await bench.driver.execute(Command(verb=Verb.SELF_TEST, serial=SERIAL))


@pytest.mark.parametrize(
    ("verb", "more", "line"),
    [
        (Verb.SET_TRANSFER_HIGH, {"value": 264}, 'input.transfer.high "264"'),
        (Verb.SET_TURN_OFF_DELAY, {"value": 20, "groups": (0,)}, 'ups.delay.shutdown "020"'),
        (Verb.SET_SENSITIVITY, {"value": "low"}, 'input.sensitivity "L"'),
        (Verb.SET_BATTERY_DATE, {"value": date(2026, 3, 9)}, 'battery.date "03/09/26"'),
    ],
)
async def test_a_setting_is_written_as_the_unit_writes_it(verb: Verb, more: dict[str, object], line: str) -> None:
    bench = NutBench(user=True)
    assert (await bench.execute(verb, **more)).outcome is Outcome.DONE
    assert bench.upsd.told == [f"SET VAR rack {line}"]


async def test_a_setting_that_reads_as_before_was_not_taken() -> None:
    bench = NutBench(user=True)
    bench.upsd.effects["ups.id"] = {}
    report = await bench.execute(Verb.SET_NAME, value="shed")
    assert report.outcome is Outcome.NOT_TAKEN


async def test_a_setting_that_upsd_does_not_list_is_unsupported() -> None:
    report = await NutBench(user=True).execute(Verb.SET_TRANSFER_LOW, value=200)
    assert report.outcome is Outcome.UNSUPPORTED


@pytest.mark.parametrize(
    ("now", "written"),
    [("2021-04-15", "2026-03-09"), ("2021/04/15", "2026/03/09"), ("04/15/2021", "03/09/2026"), ("4/15/21", "03/09/26")],
)
def test_a_date_keeps_the_form_that_the_unit_has(now: str, written: str) -> None:
    command = Command(verb=Verb.SET_BATTERY_DATE, serial=SERIAL, value=date(2026, 3, 9))
    assert commands.value(command, now, ()) == written


def test_a_date_without_a_form_to_keep_is_refused() -> None:
    command = Command(verb=Verb.SET_BATTERY_DATE, serial=SERIAL, value=date(2026, 3, 9))
    with pytest.raises(NotAllowed, match="way of writing"):
        commands.value(command, "unknown", ())


@pytest.mark.parametrize(
    "name", ["shutdown.stayoff", "load.off ", "FSD", "driver.killpower", "outlet.5.load.off", "test.battery.start.deep"]
)
def test_s2_a_command_that_is_not_listed_can_not_leave(name: str) -> None:
    with pytest.raises(NotAllowed):
        command_request("rack", name, frozenset(Verb))


def test_s2_bypass_needs_the_local_policy() -> None:
    with pytest.raises(NotAllowed):
        command_request("rack", "bypass.start")
    command_request("rack", "bypass.start", frozenset({Verb.BYPASS_ON}))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ups.delay.start", "a\nFSD u"),
        ("driver.flag.allow_killpower", "1"),
        ("ups.id", ""),
        ("ups.id", "x" * 33),
        ("ups.id", 'a"'),
    ],
)
def test_s2_a_setting_that_is_not_listed_can_not_leave(variable: str, value: str) -> None:
    with pytest.raises(NotAllowed):
        setting_request("rack", variable, value)


@given(st.sampled_from(Verb), st.lists(st.integers(0, 4), max_size=2), st.booleans(), st.booleans())
def test_s2_whatever_is_planned_is_on_the_list(verb: Verb, groups: list[int], off: bool, on: bool) -> None:
    command = Command(verb=verb, serial=SERIAL, groups=tuple(groups), use_off_delay=off, use_on_delay=on)
    try:
        plan = commands.plan(command, range(5), frozenset(Verb))
    except NotAllowed:
        return
    for name in plan.names if plan else ():
        if plan is not None and plan.is_setting:
            allowed.setting_request("rack", name, "1")
        else:
            allowed.command_request("rack", name, frozenset(Verb))
