"""Who looks at the gateway on the spot just now: so many at most, and none of them is anybody else's trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

MOST = 16

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Visitors:
    """`welcome` is a server's callback; whoever is one too many is turned away without a word."""

    def __init__(self, serve: Serve, logger: logging.Logger) -> None:
        self._serve = serve
        self._logger = logger
        self._inside: set[asyncio.Task[None]] = set()

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._inside) >= MOST:
            writer.close()
            return
        self._inside.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, ValueError, EOFError, asyncio.CancelledError):
            pass  # gone, too slow, or saying what is no question: nothing to tell anybody
        except Exception:  # top of a visitor's task: its end is not the gateway's
            self._logger.exception("a view of the gateway failed")
        finally:
            self._inside.discard(task)
            writer.close()

    async def end(self) -> None:
        for task in [*self._inside]:
            task.cancel()
        await asyncio.gather(*self._inside, return_exceptions=True)
