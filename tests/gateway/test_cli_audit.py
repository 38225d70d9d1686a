"""`gateway audit`: what it shows, and that it notices a log that somebody wrote in."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from drivers.ups import Verb
from gateway.cli_audit import audit
from gateway.errors import NoAudit
from gateway.store.schema import FILE
from tests.gateway.commanded import Bench, bench

SETTINGS = """\
gateway: pi
cloud: mqtts://127.0.0.1:1
tls: {ca: ca, certificate: certificate, key: key}
data: .
"""


def run(folder: Path, *options: str) -> Result:
    config = folder / "gateway.yaml"
    config.write_text(SETTINGS, encoding="utf-8")
    return CliRunner().invoke(audit, ["--config", str(config), *options])


async def a_day(at: Bench) -> None:
    await at.send(at.order(Verb.BEEP))
    await at.send(at.order(Verb.SHUTDOWN))


async def test_every_step_is_a_line_for_a_person(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await a_day(at)
        shown = run(tmp_path).output.splitlines()
    assert [line.split()[0] for line in shown] == ["1", "2", "3", "4"]
    assert shown[2].endswith("command rack-1 AS1 beep finished done (by owner Ann): as asked")
    assert "2026-11-24 03:00:00" in shown[2]
    assert "shutdown refused challenge_missing" in shown[3]


async def test_json_lines_carry_everything_and_the_digest(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await a_day(at)
        head = at.commands.head
    lines = [json.loads(line) for line in run(tmp_path, "--json").output.splitlines()]
    assert (lines[-1]["digest"], lines[-1]["number"]) == head
    assert [line["stage"] for line in lines[1:]] == ["accepted", "finished", "refused"]
    assert lines[1]["previous"] == lines[0]["digest"]


async def test_a_whole_log_is_said_to_be_whole(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await a_day(at)
        head = at.commands.head
    assert run(tmp_path, "--verify").output == f"4 lines, nothing is missing or changed; the last digest is {head[0]}\n"
    assert json.loads(run(tmp_path, "--verify", "--json").output) == {"whole": True, "digest": head[0], "length": 4}


async def test_a_log_that_was_written_in_is_told_by_its_line_and_an_exit_status(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await a_day(at)
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("UPDATE audit SET line = replace(line, 'beep', 'mute') WHERE number = 3")
        file.commit()
    done = run(tmp_path, "--verify")
    assert (done.exit_code, done.output) == (1, "line 3 is not what its digest was made of\n")
    done = run(tmp_path, "--verify", "--json")
    assert (done.exit_code, json.loads(done.output)["number"]) == (1, 3)


async def test_a_damaged_line_is_shown_as_it_is_without_its_control_characters(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await a_day(at)
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("UPDATE audit SET line = ? WHERE number = 2", ("\x1b[2J",))
        file.commit()
    shown = run(tmp_path).output
    assert "\x1b" not in shown
    assert "(damaged)" in shown
    assert json.loads(run(tmp_path, "--json").output.splitlines()[1])["damaged"] == "\x1b[2J"


@pytest.mark.parametrize("content", [None, b"no database at all" * 100])
def test_a_file_that_is_not_there_or_no_database_is_told_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    error = run(tmp_path).exception
    assert isinstance(error, NoAudit)
    assert error.path == tmp_path / FILE


def test_it_is_a_command_with_its_help() -> None:
    assert isinstance(audit, click.Command)
    assert "chained" in CliRunner().invoke(audit, ["--help"]).output


def test_a_gateway_that_is_told_nothing_does_not_pay_for_signatures() -> None:
    code = "import sys, gateway.runtime.commands; sys.exit('cryptography' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
