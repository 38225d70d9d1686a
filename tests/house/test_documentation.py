"""README and docs name only commands, options and files that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from config.cli import root
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def code(text: str) -> Iterator[str]:
    """Each line of a code block, indented or fenced, and each piece of code inside a sentence."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def command_lines(text: str) -> list[list[str]]:
    """The words after `ridethrough` wherever it is called; what is optional, in brackets, counts as said."""
    called = (re.match(r"(?:\$ )?(?:\S*/)?ridethrough(?: (.*))?$", piece) for piece in code(text))
    return [shlex.split(re.sub(r"[\[\]…]", " ", found[1] or ""), comments=True) for found in called if found]


def unknown_words(words: list[str]) -> list[str]:
    """The commands and options among `words` that the program does not have."""
    command: click.Command = root
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(click.Context(command), rest[0])
        if inner is None:
            return [rest[0]]
        command = inner
        rest.pop(0)
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    said = [word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"]
    return [option for option in said if option not in known | {"--help", "-h"}]


def test_the_reader_of_command_lines_sees_them_all() -> None:
    text = """Prose about ridethrough nonsense. Call `ridethrough --version`, or:

    $ .venv/bin/ridethrough poll 'modbus+tcp://h?unit=1' [--json]   # once
```sh
ridethrough cloud run --dir D
```
"""
    assert command_lines(text) == [
        ["--version"],
        ["poll", "modbus+tcp://h?unit=1", "--json"],
        ["cloud", "run", "--dir", "D"],
    ]
    assert unknown_words(["--version"]) == []
    assert unknown_words(["--colour", "x"]) == ["--colour"]
    assert unknown_words(["brew", "tea"]) == ["brew"]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    lines = command_lines(page.read_text())
    assert {" ".join(words): unknown_words(words) for words in lines if unknown_words(words)} == {}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_readme_shows_the_program_at_all() -> None:
    assert len(command_lines((ROOT / "README.md").read_text())) >= 5
