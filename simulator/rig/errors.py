"""What can go wrong in the rig.

RigError
├── TooSlow        something awaited did not come in its time
└── FolderInUse    the folder to work in holds something already
"""

from __future__ import annotations

from pathlib import Path


class RigError(Exception):
    pass


class TooSlow(RigError):
    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not come within {seconds:g} s")
        self.what, self.seconds = what, seconds


class FolderInUse(RigError):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is not empty: name a new folder")
        self.folder = folder
