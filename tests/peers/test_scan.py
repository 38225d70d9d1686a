"""A scan of what real daemons hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.scan.plan import Protocol, Try
from drivers.scan.runtime.tries import attempt
from tests.conftest import Start
from tests.peers.apcupsd import Apcupsd
from tests.peers.nut import Upsd, dummy

pytestmark = pytest.mark.peer

PATIENCE_S = 5.0
DEV = "ups.status: OL\nups.mfr: APC\nups.model: Smart-UPS {0}\nups.serial: AS{0}\nbattery.charge: 97.0\n"


@pytest.fixture
def upsd(start_peer: Start, nut_dir: Path, tmp_path: Path) -> Upsd:
    units = {}
    for name in ("750", "1500"):
        file = tmp_path / f"{name}.dev"
        file.write_text(DEV.format(name))
        units[f"rack-{name}"] = dummy(file)
    return Upsd(start_peer, nut_dir, tmp_path, units)


async def test_every_ups_of_an_upsd_is_found_with_its_url(upsd: Upsd) -> None:
    result = await attempt(Try(Protocol.NUT, upsd.address, f"nut://{upsd.address}"), PATIENCE_S)
    assert {(found.url, found.model, found.serial) for found in result.found} == {
        (f"nut://{upsd.address}/rack-{name}", f"Smart-UPS {name}", f"AS{name}") for name in ("750", "1500")
    }
    assert (result.opened, result.note) == (True, None)


async def test_a_daemon_of_another_protocol_is_no_ups(upsd: Upsd) -> None:
    result = await attempt(Try(Protocol.NIS, upsd.address, f"nis://{upsd.address}?timeout_s=1"), PATIENCE_S)
    assert result.found == ()
    assert result.opened
    assert result.note


async def test_a_port_where_nothing_listens_says_so_without_talk_of_modbus(upsd: Upsd) -> None:
    upsd.upsd.terminate()
    for protocol in (Protocol.NUT, Protocol.NIS):
        result = await attempt(Try(protocol, upsd.address, f"{protocol}://{upsd.address}"), PATIENCE_S)
        assert (result.found, result.opened) == ((), False)
        assert result.note is not None
        assert "refused" in result.note
        assert "Modbus" not in result.note


@pytest.mark.slow
async def test_the_ups_of_an_apcupsd_is_found(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    start("sim", "run", "--modbus-rtu", str(tmp_path / "ups"), ready=["modbus-rtu"])
    apcupsd = Apcupsd(start_peer, apcupsd_dir, tmp_path, str(tmp_path / "ups"))
    apcupsd.once(lambda said: bool(said.get("SERIALNO")) and said.get("STATUS") == "ONLINE")
    result = await attempt(Try(Protocol.NIS, apcupsd.address, f"nis://{apcupsd.address}"), PATIENCE_S)
    (found,) = result.found
    assert (found.protocol, found.url, found.serial) == ("nis", f"nis://{apcupsd.address}", "AS0000000001")
