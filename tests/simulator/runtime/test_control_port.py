"""The control port as its peers meet it: lines in, JSON lines out, and what it will not hear (S26)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.control import LINE_LIMIT
from simulator.errors import PeerError
from simulator.models import find_model
from simulator.runtime.control import MAX_CONNECTIONS, ControlListener, serve_control
from simulator.runtime.ctl import ask
from simulator.runtime.engine import Engine


@asynccontextmanager
async def served(token: str | None = None) -> AsyncIterator[ControlListener]:
    listener = await serve_control(Engine(find_model("SMT1500RM2UC")), "127.0.0.1:0", token)
    try:
        yield listener
    finally:
        await listener.close()


class Peer:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, listener: ControlListener) -> Peer:
        host, port = listener.address.split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> dict[str, Any] | None:
        """The next line of the answer, None once the port has closed."""
        line = await asyncio.wait_for(self._reader.readline(), 10)
        return json.loads(line) if line else None

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_each_line_is_answered_in_its_order() -> None:
    async with served() as listener:
        peer = await Peer.to(listener)
        peer.send(b"load 80\r\nload\n\nstate\n")
        assert await peer.answer() == {"ok": True, "load_pct": 80}
        refused = await peer.answer()
        assert refused is not None
        assert (refused["ok"], refused["error"]) == (False, "expected `load PERCENT`")
        state = await peer.answer()
        assert state is not None
        assert state["state"]["load_pct"] == 80
        await peer.close()


async def test_the_client_reads_lists_to_their_end_and_tells_refusals() -> None:
    async with served() as listener:
        await asyncio.to_thread(ask, listener.address, "mains off")
        head, *lines = await asyncio.to_thread(ask, listener.address, "history")
        assert head["lines"] == len(lines) > 0
        with pytest.raises(PeerError, match="unknown verb"):
            await asyncio.to_thread(ask, listener.address, "dance")


async def test_the_client_says_where_nobody_answered() -> None:
    async with served() as listener:
        address = listener.address
    with pytest.raises(PeerError) as caught:
        await asyncio.to_thread(ask, address, "state")
    assert caught.value.address == address


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"POST /mains HTTP/1.0",
        b"post /",
        b"OPTIONS * HTTP/1.1",
        b"mains off HTTP/1.1",
        b"CONNECT a:1 http/2",
    ],
)
async def test_s26_a_line_that_looks_like_http_closes_the_connection_unanswered(line: bytes) -> None:
    async with served() as listener:
        peer = await Peer.to(listener)
        peer.send(line + b"\r\nmains off\r\n")
        assert await peer.answer() is None
        state = (await asyncio.to_thread(ask, listener.address, "state"))[0]["state"]
        assert state["simulator"]["mains"]["voltage_v"] == 120
        await peer.close()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
async def test_s26_it_listens_on_loopback_only_unless_it_has_a_token(address: str) -> None:
    engine = Engine(find_model("SMT1500RM2UC"))
    with pytest.raises(ValueError, match="loopback only"):
        await serve_control(engine, address)
    listener = await serve_control(engine, "0.0.0.0:0", "secret")
    await listener.close()


async def test_s26_with_a_token_nothing_is_done_before_it_was_shown() -> None:
    async with served("s3cret") as listener:
        for first in (b"mains off\n", b"token wrong\n", b"token\n"):
            peer = await Peer.to(listener)
            peer.send(first + b"mains off\n")
            refused = await peer.answer()
            assert refused is not None
            assert refused["ok"] is False
            assert await peer.answer() is None
            await peer.close()
        state = (await asyncio.to_thread(ask, listener.address, "state", "s3cret"))[0]["state"]
        assert state["simulator"]["mains"]["voltage_v"] == 120
        with pytest.raises(PeerError, match="token"):
            await asyncio.to_thread(ask, listener.address, "state")


async def test_a_line_that_never_ends_closes_the_connection() -> None:
    async with served() as listener:
        peer = await Peer.to(listener)
        peer.send(b"x" * (LINE_LIMIT * 3))
        refused = await peer.answer()
        assert refused == {"ok": False, "error": f"a line is at most {LINE_LIMIT} bytes"}
        assert await peer.answer() is None
        await peer.close()


async def test_bytes_that_are_no_text_close_the_connection() -> None:
    async with served() as listener:
        peer = await Peer.to(listener)
        peer.send(b"mains \xff\n")
        assert await peer.answer() == {"ok": False, "error": "not ASCII text"}
        assert await peer.answer() is None
        await peer.close()


async def test_only_so_many_connections_are_open_at_once() -> None:
    async with served() as listener:
        peers = [await Peer.to(listener) for _ in range(MAX_CONNECTIONS)]
        for peer in peers:
            peer.send(b"speed 1\n")
            assert await peer.answer() == {"ok": True, "speed": 1.0}
        late = await Peer.to(listener)
        refused = await late.answer()
        assert refused is not None
        assert "open already" in refused["error"]
        for peer in [*peers, late]:
            await peer.close()
        with pytest.raises(PeerError, match="no answer"):
            await asyncio.to_thread(ask, "127.0.0.1:1", "state")


async def test_closing_ends_every_session() -> None:
    async with served() as listener:
        peer = await Peer.to(listener)
        peer.send(b"speed 1\n")
        await peer.answer()
    assert await peer.answer() is None
    await peer.close()
