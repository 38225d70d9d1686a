"""Faults of a wire as pure rules: what becomes of a reply's bytes and of what is shown, by order and seed."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import OutletGroup, Snapshot, State
from simulator.control import perform
from simulator.errors import ControlError
from simulator.show import show
from simulator.wire_faults import RTU_FAULTS, TCP_FAULTS, UPSLINK_FAULTS, Piece, WireFaults
from simulator.wire_orders import MEANINGS, Kind
from tests.simulator.test_control import Bench

REPLY = bytes.fromhex("01 03 04 00 00 20 02 62 F2")
REFUSAL = bytes.fromhex("01 83 02 C0 F1")
SHOWN = Snapshot(at=datetime(2026, 11, 24, tzinfo=UTC), state=State.ONLINE, charge_pct=100.0, energy_wh=5000)


def ordered(*orders: str, now: float = 0.0) -> WireFaults:
    faults = WireFaults()
    for order in orders:
        faults.obey(order.split(), now)
    return faults


def sent(faults: WireFaults, reply: bytes = REPLY, now: float = 0.0) -> bytes:
    return b"".join(piece.data for piece in faults.pieces(reply, now, refusal=REFUSAL))


def test_without_a_fault_the_reply_goes_out_as_it_is() -> None:
    assert WireFaults().pieces(REPLY, 0.0) == (Piece(data=REPLY),)


def test_silence_sends_nothing_and_a_delay_sends_it_later() -> None:
    assert ordered("silence").pieces(REPLY, 0.0) == ()
    assert ordered("delay by=0.7").pieces(REPLY, 0.0) == (Piece(0.7, REPLY),)


def test_a_wrong_check_sum_leaves_all_else_as_it_is() -> None:
    data = sent(ordered("wrong-crc"))
    assert data[:-2] == REPLY[:-2]
    assert data[-2:] == bytes.fromhex("9D 0D")


def test_a_split_reply_comes_byte_by_byte_and_a_repeated_one_twice() -> None:
    assert ordered("split by=0.01").pieces(REPLY[:2], 0.0) == (Piece(0.0, b"\x01"), Piece(0.01, b"\x03"))
    assert ordered("repeat by=0.5").pieces(REPLY, 0.0) == (Piece(0.0, REPLY), Piece(0.5, REPLY))


def test_a_shifted_reply_is_the_one_before_and_the_first_is_none() -> None:
    faults = ordered("shift")
    assert [sent(faults, reply) for reply in (b"one", b"two", b"three")] == [b"", b"one", b"two"]


def test_a_shift_that_begins_late_gives_again_what_was_said_last() -> None:
    faults = WireFaults()
    assert sent(faults, b"one") == b"one"
    faults.obey(["shift"], 0.0)
    assert sent(faults, b"two") == b"one"


def test_an_exception_storm_refuses_in_the_words_of_the_wire() -> None:
    faults = ordered("exception_storm by=6")
    assert sent(faults) == REFUSAL
    assert faults.exception_code == 6


def test_one_request_and_a_disconnect_hang_up() -> None:
    assert ordered("one_request").pieces(REPLY, 0.0) == (Piece(data=REPLY), Piece(hang_up=True))
    pieces = ordered("disconnect").pieces(REPLY, 0.0)
    assert pieces[-1] == Piece(hang_up=True)
    assert REPLY.startswith(b"".join(piece.data for piece in pieces))
    assert len(b"".join(piece.data for piece in pieces)) < len(REPLY)


def test_a_wedge_lasts_until_the_port_is_opened_and_comes_once() -> None:
    faults = ordered("wedge")
    assert [sent(faults) for _ in range(3)] == [b"", b"", b""]
    assert "wedge" in faults.values(0.0)
    faults.reopened()
    assert sent(faults) == REPLY
    assert faults.values(0.0) == {}


def test_a_wedge_is_over_when_the_fault_is_taken_away() -> None:
    faults = ordered("wedge")
    assert sent(faults) == b""
    faults.obey(["off"], 0.0)
    assert sent(faults) == REPLY


def test_count_and_duration_end_a_fault() -> None:
    faults = ordered("silence count=2")
    assert [sent(faults) for _ in range(3)] == [b"", b"", REPLY]
    faults = ordered("silence for=10s", now=100.0)
    assert sent(faults, now=109.9) == b""
    assert sent(faults, now=110.0) == REPLY


def test_a_second_session_is_refused_only_while_ordered() -> None:
    faults = ordered("refuse-second for=5", now=0.0)
    assert faults.second_refused(4.9)
    assert not faults.second_refused(5.0)


def test_stuck_measurements_let_the_status_go_on() -> None:
    faults = ordered("stuck")
    faults.shown(SHOWN, 0.0)
    later = msgspec.structs.replace(SHOWN, state=State.ON_BATTERY, charge_pct=80.0, energy_wh=5001)
    shown = faults.shown(later, 1.0)
    assert (shown.state, shown.charge_pct, shown.energy_wh) == (State.ON_BATTERY, 100.0, 5000)
    faults.obey(["stuck", "off"], 2.0)
    assert faults.shown(later, 2.0) == later
    faults.obey(["stuck"], 3.0)
    assert [faults.shown(each, 3.0).charge_pct for each in (later, SHOWN)] == [80.0, 80.0], "stuck anew, where it is"


def test_a_counter_that_rolled_over_counts_on_from_nothing() -> None:
    faults = ordered("roll-over")
    assert faults.shown(SHOWN, 0.0).energy_wh == 0
    assert faults.shown(msgspec.structs.replace(SHOWN, energy_wh=5007), 1.0).energy_wh == 7


def test_a_clock_that_drifts_shows_in_countdowns_alone() -> None:
    main = OutletGroup(index=0, on=True, turn_off_s=90)
    shown = ordered("clock-drift by=1.5").shown(msgspec.structs.replace(SHOWN, main_outlet=main), 0.0)
    assert shown.main_outlet == OutletGroup(index=0, on=True, turn_off_s=135)
    assert msgspec.structs.replace(shown, main_outlet=None) == SHOWN


orders = st.lists(
    st.builds(
        "{} chance={:.2f} seed={}".format, st.sampled_from(sorted(Kind)), st.floats(0, 1), st.integers(0, 10**9 - 1)
    ),
    max_size=4,
)


@given(orders, st.lists(st.binary(max_size=60), max_size=12))
def test_the_same_orders_spoil_the_same_replies_in_the_same_way(given_orders: list[str], replies: list[bytes]) -> None:
    one, other = ordered(*given_orders), ordered(*given_orders)
    for now, reply in enumerate(replies):
        assert one.pieces(reply, now, refusal=REFUSAL) == other.pieces(reply, now, refusal=REFUSAL)
        assert one.swaps_words(now) == other.swaps_words(now)
        assert one.shown(SHOWN, now) == other.shown(SHOWN, now)


@given(st.integers(0, 10**9 - 1), st.integers(1, 64), st.binary(min_size=1, max_size=60))
def test_noise_adds_no_more_than_it_was_told_to(seed: int, count: int, reply: bytes) -> None:
    data = sent(ordered(f"noise by={count} seed={seed}"), reply)
    assert len(reply) <= len(data) <= len(reply) + count


def test_another_seed_is_another_run() -> None:
    def struck(seed: int) -> list[bool]:
        faults = ordered(f"silence chance=0.5 seed={seed}")
        return [sent(faults) == b"" for _ in range(64)]

    assert struck(1) == struck(1) != struck(2)
    assert 16 < sum(struck(1)) < 48


# the control port


def test_a_fault_is_ordered_on_every_wire_that_knows_it(wires: Bench) -> None:
    answer = perform("wire fault wrong-crc chance=0.5 count=3 seed=9", wires)[0]
    assert answer["faults"]["modbus-tcp"] == {}
    on = answer["faults"]["modbus-rtu"]["wrong_crc"]
    assert (on["chance"], on["count"], on["seed"], on["struck"]) == (0.5, 3, 9, 0)


def test_faults_tells_what_is_on_and_what_there_can_be(wires: Bench) -> None:
    perform("wire modbus-tcp fault delay by=2", wires)
    answer = perform("wire faults", wires)[0]
    assert list(answer["faults"]["modbus-tcp"]) == ["delay"]
    assert answer["faults"]["modbus-rtu"] == {}
    assert set(answer["known"]["modbus-tcp"]) == {str(kind) for kind in TCP_FAULTS}
    assert set(answer["known"]["modbus-rtu"]) == {str(kind) for kind in RTU_FAULTS}


def test_off_takes_one_or_all_away(wires: Bench) -> None:
    perform("wire fault delay", wires)
    perform("wire fault noise", wires)
    assert list(perform("wire fault delay off", wires)[0]["faults"]["modbus-tcp"]) == ["noise"]
    assert perform("wire fault off", wires)[0]["faults"] == {"modbus-tcp": {}, "modbus-rtu": {}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wire fault", "expected `wire [LISTENER] fault KIND"),
        ("wire fault silense", "did you mean 'silence'?"),
        ("wire modbus-tcp fault wrong-crc", "wrong_crc means nothing on this wire; it knows clock_drift,"),
        ("wire fault silence chance=2", "chance: 2 is not between 0 and 1"),
        ("wire fault silence by=2", "silence: expected KIND"),
        ("wire fault delay by=999", "by (seconds): 999 is not between 0.001 and 60"),
        ("wire fault delay for=ever", "for: expected a number, got 'ever'"),
        ("wire faults now", "expected `wire"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_would_be_right(wires: Bench, line: str, said: str) -> None:
    before = perform("wire faults", wires)
    with pytest.raises(ControlError) as caught:
        perform(line, wires)
    assert said in str(caught.value)
    assert perform("wire faults", wires) == before


def test_every_fault_is_explained_and_known_to_some_wire() -> None:
    assert set(MEANINGS) == set(Kind) == TCP_FAULTS | RTU_FAULTS | UPSLINK_FAULTS
    assert all(meaning.help for meaning in MEANINGS.values())


@pytest.fixture
def wires() -> Bench:
    bench = Bench()
    bench.wires["modbus-tcp"].faults.known = TCP_FAULTS
    bench.wires["modbus-rtu"].faults.known = RTU_FAULTS
    return bench


def test_what_is_shown_names_each_fault_its_order_and_where_it_can_be(wires: Bench) -> None:
    perform("wire modbus-rtu fault delay by=0.5 for=30s", wires)
    lines = list(show("wire", perform("wire faults", wires), as_json=False))
    assert lines[:2] == [
        "modbus-tcp   no fault is on",
        "modbus-rtu   delay            chance=1 left_s=30 by=0.5 seed=0 struck=0",
    ]
    assert "wrong_crc        the check sum is wrong (modbus-rtu)" in lines
    assert len(lines) == 2 + len(TCP_FAULTS | RTU_FAULTS)
