"""The parameters of a Modbus URL."""

from __future__ import annotations

import msgspec

from drivers.driver import Pace, Transport
from drivers.errors import BadUrl
from drivers.parameters import Parameter, choice, number, read_parameters, seconds, whole, yes
from drivers.url import Url

_SERIAL, _TCP = Transport.SERIAL, Transport.TCP

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("unit", "1 to 247", "Modbus unit id (Slave ID in the unit's menu)", whole(1, 247), 1),
    Parameter("baud", "1200 to 115200", "speed of the serial line", whole(1200, 115200), 9600, _SERIAL),
    Parameter(
        "parity",
        "none, even or odd",
        "parity of the serial line; the RJ50 port has none",
        choice("none", "even", "odd"),
        "none",
        _SERIAL,
    ),
    Parameter(
        "timeout_s",
        "0.25 to 30",
        "patience for an answer, beyond the time its bytes take: 0.5 on a serial line, 2 on TCP",
        seconds(0.25, 30),
    ),
    Parameter("gap_ms", "35 to 1000", "silence kept before each request", whole(35, 1000), 35, _SERIAL),
    Parameter(
        "nmc",
        "true or false",
        "a network management card: polled every 3 s, and it says 0 for what a unit lacks",
        yes,
        False,
        _TCP,
    ),
    Parameter(
        "one_request_per_connection",
        "true or false",
        "a new connection for each request, 5 s apart; commands are refused",
        yes,
        False,
        _TCP,
    ),
    Parameter(
        "reconnect_s",
        "1 to 600",
        "least time between two tries to connect: 1 on a serial line, 15 on TCP",
        seconds(1, 600),
    ),
    Parameter(
        "fast_s",
        "0.2 to 60",
        "time between two fast readings: 1 on a serial line, 2 on TCP, 3 on a card",
        seconds(0.2, 60),
    ),
    Parameter(
        "full_s",
        "1 to 600",
        "time between two full readings: 5 on a serial line, 6 on TCP, 9 on a card",
        seconds(1, 600),
    ),
)

CONNECTION_GAP_S = 5.0
"""Between two requests where each needs a connection of its own (S4)."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    transport: Transport
    unit: int
    baud: int
    parity: str
    timeout_s: float
    gap_s: float
    nmc: bool
    one_request_per_connection: bool
    pace: Pace


def read_options(url: Url, transport: Transport) -> Options:
    """Raises BadUrl for an unknown parameter or a value that is not allowed."""
    given = read_parameters(url, PARAMETERS, transport)
    nmc, single = bool(given["nmc"]), bool(given["one_request_per_connection"])
    serial = transport is Transport.SERIAL
    fast_s, full_s = (1.0, 5.0) if serial else (10.0, 30.0) if single else (3.0, 9.0) if nmc else (2.0, 6.0)
    reconnect_s = 1.0 if serial else 15.0
    pace = Pace(
        fast_s=number(given["fast_s"], fast_s),
        full_s=number(given["full_s"], full_s),
        reconnect_s=number(given["reconnect_s"], reconnect_s),
        request_gap_s=CONNECTION_GAP_S if single else 0.0,
    )
    if pace.full_s < pace.fast_s:
        raise BadUrl(url.text, f"full_s={pace.full_s:g} is shorter than fast_s={pace.fast_s:g}")
    return Options(
        transport=transport,
        unit=int(number(given["unit"], 1)),
        baud=int(number(given["baud"], 9600)),
        parity=str(given["parity"]),
        timeout_s=number(given["timeout_s"], 0.5 if serial else 2.0),
        gap_s=number(given["gap_ms"], 0) / 1000 if serial else pace.request_gap_s,
        nmc=nmc,
        one_request_per_connection=single,
        pace=pace,
    )
