"""One owner a port: who is served when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.line import Line, Urgency


class Port:
    """Work on a line that shows who is at it; each piece goes on until it is let go."""

    def __init__(self) -> None:
        self.line = Line()
        self.began: list[str] = []
        self.at_work = 0
        self._let_go: dict[str, asyncio.Event] = {}

    def ask(self, name: str, urgency: Urgency) -> asyncio.Task[str]:
        self._let_go[name] = asyncio.Event()
        return asyncio.create_task(self.line.serve(urgency, self._work(name)))

    def let_go(self, name: str) -> None:
        self._let_go[name].set()

    async def is_let_go(self, name: str) -> None:
        await self._let_go[name].wait()

    def _work(self, name: str) -> Callable[[], Awaitable[str]]:
        async def work() -> str:
            self.began.append(name)
            self.at_work += 1
            assert self.at_work == 1
            try:
                await self._let_go[name].wait()
            finally:
                self.at_work -= 1
            return name

        return work


async def settled() -> None:
    """Once every task that could go on has."""
    loop = asyncio.get_running_loop()
    for _ in range(5):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


async def test_a_command_waits_for_the_exchange_in_progress_and_for_nothing_else() -> None:
    port = Port()
    polls = [port.ask(name, Urgency.POLL) for name in ("poll", "second", "third")]
    await settled()
    command = port.ask("command", Urgency.COMMAND)
    await settled()
    assert port.began == ["poll"]
    port.let_go("poll")
    await settled()
    assert port.began == ["poll", "command"]
    for name in ("command", "second", "third"):
        port.let_go(name)
    assert await asyncio.gather(command, *polls) == ["command", "poll", "second", "third"]


@given(st.lists(st.tuples(st.sampled_from(Urgency), st.sampled_from(["stay", "leave"])), max_size=12))
def test_whoever_waits_is_served_once_the_most_urgent_first_and_a_quitter_blocks_nobody(
    requests: list[tuple[Urgency, str]],
) -> None:
    async def scenario() -> None:
        port = Port()
        first = port.ask("first", Urgency.POLL)
        await settled()
        tasks = {str(number): port.ask(str(number), urgency) for number, (urgency, _) in enumerate(requests)}
        await settled()
        for name, (_, what) in zip(tasks, requests, strict=True):
            port.let_go(name)
            if what == "leave":
                tasks[name].cancel()
        await settled()
        order = sorted(tasks, key=lambda name: (requests[int(name)][0], int(name)))
        port.let_go("first")
        await asyncio.gather(first, *tasks.values(), return_exceptions=True)
        assert port.began == ["first", *(name for name in order if requests[int(name)][1] == "stay")]
        after = port.ask("after", Urgency.POLL)
        port.let_go("after")
        assert await after == "after"

    asyncio.run(scenario())


async def test_one_who_gives_up_in_the_moment_of_its_turn_passes_it_on() -> None:
    port = Port()
    first, quitter, last = (port.ask(name, Urgency.POLL) for name in ("first", "quitter", "last"))
    await settled()

    async def quit_when_it_is_its_turn() -> None:
        await port.is_let_go("first")  # woken behind the first, whose end has given the turn away by then
        quitter.cancel()

    quitting = asyncio.create_task(quit_when_it_is_its_turn())
    await settled()
    port.let_go("first")
    port.let_go("last")
    await quitting
    assert (await first, await last) == ("first", "last")
    assert quitter.cancelled()
    assert port.began == ["first", "last"]


async def test_work_that_fails_frees_the_line() -> None:
    line = Line()

    async def fails() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await line.serve(Urgency.POLL, fails)
    port = Port()
    port.line = line
    after = port.ask("after", Urgency.COMMAND)
    port.let_go("after")
    assert await after == "after"
