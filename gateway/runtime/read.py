"""The owner's files, read and checked, by a process that may import a YAML parser."""

from __future__ import annotations

import logging
from pathlib import Path

from config.errors import SettingsError
from config.runtime.files import load
from gateway.credentials import Finding
from gateway.order import Source, Wishes
from gateway.policy import Policy
from gateway.runtime.check import check
from gateway.settings import GatewaySettings, unit_from_text, with_units

logger = logging.getLogger("gateway")


def read(source: Source) -> Wishes:
    """Raises SettingsError with every place that is wrong."""
    path = Path(source.config)
    settings = load(path, GatewaySettings)
    try:
        settings = with_units(settings, tuple(unit_from_text(text) for text in source.units))
    except ValueError as error:
        raise SettingsError(reason=f"--unit: {error}") from error
    return Wishes(settings, Policy() if settings.policy is None else load(settings.policy, Policy))


def read_usable(source: Source) -> Wishes:
    """As `read`; SettingsError too for what a gateway must not run with. What is only doubtful is logged."""
    wishes = read(source)
    findings = check(wishes)
    for finding in findings:
        if not finding.fatal:
            logger.warning("%s", finding)
    if fatal := [str(finding) for finding in findings if finding.fatal]:
        raise SettingsError(reason="\n".join(fatal))
    return wishes


def found(source: Source) -> list[Finding]:
    """Everything that is wrong or doubtful. Raises SettingsError."""
    return check(read(source))
