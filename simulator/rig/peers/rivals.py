"""modpoll and thingsboard-gateway, reading one simulated unit once a second as our gateway does.

Both read the two blocks that our full poll reads (registers 0 to 26 and 128 to 171, or their values in them), decode a
few values, and publish to a broker on loopback without TLS, which is less work than ours has.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from simulator.rig.patience import until
from simulator.rig.peers.running import free_port, program, running

INSTALLER = "simulator/rig/peers/install bench"
PEERS_INSTALLER = "tests/peers/install"
LISTENS_S = 20.0
MODPOLL, THINGSBOARD = "modpoll", "thingsboard-gateway"
_MOSQUITTO = "listener {port} 127.0.0.1\nallow_anonymous true\n"
_MODPOLL = """\
device,ups,1,,
poll,holding_register,0,27,BE_BE
ref,state,0,uint32,r
ref,cause,2,uint16,r
ref,flags,18,uint16,r
poll,holding_register,128,44,BE_BE
ref,runtime,128,uint32,r
ref,charge,130,uint16,r
ref,battery_v,131,int16,r
ref,load,136,uint16,r
ref,input_v,151,uint16,r
"""
_TAGS = (
    ("state", "32uint", 0, 2),
    ("cause", "16uint", 2, 1),
    ("flags", "32uint", 18, 2),
    ("runtime", "32uint", 128, 2),
    ("charge", "16uint", 130, 1),
    ("battery_v", "16int", 131, 1),
    ("load", "16uint", 136, 1),
    ("input_v", "16uint", 151, 1),
)
"""Name, type, first register and number of registers, as thingsboard-gateway wants them."""
_READ_HOLDING = 3


class Rivals(msgspec.Struct, frozen=True):
    """Process ids by the program's name, and where modpoll logs each of its polls."""

    pids: dict[str, int]
    modpoll_log: Path

    def modpoll_polls(self) -> int:
        """How many polls modpoll has begun."""
        return self.modpoll_log.read_text(errors="replace").count("Modpoll is polling at rate")


@asynccontextmanager
async def rivals(folder: Path, unit: str) -> AsyncIterator[Rivals]:
    """Both, reading the unit at HOST:PORT; `folder` is new. Raises NotInstalled or TooSlow."""
    port, log = free_port(), folder / f"{MODPOLL}.log"
    environment = {"TB_GW_CONFIG_DIR": f"{folder / 'tb'}/", "TB_GW_LOGS_PATH": str(folder / "tb")}
    async with AsyncExitStack() as stack:
        broker = _mosquitto(folder, port)
        await stack.enter_async_context(running(broker, folder / "mosquitto.log"))
        await until(lambda: _listens(port), "mosquitto", LISTENS_S)
        commands = {MODPOLL: _modpoll(folder, unit, port), THINGSBOARD: _thingsboard(folder, unit, port)}
        pids = {
            name: await stack.enter_async_context(running(command, folder / f"{name}.log", environment, folder))
            for name, command in commands.items()
        }
        yield Rivals(pids, log)


def _mosquitto(folder: Path, port: int) -> list[str | Path]:
    folder.mkdir(parents=True)
    settings = folder / "mosquitto.conf"
    settings.write_text(_MOSQUITTO.format(port=port))
    return [program("mosquitto/usr/sbin/mosquitto", PEERS_INSTALLER), "-c", settings]


def _modpoll(folder: Path, unit: str, port: int) -> list[str | Path]:
    settings = folder / "modpoll.csv"
    settings.write_text(_MODPOLL)
    host, _, unit_port = unit.rpartition(":")
    # With paho 2.2 it can't speak MQTT 3.1.1 to a broker.
    mqtt = ("--mqtt-version", "5.0", "--mqtt-host", "127.0.0.1", "--mqtt-port", str(port))
    line = ("--tcp", host, "--tcp-port", unit_port, "-r", "1")
    return [program("venvs/modpoll/bin/modpoll", INSTALLER), "-d", "-f", settings, *line, *mqtt, "--loglevel", "INFO"]


def _thingsboard(folder: Path, unit: str, port: int) -> list[str | Path]:
    settings = folder / "tb"
    settings.mkdir()
    for name, content in (("tb_gateway", _tb_gateway(port)), ("modbus", _tb_modbus(unit)), ("logs", _TB_LOGS)):
        (settings / f"{name}.json").write_text(json.dumps(content))
    start = "from thingsboard_gateway.tb_gateway import main; main()"
    return [program("venvs/thingsboard-gateway/bin/python", INSTALLER), "-c", start]


_TB_LOGS = {
    "version": 1,
    "handlers": {"consoleHandler": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
    "loggers": {},
    "root": {"level": "WARNING", "handlers": ["consoleHandler"]},
}


def _tb_gateway(port: int) -> object:
    """What differs from its defaults: where it sends, that it sends each reading, and that it keeps them in memory."""
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
        },
        "storage": {"type": "memory", "read_records_count": 100, "max_records_count": 100000},
        "grpc": {"enabled": False},
        "connectors": [{"type": "modbus", "name": "ups", "configuration": "modbus.json"}],
    }


def _tb_modbus(unit: str) -> object:
    host, _, port = unit.rpartition(":")
    series = [
        {"tag": tag, "type": kind, "address": first, "objectsCount": count, "functionCode": _READ_HOLDING}
        for tag, kind, first, count in _TAGS
    ]
    slave = {
        "host": host,
        "port": int(port),
        "type": "tcp",
        "method": "socket",
        "unitId": 1,
        "deviceName": "ups",
        "deviceType": "default",
        "timeout": 5,
        "byteOrder": "BIG",
        "wordOrder": "BIG",
        "retries": 1,
        "pollPeriod": 1000,
        "timeseries": series,
    }
    return {"master": {"slaves": [slave]}}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
