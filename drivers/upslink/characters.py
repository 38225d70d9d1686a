"""The characters of UPS-Link that are asked, and the form of each reply (ups-link.md section 5).

There is no checksum: the form is all that tells a reply from what is left of another. What fits no form is never a
reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

ENTER = "Y"
"""Enters smart mode; may be repeated at any time."""
SMART = "SM"
"""The answer to ENTER; to `Q` it says "not ready yet"."""
NOT_AVAILABLE = "NA"
ALERTS = "!$%+?=*#&|"
"""Single characters that a unit says unasked, even inside a reply (section 9)."""
LINE_LIMIT = 512
"""Most characters of a reply; one real reply to ^Z has 254, NUT takes 511 for `a`."""

MODEL, CAPABILITIES, PANEL, SHOWN = "\x01", "\x1a", "\x0c", "\\"
"""^A, ^Z, ^L and the backslash (apparent load)."""

_HEX = "[0-9A-F]{2}"
_TENTHS = r"[0-9]{3}\.[0-9]"
_HUNDREDTHS = r"[0-9]{2}\.[0-9]{2}"
_WHOLE = "[0-9]{3}"
_DATE = "[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}"
_RUNG = f"[{re.escape(ALERTS)}]*"
_LISTS = r"\.[^.\r\n]*\.[^.\r\n]+(?:\.[^\r\n]+)?"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `form` is the whole reply without its line end; `examples` are real replies of that form.

    `keeps`: alert characters that belong to the reply. `patience`: times as long as other replies may take.
    """

    char: str
    meaning: str
    form: str
    examples: tuple[str, ...]
    keeps: str = ""
    patience: int = 1

    def fits(self, reply: str) -> bool:
        return re.fullmatch(self.form, reply) is not None


def _asked(char: str, meaning: str, form: str, *examples: str) -> Query:
    return Query(char=char, meaning=meaning, form=form, examples=examples)


_TABLE = (
    # measurements and state (5.1)
    _asked("Q", "status", f"{_HEX}|{SMART}", "08", "10", "50"),
    _asked("9", "line quality", "FF|00", "FF", "00"),
    _asked("G", "cause of the last transfer", "[A-Z]", "O", "S"),
    _asked("X", "self-test result", "OK|BT|NG|NO", "OK", "NO"),
    _asked("L", "input voltage", _TENTHS, "118.3", "007.1"),
    _asked("M", "highest input voltage since the last M", _TENTHS, "118.9"),
    _asked("N", "lowest input voltage since the last N", _TENTHS, "118.1"),
    _asked("O", "output voltage", _TENTHS, "118.3"),
    _asked("F", "frequency", _HUNDREDTHS, "60.00"),
    _asked("P", "load", _TENTHS, "023.5"),
    _asked("/", "output current", _HUNDREDTHS, "00.88", "07.29"),
    _asked(SHOWN, "apparent load", _TENTHS, "031.0"),
    _asked("f", "battery charge", _TENTHS, "100.0", "099.0"),
    _asked("B", "battery voltage", f"{_HUNDREDTHS}|{_TENTHS}", "27.87", "218.1"),
    _asked("j", "runtime left, minutes", "[0-9]{2,5}:", "0327:"),
    _asked("C", "internal temperature", f"{_TENTHS}|-[0-9]{{2}}\\.[0-9]|[0-9]{{2}}", "036.0", "36"),
    _asked("~", "register 1", _HEX, "00"),
    _asked("'", "register 2", _HEX, "00"),
    _asked("8", "register 3", _HEX, "00"),
    # Measure-UPS card (5.2)
    _asked("h", "ambient humidity", _TENTHS, "042.4"),
    _asked("t", "ambient temperature", f"-?[0-9]{{2}}\\.[0-9]{{1,2}}|{_TENTHS}", "80.5", "24.13"),
    # identity (5.3, 13)
    _asked(MODEL, "model", "[A-Za-z][ -~]{3,39}", "SMART-UPS 700", "Smart-UPS RT 10000 XL   "),
    _asked("n", "serial number", "(?:[0-9A-Za-z()*_-]{4,24} *)?", "WS9643050926", "B21130002653  ", "07025563"),
    _asked("b", "firmware", f"[0-9]{{1,3}}(?:\\.[0-9A-Za-z]{{1,6}}){{2}}|{_HEX}", "50.9.D", "112.1DL4.I"),
    _asked("V", "old firmware code", "(?:[0-9A-Z]{3})?", "GWD", "5YI"),
    _asked("m", "manufacture date", _DATE, "11/29/96"),
    _asked("c", "name", "[ -~]{0,8}", "UPS_IDEN"),
    _asked("x", "battery replaced", "[ -~]{0,8}", "11/29/96", "11/6/03"),
    _asked("g", "nominal battery voltage", _WHOLE, "024", "192"),
    _asked(">", "external battery packs", _WHOLE, "000"),
    _asked("<", "bad battery packs", _WHOLE, "000"),
    # settings (5.3)
    _asked("u", "upper transfer voltage", _WHOLE, "132"),
    _asked("l", "lower transfer voltage", _WHOLE, "103"),
    _asked("s", "sensitivity", "[HMLA]", "H"),
    _asked("o", "nominal output voltage", _WHOLE, "115", "230"),
    _asked("e", "charge needed before return", "[0-9]{2,3}", "00", "090"),
    _asked("p", "shutdown delay, s", _WHOLE, "020"),
    _asked("r", "wake-up delay, s", _WHOLE, "000"),
    _asked("q", "low battery warning, minutes", "[0-9]{2}", "02"),
    _asked("k", "alarm delay", "[0TLN]", "0"),
    _asked("E", "self-test interval", "[0-9]{3}|ON ?|OFF", "336", "ON ", "OFF"),
    # what the unit understands (10, 11)
    Query(
        char="a",
        meaning="protocol, alerts, commands",
        form=f"{_RUNG}[0-9]{_RUNG}{_LISTS}",
        examples=("3.!$%+?=#|.\x01\x0e\x1a')+-89@ABD",),
        keeps=ALERTS,
        patience=2,
    ),
    Query(
        char=CAPABILITIES,
        meaning="permitted values",
        form="#[^\r\n]+",
        examples=("#uD43132135138129lI43196188208204",),
        keeps="#",
        patience=2,
    ),
)

QUERIES: Mapping[str, Query] = MappingProxyType({query.char: query for query in _TABLE})
"""Every character that may be asked (S2). Never 0 to 6, `1` above all (7.4)."""
