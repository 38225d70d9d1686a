"""`ridethrough cloud owner`, `site`, `device`, `mute`, as a person or a script runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from cloud_bridge.errors import NotThere, Taken
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import people
from cloud_bridge.store.registry.registry import Registry
from config.runtime.files import load
from tests.cloud_bridge.asking import HOSTILE, Asking
from tests.process import PROGRAM


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(init(tmp_path / "cloud", "127.0.0.1:0", []).root)


@pytest.fixture
def ada(ask: Asking) -> Asking:
    ask("owner", "add", ".", "Ada", "--mail", "ada@example.net", "--time-zone", "Europe/Berlin")
    ask("device", "add", ".", "pi-1/rack-1")
    ask("device", "add", ".", "pi-1/rack-2")
    return ask


def test_s22_an_owner_is_added_with_a_mail_channel_and_a_policy(ask: Asking) -> None:
    said = ask("owner", "add", ".", "Ada", "--mail", "ada@example.net")
    assert said.stdout == "Ada is told by mail to ada@example.net of what is a warning or worse\n"
    assert "names no mail server" in said.stderr
    (owner,) = ask.lines("owner", "list")
    assert (owner["name"], owner["email"], owner["time_zone"]) == ("Ada", "ada@example.net", "UTC")
    (channel,), (policy,) = ask.lines("channel", "list"), ask.lines("policy", "list")
    assert (channel["owner"], channel["name"], channel["kind"]) == ("Ada", "mail", "mail")
    assert (policy["owner"], policy["name"], policy["channel"]) == ("Ada", "default", "mail")
    assert (policy["least"], policy["devices"], policy["conditions"]) == ("warning", [], [])


def test_what_is_wrong_is_a_mistake_of_usage_with_every_place(ask: Asking) -> None:
    said = ask("owner", "add", ".", "a/b", "--mail", "nobody", "--time-zone", "Mars", status=2).stderr
    assert "name: expected printable characters without /" in said
    assert "--mail: expected a mail address, as in ada@example.net, got 'nobody'" in said
    assert "--time-zone: expected a time zone's name, as in Europe/Berlin, got 'Mars'" in said
    assert ask.lines("owner", "list") == []


def test_the_real_program_says_so_too(ask: Asking) -> None:
    command: list[str | Path] = [PROGRAM, "cloud", "owner", "add", "--dir", ask.folder, "Ada", "--mail", "x\r\nBcc: y"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--mail: expected a mail address" in done.stderr
    missing: list[str | Path] = [PROGRAM, "cloud", "owner", "show", "--dir", ask.folder, "Eve"]
    done = subprocess.run(missing, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        1,
        "ridethrough: no owner 'Eve'; `ridethrough cloud owner list` names all\n",
    )


def test_an_owner_is_changed_and_removed(ada: Asking) -> None:
    with pytest.raises(Taken):
        ada("owner", "add", ".", "ADA", "--mail", "x@example.net")
    shown = ada("owner", "set", ".", "ada", "--name", "Countess", "--mail", "new@example.net").stdout
    assert "name        Countess" in shown
    assert ada.lines("channel", "show", ".", "mail")[0]["target"] == "new@example.net"
    assert "devices     0" in ada("owner", "show", ".", "Countess").stdout
    ada("owner", "remove", ".", "Countess", status=1, given="n\n")
    assert len(ada.lines("owner", "list")) == 1
    assert ada("owner", "remove", ".", "Countess", "--yes").stdout.startswith("Countess is removed")
    assert ada.lines("owner", "list") == []


def test_devices_are_assigned_to_owner_and_site(ada: Asking) -> None:
    ada("site", "add", ".", "Cellar", "--owner", "Ada")
    said = ada("device", "assign", ".", "pi-1/*", "--owner", "Ada", "--site", "Cellar", "--tag", "lab").stdout
    assert [line.split() for line in said.splitlines()[1:]] == [
        ["pi-1/rack-1", "-", "Ada", "Cellar", "lab"],
        ["pi-1/rack-2", "-", "Ada", "Cellar", "lab"],
    ]
    ada(
        "device", "assign", ".", "pi-1/rack-1", "--battery-due", "2027-01-31", "--test-every", "14", "--name", "big one"
    )
    (device,) = ada.lines("device", "show", ".", "Big one")
    assert (device["battery_due_on"], device["test_every_days"], device["tags"]) == ("2027-01-31", 14, ["lab"])
    ada("device", "assign", ".", "pi-1/rack-1", "--battery-due", "none", "--no-tags")
    (device,) = ada.lines("device", "show", ".", "pi-1/rack-1")
    assert (device["battery_due_on"], device["tags"], device["site"]) == (None, [], "Cellar")
    assert ada.lines("site", "list")[0]["devices"] == ["pi-1/rack-1", "pi-1/rack-2"]
    ada("device", "assign", ".", "pi-1/rack-2", "--owner", "operator")
    assert [each["unit"] for each in ada.lines("device", "list", ".", "--owner", "operator")] == ["rack-2"]
    assert [each["unit"] for each in ada.lines("device", "list", ".", "--owner", "ada")] == ["rack-1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["pi-1/rack-1"], "nothing to change", id="without anything to change"),
        pytest.param(["pi-1/rack-1", "--battery-due", "soon"], "2027-01-31, or none", id="with no day"),
        pytest.param(["pi-1/rack-1", "--test-every", "-1"], "0<=x<=3650", id="with a test every minus one day"),
        pytest.param(["pi-1/rack-1", "--owner", "Eve"], "owner: no owner 'Eve'", id="to nobody who is there"),
        pytest.param(["pi-1/rack-1", "--site", "Attic"], "site: ", id="to a site, of nobody"),
    ],
)
def test_a_device_is_not_assigned(ada: Asking, words: list[str], said: str) -> None:
    assert said in ada("device", "assign", ".", *words, status=2).stderr


def test_tags_come_and_go_and_a_retired_device_too(ada: Asking) -> None:
    assert "lab, old" in ada("device", "tag", ".", "pi-1/rack-1", "lab", "old").stdout
    assert "old" not in ada("device", "tag", ".", "pi-1/rack-1", "old", "--remove").stdout
    assert ada("device", "remove", ".", "pi-1/rack-1").stdout == "pi-1/rack-1 is forgotten\n"
    with pytest.raises(NotThere, match="device list"):
        ada("device", "show", ".", "pi-1/rack-1")
    assert ada.lines("mute", "list") == []
    with pytest.raises(NotThere, match="notifications are on"):
        ada("device", "unmute", ".", "pi-1/rack-2")


def test_a_site_is_named_anew_and_removed(ada: Asking) -> None:
    ada("site", "add", ".", "Cellar", "--owner", "Ada")
    assert "name     Attic" in ada("site", "set", ".", "ada/cellar", "--name", "Attic").stdout
    assert "owner    Ada" in ada("site", "show", ".", "Attic").stdout
    assert ada("site", "remove", ".", "Attic").stdout == "Ada/Attic is removed\n"
    assert ada.lines("site", "list", ".", "--owner", "Ada") == []


def test_s6_a_hostile_name_in_the_registry_steers_no_terminal(ada: Asking) -> None:
    settings = load(Folder(ada.folder).settings, CloudSettings)
    with Registry(settings.registry_at) as registry, registry.writing() as connection:
        device = people.all_devices(connection)[0]
        people.save_device(connection, replace(device, name=HOSTILE, model=HOSTILE))
    for words in (["device", "list"], ["device", "show", ".", "pi-1/rack-1"]):
        said = ada(*words).stdout
        assert not {"\x1b", "\r", "\u202e"} & set(said)
        assert "\\x1b[31m[red]c[/red]" in said


def test_help_imports_neither_database_nor_keys_nor_mail() -> None:
    heavy = "{'sqlalchemy', 'alembic', 'fastapi', 'cryptography', 'aiosmtplib', 'apprise', 'PIL', 'jinja2'}"
    code = f"import cloud_bridge.cli, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
