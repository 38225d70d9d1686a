"""What a nut:// URL says: nut://HOST[:PORT]/NAME and its parameters."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from drivers import url as urls
from drivers.driver import Pace, Transport
from drivers.errors import BadUrl
from drivers.nut.protocol import bare
from drivers.parameters import Parameter, Value, choice, number, read_parameters, seconds

DEFAULT_PORT = 3493
NAME_LIMIT = 64
"""Most characters of a UPS name, a user name and a password."""


class Tls(StrEnum):
    """Whether the connection is encrypted: must be, if upsd can, or not."""

    REQUIRE = "require"
    TRY = "try"
    NO = "no"


def _text(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(text)
    return text


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "tls",
        "require, try or no",
        "STARTTLS: insist on it, use it if upsd offers it, or never; require where ca is given, else try",
        choice(*Tls),
    ),
    Parameter("ca", "a file", "authority that upsd's certificate must be of; without it any is taken", _text),
    Parameter("user", "a name", "user of upsd.users; for commands and settings only", _text),
    Parameter("password_file", "a file", "with the user's password in its first line; mode 0600", _text),
    Parameter("timeout_s", "0.25 to 30", "patience for an answer: 3", seconds(0.25, 30), 3.0),
    Parameter("reconnect_s", "1 to 600", "least time between two tries to connect: 5", seconds(1, 600), 5.0),
    Parameter("fast_s", "0.2 to 30", "time between two fast readings: 2", seconds(0.2, 30), 2.0),
    Parameter("full_s", "1 to 600", "time between two full readings: 6", seconds(1, 600), 6.0),
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the unit's in upsd. `ca`, `password_file` are paths."""

    address: urls.Address
    name: str
    tls: Tls
    ca: str | None
    user: str | None
    password_file: str | None
    timeout_s: float
    pace: Pace


def _given(value: Value | None) -> str | None:
    return None if value is None else str(value)


def read_options(url: urls.Url) -> Options:
    """Raises BadUrl."""
    host, _, name = url.target.rstrip("/").partition("/")
    given = read_parameters(url, PARAMETERS, Transport.TCP)
    pace = Pace(
        fast_s=number(given["fast_s"], 2.0),
        full_s=number(given["full_s"], 6.0),
        reconnect_s=number(given["reconnect_s"], 5.0),
    )
    if pace.full_s < pace.fast_s:
        raise BadUrl(url.text, f"full_s={pace.full_s:g} is shorter than fast_s={pace.fast_s:g}")
    ca, user, password_file = (_given(given[key]) for key in ("ca", "user", "password_file"))
    tls = Tls(str(given["tls"] or (Tls.REQUIRE if ca else Tls.TRY)))
    if ca and tls is not Tls.REQUIRE:
        raise BadUrl(url.text, f"ca= proves nothing with tls={tls}; leave tls out or say tls=require")
    if (user is None) != (password_file is None):
        raise BadUrl(url.text, "user= and password_file= go together")
    return Options(
        address=urls.address(url, host, DEFAULT_PORT),
        name=_name(url, name, "the unit's name in upsd (nut://HOST/NAME)"),
        tls=tls,
        ca=ca,
        user=None if user is None else _name(url, user, "the user's name"),
        password_file=password_file,
        timeout_s=number(given["timeout_s"], 3.0),
        pace=pace,
    )


def _name(url: urls.Url, text: str, what: str) -> str:
    try:
        if len(text) <= NAME_LIMIT:
            return bare(text)
    except ValueError:
        pass
    raise BadUrl(url.text, f"{what} must be 1 to {NAME_LIMIT} characters without blanks and quotes, not {text!r}")
