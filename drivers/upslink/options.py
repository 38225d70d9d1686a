"""The parameters of a UPS-Link URL."""

from __future__ import annotations

import msgspec

from drivers.driver import Pace, Transport
from drivers.errors import BadUrl
from drivers.parameters import Parameter, number, read_parameters, seconds, yes
from drivers.url import Url

BAUD = 2400

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("timeout_s", "1 to 30", "patience for a reply; twice that for the two long ones", seconds(1, 30), 3.0),
    Parameter(
        "minmax",
        "true or false",
        "read the highest and lowest input voltage, which the unit forgets once they are read",
        yes,
        False,
    ),
    Parameter("reconnect_s", "1 to 600", "least time between two tries to connect", seconds(1, 600), 1.0),
    Parameter(
        "fast_s", "0.5 to 60", "time between two status readings; an alert brings one at once", seconds(0.5, 60), 2.0
    ),
    Parameter("full_s", "1 to 3600", "time between two full readings", seconds(1, 3600), 10.0),
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    timeout_s: float = 3.0
    minmax: bool = False
    pace: Pace = Pace(fast_s=2.0, full_s=10.0, reconnect_s=1.0)


def read_options(url: Url) -> Options:
    """Raises BadUrl for an unknown parameter or a value that is not allowed."""
    given = read_parameters(url, PARAMETERS, Transport.SERIAL)
    pace = Pace(
        fast_s=number(given["fast_s"], 2.0),
        full_s=number(given["full_s"], 10.0),
        reconnect_s=number(given["reconnect_s"], 1.0),
    )
    if pace.full_s < pace.fast_s:
        raise BadUrl(url.text, f"full_s={pace.full_s:g} is shorter than fast_s={pace.fast_s:g}")
    return Options(timeout_s=number(given["timeout_s"], 3.0), minmax=bool(given["minmax"]), pace=pace)
