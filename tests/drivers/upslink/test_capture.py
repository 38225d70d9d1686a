"""A recording of a UPS-Link unit: what it is asked, and what is kept of its answers."""

from __future__ import annotations

from drivers.capture.mask import mask
from drivers.capture.model import Alert, Reply, Said, Step
from drivers.capture.runtime.record import record
from drivers.capture.runtime.upslink import UpsLinkRecorder
from drivers.upslink.characters import QUERIES
from drivers.upslink.options import Options
from tests.drivers.memory import MemoryClock
from tests.drivers.upslink.memory import CAPABILITIES, LISTED, SERIAL, MemoryLine, MemoryUnit, undamaged


class Bench:
    def __init__(self, unit: MemoryUnit | None = None) -> None:
        self.clock, self.unit = MemoryClock(), unit or MemoryUnit()
        self.line = MemoryLine(self.clock, self.unit)

    async def record(self, for_s: float = 0.0) -> list[Step]:
        steps: list[Step] = []
        await record(UpsLinkRecorder(self.line, Options(), self.clock), self.clock, steps.append, for_s)
        assert not self.line.is_open
        return steps


def replies(said: tuple[Said, ...]) -> dict[str, str | None]:
    return {each.asked: each.said for each in said if isinstance(each, Reply)}


async def test_everything_that_only_asks_and_is_understood_is_asked_once() -> None:
    bench = Bench()
    first, _ = await bench.record()
    said = replies(first.said)
    assert len(said) == len(first.said)
    assert set(said) - {"Y"} == (set(LISTED) & set(QUERIES)) - set("MN") | set("aVb")
    assert (said["Y"], said["n"], said["j"], said["\x1a"]) == ("SM", f"{SERIAL}  ", "0327:", CAPABILITIES)
    assert said["a"] == f"3.!$%+?=#|.{LISTED}"


async def test_s5_a_recording_sends_y_and_what_only_asks() -> None:
    bench = Bench()
    await bench.record(for_s=30.0)
    assert set(bench.unit.heard) <= set(QUERIES) - set("MN") | {"Y"}
    assert bench.unit.obeyed == []


async def test_an_old_unit_is_asked_no_more_than_its_firmware_knows() -> None:
    unit = MemoryUnit(listed=None)
    unit.values["V"] = "6TI"
    bench = Bench(unit)
    first, _ = await bench.record()
    assert not {"a", "\x01", "\x1a", "~"} & set(bench.unit.heard)
    assert replies(first.said)["f"] == "100.0"


async def test_a_reply_of_no_known_form_is_kept_as_it_came() -> None:
    unit = MemoryUnit()
    unit.says = {"L": "one hundred\r\n", "B": ""}
    first, _ = await Bench(unit).record()
    said = replies(first.said)
    assert said["L"] == "one hundred"
    assert said["B"] is None
    assert said["f"] == "100.0"


async def test_a_transfer_is_recorded_with_its_alert_and_the_measurements_after_it() -> None:
    bench = Bench()

    def damage(char: str, answer: bytes) -> list[tuple[float, bytes]]:
        if bench.clock.now > 1006 and bench.unit.values["Q"] == "08":
            bench.unit.values |= {"Q": "10", "9": "00", "L": "000.0"}
            return [(0.01, b"!"), *undamaged(char, answer)]
        return undamaged(char, answer)

    bench.line.damage = damage
    first, *changes, _ = await bench.record(for_s=30.0)
    assert Alert("!") not in first.said
    said = [each for step in changes for each in step.said]
    assert Alert("!") in said
    assert {("Q", "10"), ("9", "00"), ("L", "000.0")} <= {(e.asked, e.said) for e in said if isinstance(e, Reply)}
    assert said.index(Alert("!")) <= said.index(Reply("Q", "10"))


async def test_the_serial_number_is_masked_and_nothing_else() -> None:
    first, _ = await Bench().record()
    changed = [(each, mask(each)) for each in first.said if mask(each) != each]
    assert changed == [(Reply("n", f"{SERIAL}  "), Reply("n", "X" * len(SERIAL) + "  "))]
