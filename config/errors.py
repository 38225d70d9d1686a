"""What this room raises.

ConfigError
└── SettingsError   a settings file is missing, unreadable or wrong: exit status 2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_SHOWN_PROBLEMS = 20
"""A file that is wrong all over (a photo, a log) is told in one screenful."""


class ConfigError(Exception):
    """Any error of this room."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a settings file. Lines and columns from 1; `path` as in `units[0].url`."""

    source: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{self.source}:{self.line}:{self.column}: {what}"


class SettingsError(ConfigError):
    """Settings that can't be used: every problem in the order of the file, or the reason it can't be read."""

    def __init__(self, problems: Sequence[Problem] = (), *, reason: str = "") -> None:
        self.problems = tuple(problems)
        self.reason = reason
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.reason] if self.reason else []
        lines += [str(problem) for problem in self.problems[:MAX_SHOWN_PROBLEMS]]
        if (more := len(self.problems) - MAX_SHOWN_PROBLEMS) > 0:
            lines.append(f"... and {more} more")
        return "\n".join(lines)
