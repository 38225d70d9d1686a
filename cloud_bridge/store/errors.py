"""What this room's store raises. What SQLite says in passing (locked, full) stays sqlite3.OperationalError.

StoreError           (a CloudError)
├── NoDatabase       nothing was ever stored here
├── NotOurs          the file is no telemetry database
├── OlderDatabase    an earlier version made it, and who only reads can't bring it forward
└── NewerDatabase    a later version made it
"""

from __future__ import annotations

from pathlib import Path

from cloud_bridge.errors import CloudError


class StoreError(CloudError):
    """A database that can't be used; `path` is its file."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class NoDatabase(StoreError):
    def __init__(self, path: Path) -> None:
        super().__init__(path, "no such database: `ridethrough cloud run` makes it when it first runs")


class NotOurs(StoreError):
    pass


class OlderDatabase(StoreError):
    def __init__(self, path: Path) -> None:
        super().__init__(path, "made by an earlier version: `ridethrough cloud run` brings it forward")


class NewerDatabase(StoreError):
    """`unknown` names the steps of its schema that this version does not know."""

    def __init__(self, path: Path, unknown: list[str]) -> None:
        steps = ", ".join(unknown)
        super().__init__(path, f"made by a later version (it has {steps}): install that version or a later one")
        self.unknown = unknown
