"""Which serial number belongs to which unit's name, and where each unit answers now (S3)."""

from __future__ import annotations

from collections.abc import Mapping


class Roll:
    """One for all units of a gateway, entered in the order of the settings."""

    def __init__(self) -> None:
        self._pins: dict[str, str | None] = {}
        self._seen: dict[str, str] = {}

    def enter(self, name: str, serial: str | None) -> None:
        """A unit of the settings, and the serial number that is pinned to it."""
        self._pins[name] = serial

    def leave(self, name: str) -> None:
        self._pins.pop(name, None)
        self._seen.pop(name, None)

    def pin(self, name: str, serial: str) -> None:
        self._pins[name] = serial

    def pinned(self, name: str) -> str | None:
        return self._pins.get(name)

    def saw(self, name: str, serial: str | None) -> None:
        """Who answers under this name now; None is nobody, or one without a serial number."""
        self._seen.pop(name, None)
        if serial:
            self._seen[name] = serial

    def owner(self, serial: str, besides: str) -> str | None:
        """The other name under which this unit is read. Of two that have the same pin it is the first; one under which
        another unit answers reads nothing."""
        for name, pinned in self._pins.items():
            if pinned == serial == self._seen.get(name, serial):
                return None if name == besides else name
        return None

    def known_as(self, serial: str, besides: str) -> str | None:
        """Another name to which this serial number is pinned."""
        return _other(self._pins, serial, besides)

    def answers_at(self, serial: str, besides: str) -> str | None:
        """Another name under which this unit answers now."""
        return _other(self._seen, serial, besides)


def _other(units: Mapping[str, str | None], serial: str, besides: str) -> str | None:
    return next((name for name, known in units.items() if known == serial and name != besides), None)
