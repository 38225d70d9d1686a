from __future__ import annotations

import io
import json
import logging
import shlex
import sys
from pathlib import Path

import pytest

from config.log import MAX_MESSAGE_CHARS, JournalLines, JsonLines, TextLines
from config.runtime.log import is_journal
from tests.config.test_text import HOSTILE
from tests.conftest import Start

AT_S = 1_800_000_000.25
"""2027-01-15T08:00:00.250Z"""


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    made = logging.LogRecord("gateway.uplink", logging.WARNING, "uplink.py", 1, message, arguments, None)
    made.created = AT_S
    if error:
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def raised(message: str) -> ValueError:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_terminal_gets_a_short_line_in_utc() -> None:
    assert TextLines().format(record("broker %s gone", "b1")) == "08:00:00 warning gateway.uplink: broker b1 gone"


def test_everything_else_gets_one_json_object_a_line() -> None:
    assert json.loads(JsonLines().format(record("broker %s gone", "b1"))) == {
        "at": "2027-01-15T08:00:00.250Z",
        "level": "warning",
        "logger": "gateway.uplink",
        "message": "broker b1 gone",
    }


@pytest.mark.parametrize(("level", "prefix"), [("DEBUG", "<7>"), ("INFO", "<6>"), ("WARNING", "<4>"), ("ERROR", "<3>")])
def test_a_journal_gets_the_priority_and_no_time_of_ours(level: str, prefix: str) -> None:
    made = record("broker %s gone", "b1")
    made.levelno = getattr(logging, level)
    assert JournalLines().format(made) == f"{prefix}gateway.uplink: broker b1 gone"


def test_every_line_of_a_traceback_has_its_priority_in_a_journal() -> None:
    lines = JournalLines().format(record("failed", error=raised("x\n<0>forged"))).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<4>") for line in lines)


def test_a_journal_is_known_by_its_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        file = (tmp_path / "log").stat()
        assert is_journal(stream, {"JOURNAL_STREAM": f"{file.st_dev}:{file.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{file.st_dev}:{file.st_ino + 1}"})
        assert not is_journal(stream, {})
        assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": f"{file.st_dev}:{file.st_ino}"})


@pytest.mark.parametrize("lines", [TextLines(), JsonLines(), JournalLines()])
def test_s6_a_hostile_message_stays_one_printable_line(lines: logging.Formatter) -> None:
    assert lines.format(record(f"unit says {HOSTILE}")).isprintable()


def test_s6_a_hostile_error_cannot_forge_a_line_of_a_traceback() -> None:
    head, *rest = TextLines().format(record("failed", error=raised("x\n08:00:00 error root: forged"))).splitlines()
    assert head.endswith(": failed")
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == "    08:00:00 error root: forged"


def test_json_carries_the_traceback_as_lines() -> None:
    line = json.loads(JsonLines().format(record("failed", error=raised("bad"))))
    assert line["message"] == "failed"
    assert line["traceback"][0].startswith("Traceback")
    assert line["traceback"][-1] == "ValueError: bad"


def test_a_long_message_is_cut_at_the_limit() -> None:
    line = TextLines().format(record("x" * (MAX_MESSAGE_CHARS + 7)))
    assert line.endswith("x... (7 more)")


PROGRAM = """
import logging, sys, warnings
from config.runtime.log import set_up_logging
set_up_logging(sys.argv[1])
for name in ("gateway.x", "other"):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger(name).log(level, "said")
warnings.warn("deprecated")
"""


@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [
        ("info", ["info", "warning"], ["warning"]),
        ("error", [], ["warning"]),
        ("debug", ["debug", "info", "warning"], ["debug", "info", "warning"]),
    ],
)
def test_our_records_from_the_level_and_others_from_warning_go_to_standard_error(
    start_peer: Start, level: str, ours: list[str], others: list[str]
) -> None:
    process = start_peer(sys.executable, "-W", "default", "-c", PROGRAM, level)
    assert process.ended() == 0
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    assert [line["level"] for line in lines if line["logger"] == "gateway.x"] == ours
    assert [line["level"] for line in lines if line["logger"] == "other"] == others
    assert lines[-1]["logger"] == "py.warnings"
    assert process.stdout == ""


def test_a_terminal_is_given_text(start_peer: Start) -> None:
    """`script` runs the program on a pseudo-terminal of its own."""
    code = "import logging; from config.runtime.log import set_up_logging as s; s('info'); logging.warning('hi')"
    process = start_peer("script", "-qec", shlex.join([sys.executable, "-c", code]), "/dev/null")
    assert process.ended() == 0
    assert process.stdout.rstrip().endswith(" warning root: hi")
