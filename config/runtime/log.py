"""Where log lines go."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TextIO

from config.log import JournalLines, JsonLines, TextLines

LEVELS = ("debug", "info", "warning", "error")
_OURS = ("config", "drivers", "gateway", "cloud_bridge", "simulator")


def set_up_logging(level: str) -> None:
    """Sends our records from `level` on to standard error; libraries' from `warning` on, all at `debug`."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_formatter(sys.stderr))
    others = logging.DEBUG if level == "debug" else logging.WARNING
    logging.basicConfig(level=others, handlers=[lines], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(capture=True)


def _formatter(stream: TextIO) -> logging.Formatter:
    if stream.isatty():
        return TextLines()
    return JournalLines() if is_journal(stream, os.environ) else JsonLines()


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether systemd connected it to its journal: JOURNAL_STREAM names device and inode (systemd.exec(5))."""
    journal = environment.get("JOURNAL_STREAM")
    if journal is None:
        return False
    try:
        file = os.fstat(stream.fileno())
    except OSError:  # one that lies in memory
        return False
    return journal == f"{file.st_dev}:{file.st_ino}"
