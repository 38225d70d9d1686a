"""Records a unit that NUT or apcupsd holds: the variables that they tell."""

from __future__ import annotations

from drivers.capture.model import NAME_LIMIT, TEXT_LIMIT, Said, Variable
from drivers.driver import Pace
from drivers.errors import BadAnswer, NoAnswer
from drivers.nis import frames
from drivers.nis.options import read_options as nis_options
from drivers.nut.options import read_options as nut_options
from drivers.nut.protocol import ANSWER_LIMIT, listing
from drivers.nut.runtime.link import Link
from drivers.nut.runtime.secrets import read_password, tls_context
from drivers.runtime.port import Clock
from drivers.runtime.tcp import TcpPort
from drivers.url import Url


def _variables(rows: dict[str, str]) -> list[Said]:
    """Those that a line of a capture can hold."""
    fit = {name: value[:TEXT_LIMIT] for name, value in rows.items() if 0 < len(name) <= NAME_LIMIT and " " not in name}
    return [Variable(name, value) for name, value in fit.items() if name.isascii() and name.isprintable()]


class NutRecorder:
    """See drivers.capture.runtime.record.Recorder."""

    unit: int | None = None

    def __init__(self, url: Url, clock: Clock) -> None:
        options = nut_options(url)
        self.pace: Pace = options.pace
        self._name = options.name
        self._link = Link(
            TcpPort(options.address, buffer_bytes=2 * ANSWER_LIMIT),
            options,
            clock,
            tls_context(url.text, options),
            None if options.password_file is None else read_password(url.text, options.password_file),
        )

    async def open(self) -> None:
        await self._link.open()

    async def everything(self) -> list[Said]:
        rows = (await self._link.ask(listing("VAR", self._name))).rows
        return _variables({row[0]: row[1] for row in rows if len(row) == 2})

    async def full(self) -> list[Said]:
        return await self.everything()

    async def state(self) -> list[Said]:
        return await self.everything()

    async def close(self) -> None:
        await self._link.close()


class NisRecorder:
    """See drivers.capture.runtime.record.Recorder."""

    unit: int | None = None

    def __init__(self, url: Url, clock: Clock) -> None:
        options = nis_options(url)
        self.pace: Pace = options.pace
        self._timeout_s = options.timeout_s
        self._clock = clock
        self._port = TcpPort(options.address)

    async def open(self) -> None:
        await self._port.open()

    async def everything(self) -> list[Said]:
        await self._port.drain()
        await self._port.write(frames.STATUS_REQUEST)
        reader = frames.Reader()
        deadline = self._clock.monotonic() + self._timeout_s
        while data := await self._port.read(deadline):
            try:
                lines = reader.feed(data)
            except frames.Malformed as error:
                raise BadAnswer(self._port.name, str(error)) from None
            if lines is not None:
                return _variables(dict(frames.keys(lines)))
        raise NoAnswer(self._port.name, self._timeout_s, "is this apcupsd?")

    async def full(self) -> list[Said]:
        return await self.everything()

    async def state(self) -> list[Said]:
        return await self.everything()

    async def close(self) -> None:
        await self._port.close()
