"""What can go wrong with a repository of firmware.

FirmwareError
├── NotARepository   no repository lives in this folder, or a part of it is missing or damaged
├── BadKey           a key that can't be read, that others may read, or that is not one of the role's
├── BadRelease       what a release may not say: every mistake
├── NoRelease        no release, or no role, of this name
└── NotSigned        what is to be published lacks signatures
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloud_bridge.errors import CloudError


class FirmwareError(CloudError):
    """Any error of this kind."""


class NotARepository(FirmwareError):
    pass


class BadKey(FirmwareError):
    pass


class BadRelease(FirmwareError):
    """A line each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class NoRelease(FirmwareError):
    pass


class NotSigned(FirmwareError):
    """`lacking`: by role, how many signatures are there and how many are wanted."""

    def __init__(self, folder: Path, lacking: Sequence[tuple[str, int, int]]) -> None:
        lines = [
            f"{role}: {have} of {want} signatures: ridethrough firmware sign {folder} {role} --key FILE"
            for role, have, want in lacking
        ]
        super().__init__("\n".join(lines))
        self.lacking = tuple(lacking)
