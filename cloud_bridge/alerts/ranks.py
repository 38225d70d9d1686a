"""Severities in their order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from drivers.ups import Severity

RANK: Mapping[Severity, int] = MappingProxyType({severity: rank for rank, severity in enumerate(Severity)})
"""Severity names them from the least to the worst; a test holds it to that."""


def worst_of(severities: Iterable[Severity]) -> Severity:
    """Informational of none."""
    return max(severities, key=RANK.__getitem__, default=Severity.INFORMATIONAL)
