"""`firmware` on the control port, `sim image`, and what `state` tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.bootloader.faults import NOISE, Kind
from simulator.bootloader.image import HEADER_BYTES, Header, header_of, sample_body
from simulator.bootloader.loader import Loader
from simulator.bootloader.orders import obey
from simulator.cli import sim
from simulator.errors import ControlError
from simulator.models import MODELS, find_model
from simulator.runtime.engine import Engine
from simulator.show import show
from tests.simulator.bench import unit_of

from .bench import ENTER_ON, LINE


@pytest.fixture
def loader() -> Loader:
    return Loader(unit_of())


def test_bare_it_shows_state_and_settings(loader: Loader) -> None:
    (answer,) = obey(loader, [])
    assert answer["firmware"]["phase"] == "application"
    assert (answer["firmware"]["hardware_id"], answer["firmware"]["version"]) == ("1015", "04.1")
    assert (answer["settings"]["baud"], answer["settings"]["paced"]) == (9600, True)


def test_settings_are_changed_by_name(loader: Loader) -> None:
    (answer,) = obey(loader, ["erase-ms", "30000"])
    assert answer["settings"]["erase_ms"] == loader.settings.erase_ms == 30000
    obey(loader, ["paced", "off"])
    assert not loader.settings.paced


def test_faults_are_ordered_shown_and_taken_away(loader: Loader) -> None:
    (answer,) = obey(loader, ["fault", "lost-ack", "count=5", "at=3"])
    assert answer["firmware"]["faults"] == {"lost_ack": {"count": 5, "at": 3}}
    obey(loader, ["fault", "boots_old"])
    obey(loader, ["fault", "lost_ack", "off"])
    assert loader.faults.values() == {"boots_old": {"count": 1, "at": 0}}
    obey(loader, ["fault", "off"])
    (answer,) = obey(loader, ["faults"])
    assert (answer["faults"], set(answer["known"])) == ({}, {kind.value for kind in Kind})


def test_noise_is_as_long_as_help_says() -> None:
    assert len(NOISE) == 20


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fault", "expected `firmware fault"),
        ("fault nack", "did you mean 'nak'"),
        ("fault nak count=0", "count: 0 is not between 1"),
        ("fault nak by=3", "got 'by=3'"),
        ("baud 300", "baud"),
        ("speed 3", "there is no such setting"),
        ("one two three", "expected `firmware"),
    ],
)
def test_a_line_that_is_not_understood_says_why(loader: Loader, line: str, complaint: str) -> None:
    with pytest.raises(ControlError) as caught:
        obey(loader, line.split())
    assert complaint in caught.value.problem
    assert loader.faults.values() == {}


def test_state_tells_of_the_boot_loader() -> None:
    engine = Engine(find_model("SMT1500RM2UC"))
    assert engine.loader.enter(LINE, ENTER_ON, 0.0) == b"BOOT 9600\r\n"
    (answer,) = engine.obey("state")
    firmware = answer["state"]["firmware"]
    assert (firmware["phase"], firmware["line"], firmware["output"], firmware["intact"]) == (
        "waiting",
        "modbus-rtu",
        "on",
        True,
    )
    assert any(line.startswith("boot loader") and "waiting" in line for line in show("state", [answer], as_json=False))


def test_every_model_has_a_hardware_id_of_its_own_or_no_boot_loader() -> None:
    ids = [Loader(unit_of(model)).state()["hardware_id"] for model in MODELS]
    assert len(set(ids)) == len(ids)
    assert dict(zip(MODELS, ids, strict=True))["SU600I"] == ""


# sim image


def make(*options: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(sim, ["image", *map(str, options)])
    return done.exit_code, " ".join(done.output.split())


def test_an_image_file_has_the_size_that_was_asked_for_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert make("--version", "15.6", "--from", "04.1", "--size", "2k", tmp_path / name) == (0, "")
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    assert len(content) == 2048
    header = header_of(content)
    assert isinstance(header, Header)
    assert (header.hardware_id, header.version, header.least_version) == ("1015", "15.6", "04.1")
    assert content[HEADER_BYTES:] == sample_body("1015", "15.6", header.length)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--model", "SU600I", "--version", "1"), "no boot loader"),
        (("--model", "SUA1500I", "--version", "19.1"), "counts revisions, without a dot"),
        (("--version", "newest"), "version: 'newest'"),
        (("--version", "15.6", "--size", "128"), "expected 129 to"),
        (("--version", "15.6", "--size", "5M"), "expected 129 to"),
        (("--version", "15.6", "--size", "lots"), "got 'lots'"),
        (("--model", "SMT", "--version", "15.6"), "no model is called 'SMT'"),
    ],
)
def test_an_image_that_no_unit_could_have_is_refused(tmp_path: Path, options: tuple[str, ...], complaint: str) -> None:
    status, said = make(*options, tmp_path / "image")
    assert status == 2
    assert complaint in said
    assert not (tmp_path / "image").exists()
