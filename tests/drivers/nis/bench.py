"""A whole apcupsd in memory, as its network information server tells it, and the driver on it."""

from __future__ import annotations

import struct

from drivers.nis.options import read_options
from drivers.nis.runtime.driver import NisDriver
from drivers.url import parse
from tests.drivers.memory import MemoryClock
from tests.drivers.peer_port import PeerPort

SERIAL = "AS1234567890"

KEYS = {
    "DATE": "2026-11-24 04:54:52 +0000  ",
    "HOSTNAME": "nas",
    "VERSION": "3.14.14 (31 May 2016) debian",
    "UPSNAME": "rack",
    "CABLE": "Custom Cable Smart",
    "DRIVER": "APC Smart UPS (any)",
    "UPSMODE": "Stand Alone",
    "STARTTIME": "2026-11-24 04:54:45 +0000  ",
    "MODEL": "Smart-UPS 1500",
    "STATUS": "ONLINE ",
    "LINEV": "231.8 Volts",
    "LOADPCT": "023.4 Percent",
    "LOADAPNT": "18.3 Percent",
    "BCHARGE": "100.0 Percent",
    "TIMELEFT": "62.5 Minutes",
    "MBATTCHG": "5 Percent",
    "MINTIMEL": "3 Minutes",
    "MAXTIME": "0 Seconds",
    "MAXLINEV": "233.2 Volts",
    "MINLINEV": "230.4 Volts",
    "OUTPUTV": "231.8 Volts",
    "SENSE": "Medium",
    "DWAKE": "000 Seconds",
    "DSHUTD": "020 Seconds",
    "DLOWBATT": "02 Minutes",
    "LOTRANS": "208.0 Volts",
    "HITRANS": "253.0 Volts",
    "RETPCT": "15.0 Percent",
    "ITEMP": "25.3 C Internal",
    "ALARMDEL": "30 seconds",
    "BATTV": "27.6 Volts",
    "LINEFREQ": "50.0 Hz",
    "LASTXFER": "Low line voltage",
    "NUMXFERS": "2",
    "SELFTEST": "OK",
    "STESTI": "336",
    "STATFLAG": "0x05000008 Status Flag",
    "MANDATE": "09/02/08",
    "SERIALNO": SERIAL,
    "BATTDATE": "2021-04-15",
    "NOMOUTV": "230 Volts",
    "NOMBATTV": "24.0 Volts",
    "NOMPOWER": "980 Watts",
    "EXTBATTS": "1",
    "BADBATTS": "0",
    "HUMIDITY": "44.0 Percent",
    "AMBTEMP": "21.5 C",
    "FIRMWARE": "652.13.I",
    "END APC": "2026-11-24 04:54:54 +0000  ",
}


class MemoryApcupsd:
    """`instead`: a text that takes the place of the status, as of a daemon that ends."""

    def __init__(self) -> None:
        self.keys = dict(KEYS)
        self.instead = ""
        self.requests: list[bytes] = []

    def open(self) -> None:
        """Nothing is remembered of a client."""

    def answer(self, request: bytes) -> bytes:
        self.requests.append(request)
        (length,) = struct.unpack(">h", request[:2])
        assert request[2 : 2 + length] == b"status"
        lines = [f"{key:<9}: {value}\n" for key, value in self.keys.items()]
        lines.insert(0, f"{'APC':<9}: 001,{len(lines):03},{sum(map(len, lines)):04}\n")
        texts = [self.instead + "\n\0"] if self.instead else lines
        return b"".join(struct.pack(">h", len(text)) + text.encode() for text in texts) + b"\0\0"


class NisBench:
    def __init__(self, also: str = "", *, pinned: str | None = None) -> None:
        self.clock = MemoryClock()
        self.apcupsd = MemoryApcupsd()
        self.port = PeerPort(self.clock, self.apcupsd)
        self.url = "nis://10.0.0.7?" + also
        self.driver = NisDriver(
            self.url,
            self.port,
            read_options(parse(self.url)),
            pinned=pinned,
            clock=self.clock,
            chance=lambda: 0.5,
        )
