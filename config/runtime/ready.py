"""The line by which a service says that it serves."""

from __future__ import annotations

import sys


def announce(name: str, address: str) -> None:
    """Prints `ready: NAME ADDRESS` at once: who started this process waits for it, not for a time."""
    sys.stdout.write(f"ready: {name} {address}\n")
    sys.stdout.flush()
