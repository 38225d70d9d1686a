"""What comes and goes: one `unstable` alert instead of twenty (gateway-ota.md C4). Pure."""

from __future__ import annotations

from cloud_bridge.alerts.change import milliseconds, span, words
from cloud_bridge.alerts.model import Alert
from cloud_bridge.alerts.terms import Terms


def onsets(terms: Terms) -> int:
    """How many make it unstable: with the last one, begins and ends come to `flap_changes` or one more."""
    return terms.flap_changes // 2 + 1


def flips_with(flips: tuple[int, ...], now: int, terms: Terms) -> tuple[int, ...]:
    """Onsets within the window, this one too; no more than it takes are kept."""
    recent = [at for at in flips if now - at < milliseconds(terms.flap_window_s)]
    return (*recent, now)[-onsets(terms) :]


def is_flapping(flips: tuple[int, ...], terms: Terms) -> bool:
    return len(flips) >= onsets(terms)


def calm_at(alert: Alert, terms: Terms) -> int:
    """When an unstable alert has been calm for long enough, if nothing comes until then."""
    return alert.flips[-1] + milliseconds(terms.flap_window_s)


def why_unstable(stage: str, terms: Terms) -> str:
    return f"{words(stage)} {onsets(terms)} times within {span(terms.flap_window_s)}: it comes and goes"
