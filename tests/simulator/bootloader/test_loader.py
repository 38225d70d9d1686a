"""An upgrade of a unit: when it may begin, what becomes of load and input meanwhile, and what runs afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Flag
from simulator.bootloader.faults import Fault, Kind
from simulator.bootloader.loader import Phase
from simulator.bootloader.reasons import Reason
from simulator.history import Kind as Change
from simulator.orders import Answer, Task
from tests.simulator.bench import BYPASS, OFF, ON_BATTERY, ONLINE, look, mains, tell, wait

from .bench import ACK, CAN, ENTER_OFF, ENTER_ON, EOT, NAK, SMT, Bench, C, block, blocks, image_of

UPSLINK = "SUA1500I"
BOOT, REFUSED = b"BOOT 9600\r\n", b"REFUSED "
BOOT_S = 5.1


def without_power(bench: Bench) -> None:
    mains(bench.unit, 0)
    bench.unit.set_fault(Flag.BATTERY_DISCONNECTED, True)


def with_power(bench: Bench) -> None:
    mains(bench.unit)
    bench.unit.set_fault(Flag.BATTERY_DISCONNECTED, False)


# entering


def test_it_is_refused_on_battery() -> None:
    bench = Bench()
    mains(bench.unit, 0)
    bench.wait(1)
    assert look(bench.unit).state is ON_BATTERY
    assert bench.enter() == b"REFUSED on_battery\r\n"
    assert bench.is_in(Phase.APPLICATION)
    assert bench.loader.state()["refused"] == "on_battery"


def test_it_is_refused_without_mains_though_the_output_is_off() -> None:
    bench = Bench(output=False)
    mains(bench.unit, 0)
    bench.wait(1)
    assert bench.enter(ENTER_OFF) == b"REFUSED on_battery\r\n"


def test_it_is_refused_during_a_self_test() -> None:
    bench = Bench()
    assert tell(bench.unit, Task.SELF_TEST) is Answer.TAKEN
    bench.wait(7)
    assert look(bench.unit).state is ON_BATTERY
    assert bench.enter() == b"REFUSED on_battery\r\n"


@pytest.mark.parametrize(
    ("model", "command", "reason"),
    [
        (SMT, b"!RIDETHROUGH-BOOT 1016 on 04.1", "wrong_model"),
        (SMT, b"!RIDETHROUGH-BOOT 1015 on 04.2", "wrong_version"),
        (SMT, b"!RIDETHROUGH-BOOT 1015 both 04.1", "grammar"),
        (SMT, b"!RIDETHROUGH-BOOT 1015 off 04.1", "output_on"),
        (UPSLINK, b"!RIDETHROUGH-BOOT 653.I on 18", "output_mode"),
        (UPSLINK, b"!RIDETHROUGH-BOOT 653.D off 18", "wrong_model"),
        ("SU600I", b"!RIDETHROUGH-BOOT 6TI off 1", "no_boot_loader"),
    ],
)
def test_a_command_for_another_unit_or_state_is_refused_by_its_reason(model: str, command: bytes, reason: str) -> None:
    bench = Bench(model)
    assert bench.enter(command) == REFUSED + reason.encode() + b"\r\n"
    assert bench.is_in(Phase.APPLICATION)
    assert bench.unit.upgrade is None


def test_it_is_refused_while_an_outlet_group_is_about_to_switch() -> None:
    bench = Bench()
    tell(bench.unit, Task.OUTLET_SHUTDOWN, 0, 1, use_off_delay=True)
    assert bench.enter() == b"REFUSED outlets_pending\r\n"


def test_a_version_is_the_same_however_it_is_written() -> None:
    assert Bench().enter(b"!RIDETHROUGH-BOOT 1015 on 4.1") == BOOT


def test_it_says_c_soon_after_entering_and_every_three_seconds() -> None:
    bench = Bench()
    assert bench.enter() == BOOT
    assert bench.wait(0.25) == b""
    assert bench.wait(9.1) == C * 4
    assert bench.is_in(Phase.WAITING)


def test_without_a_transfer_it_boots_the_application_after_a_minute() -> None:
    bench = Bench()
    bench.enter()
    bench.wait(61)
    assert bench.is_in(Phase.REBOOTING)
    assert bench.wait(BOOT_S) == b""
    assert (bench.phase, bench.firmware, look(bench.unit).state) == (Phase.APPLICATION, "UPS 04.1", ONLINE)


def test_another_line_is_not_heard() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    assert bench.say(rest[0], line="modbus-rtu-2") == b""
    assert bench.say(rest[0]) == ACK


# the image


@pytest.mark.parametrize("size", [128, 1024])
def test_a_good_image_boots_into_the_new_version_with_the_output_as_before(size: int) -> None:
    bench = Bench()
    bench.go_on(bench.start(image_of(), size))
    assert bench.is_in(Phase.REBOOTING)
    assert look(bench.unit).state is BYPASS
    assert bench.wait(BOOT_S) == b""
    state = bench.loader.state()
    assert (state["phase"], state["version"], state["reason"], state["received_bytes"]) == (
        "application",
        "04.2",
        None,
        5000,
    )
    assert bench.firmware == "UPS 04.2"
    assert look(bench.unit).state is ONLINE


def test_an_upslink_unit_shows_the_new_revision() -> None:
    bench = Bench(UPSLINK, output=False)
    assert bench.enter(b"!RIDETHROUGH-BOOT 653.I off 18") == BOOT
    bench.wait(0.4)
    bench.send(image_of("653.I", "19"))
    bench.wait(BOOT_S)
    assert bench.firmware == "653.19.I"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (image_of("1016"), Reason.WRONG_MODEL),
        (image_of(least_version="04.2"), Reason.STEPPING_STONE),
        (b"SMT18UPS_09-4.enc".ljust(2000, b"\xa5"), Reason.NOT_AN_IMAGE),
        (image_of()[:20] + b"9" + image_of()[21:], Reason.HEADER_CHECKSUM),
    ],
)
@pytest.mark.parametrize("size", [128, 1024])
def test_a_header_that_does_not_fit_is_cancelled_before_anything_is_erased(
    content: bytes, reason: Reason, size: int
) -> None:
    bench = Bench()
    bench.enter()
    bench.wait(0.4)
    assert bench.say(blocks(content, size)[0]) == CAN
    state = bench.loader.state()
    assert (state["phase"], state["intact"], state["reason"]) == ("waiting", True, reason)
    bench.wait(70)
    assert (bench.phase, bench.firmware) == (Phase.APPLICATION, "UPS 04.1")
    assert bench.loader.state()["reason"] == reason


def test_a_stepping_stone_that_is_met_is_enough() -> None:
    bench = Bench()
    bench.go_on(bench.start(image_of(least_version="04.1")))


def test_an_image_with_a_revision_that_upslink_cannot_say_is_refused() -> None:
    bench = Bench(UPSLINK, output=False)
    bench.enter(b"!RIDETHROUGH-BOOT 653.I off 18")
    bench.wait(0.4)
    assert bench.say(blocks(image_of("653.I", "19.1"))[0]) == CAN


def test_a_body_that_is_not_the_header_s_is_cancelled_at_its_end_and_leaves_nothing_to_boot() -> None:
    bench = Bench()
    content = bytearray(image_of())
    content[-1] ^= 1
    for each in bench.start(bytes(content)):
        assert bench.say(each) == ACK
    assert (bench.say(EOT), bench.say(EOT)) == (NAK, CAN)
    state = bench.loader.state()
    assert (state["phase"], state["intact"], state["reason"]) == ("waiting", False, Reason.CHECKSUM)


def test_an_image_that_ends_too_soon_is_cancelled() -> None:
    bench = Bench()
    for each in bench.start(image_of())[:-1]:
        assert bench.say(each) == ACK
    assert (bench.say(EOT), bench.say(EOT)) == (NAK, CAN)
    assert bench.loader.state()["reason"] == Reason.INCOMPLETE


def test_a_block_after_the_body_s_end_is_cancelled() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    for each in rest:
        assert bench.say(each) == ACK
    assert bench.say(block(len(rest) + 2, bytes(1024))) == CAN
    assert bench.loader.state()["reason"] == Reason.OVERLONG


def test_the_erasing_is_a_pause_before_the_first_ack() -> None:
    bench = Bench()
    bench.loader.settings.change("erase-ms", "30000")
    bench.enter()
    bench.wait(0.4)
    assert bench.say(blocks(image_of())[0]) == b""
    assert bench.is_in(Phase.ERASING)
    assert bench.wait(29.9) == b""
    assert bench.wait(0.2) == ACK


# what breaks off


def test_an_application_half_written_waits_for_ever_and_takes_the_image_from_block_1() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    assert bench.say(rest[0]) == ACK
    assert bench.say(CAN) == b""
    assert bench.loader.state()["reason"] == Reason.CANCELLED
    assert bench.wait(600, step_s=0.5).count(C) > 190
    assert bench.say(rest[1]) == CAN
    bench.wait(3.1)
    bench.send(image_of())
    bench.wait(BOOT_S)
    assert bench.firmware == "UPS 04.2"


def test_why_the_unit_cancelled_outlasts_the_sender_s_own_cancel() -> None:
    bench = Bench()
    bench.loader.faults.order(Kind.CANCEL, Fault(at=3))
    rest = bench.start(image_of())
    assert [bench.say(rest[0]), bench.say(rest[1])] == [ACK, CAN]
    bench.say(CAN * 5)
    assert bench.loader.state()["reason"] == Reason.GAVE_UP


def test_a_sender_that_falls_silent_is_given_up_and_waited_for() -> None:
    bench = Bench()
    bench.start(image_of())
    assert bench.wait(115).startswith(NAK * 10 + CAN + C)
    assert bench.loader.state()["reason"] == Reason.TIMED_OUT


def test_an_ordered_fault_boots_the_old_version_once() -> None:
    bench = Bench()
    bench.loader.faults.order(Kind.BOOTS_OLD, Fault())
    bench.go_on(bench.start(image_of()))
    bench.wait(BOOT_S)
    assert (bench.phase, bench.firmware) == (Phase.APPLICATION, "UPS 04.1")
    bench.go_on(bench.start(image_of()))
    bench.wait(BOOT_S)
    assert bench.firmware == "UPS 04.2"


def test_an_ordered_fault_keeps_it_in_the_boot_loader() -> None:
    bench = Bench()
    bench.loader.faults.order(Kind.STAYS, Fault())
    bench.go_on(bench.start(image_of()))
    assert bench.wait(120).startswith(C)
    state = bench.loader.state()
    assert (state["phase"], state["intact"], state["reason"]) == ("waiting", False, Reason.STAYED)


# the output and the input


def test_with_the_output_off_it_completes_though_the_input_fails() -> None:
    bench = Bench(output=False)
    assert bench.enter(ENTER_OFF) == BOOT
    bench.wait(0.4)
    mains(bench.unit, 0)
    bench.wait(3)
    bench.send(image_of())
    bench.wait(BOOT_S)
    assert bench.firmware == "UPS 04.2"
    mains(bench.unit)
    bench.wait(60)
    assert look(bench.unit).state is OFF


def test_with_the_output_on_the_load_is_fed_straight_through() -> None:
    bench = Bench()
    bench.enter()
    mains(bench.unit, 95)
    bench.wait(2)
    snapshot = look(bench.unit)
    assert (snapshot.state, snapshot.output_v, snapshot.input_v) == (BYPASS, 95, 95)
    assert not snapshot.flags & {Flag.AVR_BOOST, Flag.AVR_TRIM} or snapshot.output_v == snapshot.input_v
    assert bench.unit.draw_w == 0


def test_with_the_output_on_the_load_drops_when_the_input_fails_and_the_upgrade_completes() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    mains(bench.unit, 0)
    assert look(bench.unit).state is OFF
    bench.go_on(rest)
    mains(bench.unit)
    bench.wait(4)
    assert look(bench.unit).state is OFF
    bench.wait(20)
    assert bench.firmware == "UPS 04.2"
    assert look(bench.unit).state is ONLINE


def test_a_load_that_dropped_stays_off_until_the_mains_are_back() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    mains(bench.unit, 0)
    bench.go_on(rest)
    bench.wait(60)
    assert (bench.phase, bench.firmware, look(bench.unit).state) == (Phase.APPLICATION, "UPS 04.2", OFF)
    mains(bench.unit)
    bench.wait(20)
    assert look(bench.unit).state is ONLINE


def test_bad_mains_at_the_boot_send_it_to_battery() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    mains(bench.unit, 40)
    bench.go_on(rest)
    bench.wait(BOOT_S - 0.4)
    assert look(bench.unit).state is BYPASS
    bench.wait(1)
    assert look(bench.unit).state is ON_BATTERY


def test_nothing_tests_or_switches_while_it_upgrades() -> None:
    bench = Bench()
    bench.enter()
    bench.unit.press_test()
    bench.wait(30)
    assert look(bench.unit).state is BYPASS
    assert not bench.unit.self_test.running


# power cuts


def test_a_power_cut_while_it_receives_leaves_it_waiting_in_the_boot_loader() -> None:
    bench = Bench()
    rest = bench.start(image_of())
    assert bench.say(rest[0]) == ACK
    without_power(bench)
    assert bench.say(rest[1]) == b""
    assert bench.wait(30) == b""
    assert bench.is_in(Phase.UNPOWERED)
    with_power(bench)
    assert bench.wait(0.5) == C
    state = bench.loader.state()
    assert (state["phase"], state["intact"], state["reason"], state["version"]) == (
        "waiting",
        False,
        Reason.POWER_LOST,
        "04.1",
    )
    assert C in bench.wait(300)
    assert bench.is_in(Phase.WAITING)
    bench.send(image_of())
    bench.wait(20)
    assert (bench.firmware, look(bench.unit).state) == ("UPS 04.2", ONLINE)


def test_a_power_cut_before_the_first_block_boots_the_old_version() -> None:
    bench = Bench()
    bench.enter()
    bench.wait(1)
    without_power(bench)
    bench.wait(1)
    with_power(bench)
    bench.wait(BOOT_S + 0.1)
    assert (bench.phase, bench.firmware) == (Phase.APPLICATION, "UPS 04.1")


def test_a_power_cut_while_it_boots_boots_the_new_version_later() -> None:
    bench = Bench()
    bench.go_on(bench.start(image_of()))
    without_power(bench)
    bench.wait(30)
    assert bench.is_in(Phase.UNPOWERED)
    with_power(bench)
    bench.wait(BOOT_S + 0.1)
    assert (bench.phase, bench.firmware, bench.loader.state()["reason"]) == (Phase.APPLICATION, "UPS 04.2", None)


def test_the_battery_keeps_a_boot_loader_alive_until_it_is_empty() -> None:
    bench = Bench(output=False)
    bench.unit.set_charge(1)
    bench.enter(ENTER_OFF)
    mains(bench.unit, 0)
    bench.wait(10)
    assert bench.is_in(Phase.WAITING)
    bench.unit.set_charge(0)
    bench.wait(0.1)
    assert bench.is_in(Phase.UNPOWERED)


def test_the_history_tells_every_phase() -> None:
    bench = Bench()
    bench.go_on(bench.start(image_of()))
    bench.wait(BOOT_S)
    told = [(each.old, each.new) for each in bench.unit.history.since() if each.kind is Change.FIRMWARE]
    assert told == [
        ("application", "waiting"),
        ("waiting", "erasing"),
        ("erasing", "receiving"),
        ("receiving", "rebooting"),
        ("rebooting", "application"),
    ]


# whatever comes

EVENT = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([*blocks(image_of(length=2000)), EOT, CAN, ENTER_ON + b"\r"]),
    st.sampled_from(["cut", "power", "mains off", "mains on"]),
)


@given(st.lists(st.tuples(EVENT, st.sampled_from([0.0, 0.1, 1.2, 4.0])), max_size=25))
def test_whatever_comes_the_boot_loader_ends_in_a_version_or_waits(events: list[tuple[bytes | str, float]]) -> None:
    bench = Bench()
    bench.enter()
    for event, pause_s in events:
        match event:
            case bytes():
                bench.say(event)
            case "cut":
                without_power(bench)
            case "power":
                with_power(bench)
            case _:
                mains(bench.unit, 0 if event == "mains off" else None)
        bench.wait(pause_s)
    assert bench.firmware in ("UPS 04.1", "UPS 04.2")
    assert bench.loader.state()["received_bytes"] <= 2000
    with_power(bench)
    bench.wait(1)
    bench.say(CAN)
    bench.wait(70, step_s=0.5)
    waits = bench.is_in(Phase.WAITING, Phase.RECEIVING, Phase.ERASING)
    assert waits is not bench.loader.intact
    if bench.loader.intact:
        assert bench.is_in(Phase.APPLICATION)


@given(st.lists(st.tuples(st.binary(max_size=100), st.floats(0, 2)), max_size=20))
def test_a_unit_in_normal_operation_answers_no_bytes_as_its_boot_loader(pieces: list[tuple[bytes, float]]) -> None:
    bench = Bench()
    for data, pause_s in pieces:
        assert bench.say(data) == b""
        assert bench.enter(data).startswith(REFUSED)
        assert bench.wait(pause_s) == b""
    assert (bench.phase, bench.unit.upgrade) == (Phase.APPLICATION, None)
    assert wait(bench.unit, 1).state is ONLINE
