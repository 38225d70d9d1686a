"""Log records to lines: text for a terminal, text with priorities for a journal, JSON for all else. No record can forge
a second one (S6)."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime

from config.text import one_line

MAX_MESSAGE_CHARS = 4096
"""Longer messages are cut: a peer's payload in a log must not fill a disk."""


class TextLines(logging.Formatter):
    """`14:03:07 warning gateway.uplink: what happened`, in UTC; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_at(record):%H:%M:%S} {record.levelname.lower()} {record.name}: {_message(record)}"
        return "\n".join([head, *(f"    {line}" for line in _traceback(record))])


class JournalLines(logging.Formatter):
    """`<4>gateway.uplink: what happened`: sd-daemon(3)'s priorities; the journal has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [f"{record.name}: {_message(record)}", *(f"    {line}" for line in _traceback(record))]
        return "\n".join(f"<{_priority(record.levelno)}>{line}" for line in lines)


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`; of an exception its `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if lines := _traceback(record):
            line["traceback"] = lines
        return json.dumps(line)


def _priority(level: int) -> int:
    """syslog(3)'s: 3 error, 4 warning, 6 information, 7 debug."""
    return 3 if level >= logging.ERROR else 4 if level >= logging.WARNING else 6 if level >= logging.INFO else 7


def _at(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _message(record: logging.LogRecord) -> str:
    return one_line(record.getMessage(), MAX_MESSAGE_CHARS)


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[1] is None:
        return []
    lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
    return [one_line(line, MAX_MESSAGE_CHARS) for line in lines]
