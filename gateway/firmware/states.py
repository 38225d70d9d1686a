"""The states of an upgrade (gateway-ota.md A5)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """From ENTERING on the unit may be in its boot loader: what is begun is ended, whatever anybody asks for."""

    OFFERED = "offered"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    VERIFIED = "verified"
    WAITING = "waiting"
    PRECHECK = "precheck"
    ARMED = "armed"
    ENTERING = "entering"
    TRANSFERRING = "transferring"
    REBOOTING = "rebooting"
    SETTLING = "settling"
    RECOVERING = "recovering"
    COMMITTED = "committed"
    NEEDS_HANDS = "needs_hands"
    REJECTED = "rejected"
    FAILED_DL = "failed_dl"
    CANCELLED = "cancelled"
    DEFERRED = "deferred"


BEYOND = frozenset({State.ENTERING, State.TRANSFERRING, State.REBOOTING, State.SETTLING, State.RECOVERING})
"""Past the point of no return."""

HOLDING = BEYOND | {State.ARMED}
"""Unit, port and redundancy group are reserved."""

TERMINAL = frozenset({State.COMMITTED, State.NEEDS_HANDS, State.REJECTED, State.FAILED_DL, State.CANCELLED})

PREPARING = frozenset(State) - BEYOND - TERMINAL
"""The unit is as it was: whatever is asked for is obeyed."""
