"""What can go wrong in the rig.

RigError
├── NotReady       a process did not begin to serve
├── NotDone        an order from the cloud was not carried out
├── TooSlow        something awaited did not come in its time
├── FolderInUse    the folder to work in holds something already
└── NotInstalled   a program to compare with is not there
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path


class RigError(Exception):
    pass


class NotReady(RigError):
    """`said` holds the end of each log, by the process's name."""

    def __init__(self, said: Mapping[str, str]) -> None:
        tails = "".join(f"\n{name} said: {text.strip() or 'nothing'}" for name, text in said.items())
        super().__init__(f"not everything began to serve{tails}")
        self.said = dict(said)


class NotDone(RigError):
    """`said`: by the command that asked for it."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(f"{what} was not done: {said.strip()}")
        self.what, self.said = what, said


class TooSlow(RigError):
    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not come within {seconds:g} s")
        self.what, self.seconds = what, seconds


class FolderInUse(RigError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is not empty: name a new folder")
        self.folder = folder


class NotInstalled(RigError):
    """`installer`: what installs it, from the folder of the repository."""

    def __init__(self, program: Path, installer: str) -> None:
        super().__init__(f"{program} is not there: run {installer}")
        self.program, self.installer = program, installer


def told(errors: BaseExceptionGroup[RigError]) -> str:
    """All errors of a group in one line."""
    return "; ".join(map(str, _leaves(errors)))


def _leaves(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
