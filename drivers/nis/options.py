"""What a nis:// URL says: nis://HOST[:PORT] and its parameters."""

from __future__ import annotations

import msgspec

from drivers import url as urls
from drivers.driver import Pace, Transport
from drivers.errors import BadUrl
from drivers.parameters import Parameter, number, read_parameters, seconds

DEFAULT_PORT = 3551

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "max_age_s",
        "10 to 3600",
        "oldest reading of apcupsd's that counts; it reads a unit every POLLTIME, 60 s unless told otherwise: 180",
        seconds(10, 3600),
        180.0,
    ),
    Parameter("timeout_s", "0.25 to 30", "patience for an answer: 5", seconds(0.25, 30), 5.0),
    Parameter("reconnect_s", "1 to 600", "least time between two tries to connect: 5", seconds(1, 600), 5.0),
    Parameter("full_s", "1 to 600", "time between two readings: 5", seconds(1, 600), 5.0),
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    address: urls.Address
    max_age_s: float
    timeout_s: float
    pace: Pace


def read_options(url: urls.Url) -> Options:
    """Raises BadUrl."""
    if not url.target.strip("/"):
        raise BadUrl(url.text, "no host; one looks like nis://10.0.0.7:3551")
    given = read_parameters(url, PARAMETERS, Transport.TCP)
    full_s = number(given["full_s"], 5.0)
    return Options(
        address=urls.address(url, url.target, DEFAULT_PORT),
        max_age_s=number(given["max_age_s"], 180.0),
        timeout_s=number(given["timeout_s"], 5.0),
        pace=Pace(fast_s=full_s, full_s=full_s, reconnect_s=number(given["reconnect_s"], 5.0)),
    )
