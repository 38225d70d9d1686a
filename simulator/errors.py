"""What can go wrong in the simulator.

SimulatorError
├── ModelError      no model of that name
├── AddressError    where to listen is no address, or one that is not allowed
├── ListenError     an address cannot be had
├── ControlError    a control line that is not understood, or asks for what this unit cannot do
└── PeerError       `sim ctl` got no answer, or a refusal
"""

from __future__ import annotations

from collections.abc import Iterable


class SimulatorError(Exception):
    """The simulator's declared errors."""


class ModelError(SimulatorError):
    """There is no model `name`; `known` are the names there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"no model is called {name!r}; there are {', '.join(self.known)}")


class AddressError(SimulatorError):
    """Where to listen is not understood or not allowed: bad usage."""


class ListenError(SimulatorError):
    """An address cannot be listened on: taken, foreign or forbidden."""


class ControlError(SimulatorError):
    """A control line cannot be obeyed; `problem` says why and what would be right."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class PeerError(SimulatorError):
    """A control port did not answer, or refused; `address` is the port's."""

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        self.problem = problem
        super().__init__(f"{address}: {problem}")
