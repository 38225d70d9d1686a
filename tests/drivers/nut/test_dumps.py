"""54 real units' dumps, served by NUT's dummy-ups: every known field comes through nut://, and none is invented."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.driver import Driver
from drivers.open import open_driver
from drivers.ups import Identity, OutletGroup, Settings, Snapshot, TestStatus
from tests.conftest import Start
from tests.drivers.nut.dumps import IDENTITY, SETTINGS, SNAPSHOT, TESTS, Oracle, Variables, dumps, served, whole
from tests.peers.nut import Upsd, dummy

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A driver's socket lies in it, and a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="nut") as folder:
        yield Path(folder)


def differences(found: object, oracles: dict[str, Oracle], variables: Variables) -> dict[str, tuple[Any, Any]]:
    """Field to what it is and what it ought to be."""
    pairs = {name: (getattr(found, name), oracle(variables)) for name, oracle in oracles.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def outlet_differences(snapshot: Snapshot, identity: Identity, settings: Settings, variables: Variables) -> list[Any]:
    """Only one dump has outlet groups: the main one and one switched; what else it lists has no name of its own."""
    wrong: list[Any] = []
    main = snapshot.main_outlet
    if main is None or main != OutletGroup(index=0, on=True):
        wrong.append(main)
    switched = [group.index for group in snapshot.switched_outlets]
    listed = sorted(
        {int(name.split(".")[2]) for name in variables if name.startswith("outlet.group.") and name[13].isdigit()}
    )
    if switched != [index for index in listed if index > 0]:
        wrong.append(switched)
    if [index for index, _ in identity.outlet_groups] != [0, *switched]:
        wrong.append(identity.outlet_groups)
    delays = {delay.index: delay for delay in settings.delays}
    for field, end in (("turn_off_s", "shutdown"), ("turn_on_s", "start"), ("stay_off_s", "reboot")):
        told = whole(f"ups.delay.{end}")(variables)
        if (getattr(delays[0], field) if 0 in delays else None) != told:
            wrong.append((field, told))
    return wrong


async def read(driver: Driver) -> tuple[Identity, Snapshot, Settings]:
    try:
        return await driver.connect(), await driver.full(), await driver.settings()
    finally:
        await driver.close()


LOOKED_AT_APART = {"at", "full_at", "self_test", "calibration", "answer_ms", "main_outlet", "switched_outlets"}


def test_no_field_of_a_snapshot_is_left_out() -> None:
    assert SNAPSHOT.keys() | LOOKED_AT_APART == {field.name for field in msgspec.structs.fields(Snapshot)}


async def test_every_known_field_of_every_dump_comes_through_and_none_is_invented(
    start_peer: Start, nut_dir: Path, short_folder: Path
) -> None:
    units = {f"u{place}": path for place, path in enumerate(dumps())}
    upsd = Upsd(start_peer, nut_dir, short_folder, {name: dummy(path) for name, path in units.items()})
    wrong: dict[str, Any] = {}
    for name, path in units.items():
        variables = served(path)
        identity, snapshot, settings = await read(open_driver(f"nut://{upsd.address}/{name}"))
        found = {
            **differences(snapshot, dict(SNAPSHOT), variables),
            **differences(identity, dict(IDENTITY), variables),
            **differences(settings, dict(SETTINGS), variables),
        }
        told = variables.get("ups.test.result")
        if (snapshot.self_test.status if snapshot.self_test else None) != (TESTS[told] if told else None):
            found["self_test"] = (snapshot.self_test, told)
        if snapshot.calibration is not None and snapshot.calibration.status is not TestStatus.NONE:
            found["calibration"] = (snapshot.calibration, None)
        if outlets := outlet_differences(snapshot, identity, settings, variables):
            found["outlets"] = (outlets, None)
        if found:
            wrong[path.name] = found
    assert wrong == {}
