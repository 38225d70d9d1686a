"""Finds the driver for a URL. Third parties add schemes by the entry-point group `ridethrough.drivers`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from drivers import url as urls
from drivers.driver import Driver
from drivers.errors import BadUrl
from drivers.ups import Verb

GROUP = "ridethrough.drivers"


class Opener(Protocol):
    """What an entry point of the group names. It opens nothing yet: `connect` does. Raises BadUrl."""

    def __call__(self, url: urls.Url, *, pinned: str | None, also_allowed: frozenset[Verb]) -> Driver: ...


def schemes() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def open_driver(text: str, *, pinned: str | None = None, also_allowed: Iterable[Verb] = ()) -> Driver:
    """The driver of one unit, not yet connected. Raises BadUrl.

    `pinned` is the serial number that must answer (S3). `also_allowed` are verbs that only local policy can
    allow: bypass_on, bypass_off, clear_faults (S2).
    """
    url = urls.parse(text)
    known = schemes()
    if url.scheme not in known:
        names = ", ".join(sorted(known)) or "(no driver is installed)"
        raise BadUrl(text, f"scheme {url.scheme!r} is none of {names}")
    opener: Opener = known[url.scheme].load()
    return opener(url, pinned=pinned, also_allowed=frozenset(also_allowed))
