"""A real process, awaited by its readiness lines and by what it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PROGRAM = Path(sys.executable).with_name("ridethrough")
READY_S = 30.0
"""Two cores may be busy with other tests while an interpreter starts."""
END_S = 15.0


class Process:
    """One running program, in a process group of its own so that what it started ends with it.

    Every wait has a deadline and raises AssertionError with what the program wrote: a failing test shows why.
    Waits block: in an asyncio test that serves the program meanwhile, call them by `asyncio.to_thread`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._open = {"stdout", "stderr"}
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", self._process.stdout), ("stderr", self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        """All of its standard output up to now."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """All of its standard error up to now."""
        return self._text("stderr")

    @property
    def addresses(self) -> dict[str, str]:
        """The listeners that are ready, by name: what the lines `ready: NAME ADDRESS` said last."""
        with self._news:
            lines = [line.split(maxsplit=2) for line in self._lines["stdout"] if line.startswith("ready: ")]
        return {name: address.rstrip() for _, name, address in lines}

    def address(self, name: str, *, within_s: float = READY_S) -> str:
        """Where the listener `name` serves; waits for its readiness line."""
        self._wait(lambda: name in self.addresses, f"no line `ready: {name} ...`", within_s)
        return self.addresses[name]

    def logged(self, text: str, *, times: int = 1, within_s: float = READY_S) -> None:
        """Waits until `text` stands in its standard error `times` times."""
        self._wait(lambda: self.stderr.count(text) >= times, f"nothing logged with {text!r}", within_s)

    def said(self, text: str, *, times: int = 1, within_s: float = READY_S) -> None:
        """Waits until `text` stands in its standard output `times` times."""
        self._wait(lambda: self.stdout.count(text) >= times, f"nothing said with {text!r}", within_s)

    def ended(self, *, within_s: float = END_S) -> int:
        """Waits for its end, reads all it wrote, and returns its exit status: -N if signal N ended it."""
        status = self._status(within_s)
        for reader in self._readers:
            reader.join(END_S)
        return status

    def terminate(self, *, within_s: float = END_S) -> int:
        """Ends it as a service manager does, with SIGTERM, and returns its exit status."""
        return self.interrupt(signal.SIGTERM, within_s=within_s)

    def interrupt(self, with_signal: signal.Signals = signal.SIGINT, *, within_s: float = END_S) -> int:
        """Ends it with a signal, Ctrl-C's unless told otherwise, and returns its exit status."""
        self._process.send_signal(with_signal)
        return self.ended(within_s=within_s)

    def hang_up(self) -> None:
        """Sends SIGHUP: a service reads its settings anew."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Ends this process alone, with SIGKILL, at once; what it started lives on."""
        self._process.kill()
        self._status(END_S)

    def clean_up(self) -> None:
        """Ends it and all it started, in order if it obeys, and closes its pipes."""
        try:
            if self._process.poll() is None:
                self.terminate()
        except AssertionError:
            pass  # the next lines end what does not obey
        finally:
            self._kill_group()
            self._process.wait()
            for reader in self._readers:
                reader.join(END_S)
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()

    def _status(self, within_s: float) -> int:
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._told(f"still runs after {within_s:g} s")) from None

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _read(self, name: str, pipe: IO[bytes]) -> None:
        for line in pipe:
            with self._news:
                self._lines[name].append(line.decode("utf-8", "replace"))
                self._news.notify_all()
        with self._news:
            self._open.discard(name)
            self._news.notify_all()

    def _text(self, name: str) -> str:
        with self._news:
            return "".join(self._lines[name])

    def _wait(self, come: Callable[[], bool], lacking: str, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        with self._news:
            while not come():
                left_s = deadline - time.monotonic()
                if not self._open:
                    raise AssertionError(self._told(f"{lacking}; it ended with status {self._status(END_S)}"))
                if left_s <= 0:
                    raise AssertionError(self._told(f"{lacking} within {within_s:g} s"))
                self._news.wait(left_s)

    def _told(self, what: str) -> str:
        return f"{' '.join(self.command)}: {what}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"
