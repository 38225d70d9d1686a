"""`ridethrough cloud …` as a person runs it, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from cloud_bridge.cli import cloud

HOSTILE = "a\r\nb\x1b[31m[red]c[/red][link=http://x]<script>=cmd|' \"\u202e"


@dataclass(frozen=True)
class Asking:
    """One cloud's folder. An error that is none of usage is raised."""

    folder: Path

    def __call__(self, *words: str, status: int = 0, given: str | None = None) -> Result:
        """The command is the words up to the first option or argument of its own, which `.` stands before."""
        at = words.index(".") if "." in words else len(words)
        arguments = [*words[:at], "--dir", str(self.folder), *words[at + 1 :]]
        result = CliRunner().invoke(cloud, arguments, input=given, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    def lines(self, *words: str) -> list[dict[str, Any]]:
        """Its JSON lines."""
        at = words.index(".") if "." in words else len(words)
        said = self(*words[:at], ".", "--json", *words[at + 1 :]).stdout
        return [json.loads(line) for line in said.splitlines()]
