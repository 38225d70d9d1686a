"""Modbus unit ids as a person lists them: 1,3-5."""

from __future__ import annotations

import re

HIGHEST = 247
_RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")


def read_units(text: str) -> tuple[int, ...]:
    """In order, each once. Raises ValueError with what would be right."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part[:20]!r} is no unit id; a list looks like 1,3-5")
        low, high = int(match[1]), int(match[2] or match[1])
        if not 1 <= low <= high <= HIGHEST:
            raise ValueError(f"{part[:20]!r}: unit ids are 1 to {HIGHEST}")
        found.update(range(low, high + 1))
    return tuple(sorted(found))
