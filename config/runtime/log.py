"""Where log lines go."""

from __future__ import annotations

import logging
import sys

from config.log import JsonLines, TextLines

LEVELS = ("debug", "info", "warning", "error")
_OURS = ("config", "drivers", "gateway", "cloud_bridge", "simulator")


def set_up_logging(level: str) -> None:
    """Sends our records from `level` on to standard error; libraries' from `warning` on, all at `debug`."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(TextLines() if sys.stderr.isatty() else JsonLines())
    others = logging.DEBUG if level == "debug" else logging.WARNING
    logging.basicConfig(level=others, handlers=[lines], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(capture=True)
