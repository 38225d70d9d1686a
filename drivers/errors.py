"""What can go wrong between us and a UPS. The type says whose fault it is; each error carries its data.

DriverError
├── BadUrl                 our caller's: the URL says something no driver understands
├── BadCapture             our caller's: a file is no capture
├── NotAllowed             our caller's: a command that is not on the allow-list (S2)
├── IdentityChanged        another unit answers under this name (S3)
└── LineError              the line's or the unit's
    ├── PortBusy           another process holds the port
    ├── PortLost           the port or connection cannot be opened, or went away
    ├── Refused            the unit's address refuses the connection
    ├── LineDown           the line is lost; the next try is due later
    ├── NoAnswer           nothing came in time
    ├── BadAnswer          what came is not the answer to what was asked
    ├── UnitException      the unit answered, with a Modbus exception
    ├── PeerError          the program that holds the unit (upsd, apcupsd) answered with an error
    └── Stale              the program that holds the unit has no fresh data of it
"""

from __future__ import annotations

EXCEPTION_NAMES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}
"""Modbus application protocol 1.1b3, section 7."""


class DriverError(Exception):
    """Every declared error of this room."""


class BadUrl(DriverError):
    """`problem` says what is wrong with `url` and what would be right."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url}: {problem}")
        self.url = url
        self.problem = problem


class BadCapture(DriverError):
    """`problem` says what is wrong in `line` (from 1; 0 is the whole) of the capture `source`, and what is right."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        super().__init__(f"{source}:{line}: {problem}" if line else f"{source}: {problem}")
        self.source = source
        self.line = line
        self.problem = problem


class NotAllowed(DriverError):
    """A command or a write that is never sent."""


class IdentityChanged(DriverError):
    """Another serial number than the pinned one; nothing is read or executed until `accept`."""

    def __init__(self, expected: str, found: str | None) -> None:
        super().__init__(
            f"another unit answers: serial {found or '(none)'}, expected {expected}; "
            "if the unit was exchanged on purpose, accept the new one"
        )
        self.expected = expected
        self.found = found


class LineError(DriverError):
    """The line or the unit at its other end."""


class PortBusy(LineError):
    def __init__(self, port: str, holder: str) -> None:
        super().__init__(f"{port} is in use by {holder}; stop it or name another port")
        self.port = port
        self.holder = holder


class PortLost(LineError):
    def __init__(self, port: str, why: str) -> None:
        super().__init__(f"{port}: {why}")
        self.port = port
        self.why = why


MODBUS_REFUSED = (
    "refused: TCP Modbus is disabled or its one session is taken. On the unit: "
    "Configuration, Modbus, TCP Protocols: Read-Only; close other masters and wait 15 s"
)


class Refused(LineError):
    """`why` says what refuses and what to look at."""

    def __init__(self, port: str, why: str = MODBUS_REFUSED) -> None:
        super().__init__(f"{port}: {why}")
        self.port = port
        self.why = why


class LineDown(LineError):
    """The line is lost (`cause` says why) and will be tried again in `retry_in_s` seconds."""

    def __init__(self, retry_in_s: float, cause: str) -> None:
        super().__init__(f"line is down, next try in {retry_in_s:.1f} s: {cause}")
        self.retry_in_s = retry_in_s
        self.cause = cause


class NoAnswer(LineError):
    """Nothing, or less than a whole answer, within `waited_s` seconds. `hint` says what to look at."""

    def __init__(self, port: str, waited_s: float, hint: str = "") -> None:
        super().__init__(f"{port}: silent for {waited_s:.2f} s" + (f": {hint}" if hint else ""))
        self.port = port
        self.waited_s = waited_s
        self.hint = hint


class BadAnswer(LineError):
    def __init__(self, port: str, why: str) -> None:
        super().__init__(f"{port}: not the answer to what was asked: {why}")
        self.port = port
        self.why = why


class UnitException(LineError):
    """Modbus exception `code` to `function` at `address`."""

    def __init__(self, function: int, address: int, code: int) -> None:
        name = EXCEPTION_NAMES.get(code, "unknown")
        super().__init__(f"the unit answers exception {code} ({name}) to function {function} at {address}")
        self.function = function
        self.address = address
        self.code = code


class PeerError(LineError):
    """`token` is the program's own word for it (upsd: integrations.md 1.3); `hint` says what to look at."""

    def __init__(self, port: str, token: str, request: str, hint: str = "") -> None:
        super().__init__(f"{port} answers {token} to {request}" + (f": {hint}" if hint else ""))
        self.port = port
        self.token = token
        self.request = request
        self.hint = hint


class Stale(LineError):
    """What the program at `port` holds of the unit is old, or it has lost the unit; `why` says how it tells."""

    def __init__(self, port: str, why: str) -> None:
        super().__init__(f"{port} has no fresh data of this unit: {why}")
        self.port = port
        self.why = why
