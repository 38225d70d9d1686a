"""`python -m tests.gateway.killed N TASK ...`: does a task and is killed, as by kill -9, before its Nth step on disk.

Steps are what the interpreter itself reports: opening a file to write, renaming, removing. Status 0: it ended in peace.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gateway.renewal import Task
from gateway.runtime import pair
from gateway.runtime.enrol import enrol
from gateway.runtime.renew import perform
from gateway.settings import Tls
from gateway.wire import token as tokens

ROOT = Path(__file__).parents[2]
_STEPS = frozenset({"os.rename", "os.remove", "os.mkdir"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_at(step: int, task: str, argument: str) -> bool:
    """Whether it was killed; False: it has ended before it came to that step."""
    command = [sys.executable, "-m", __spec__.name, str(step), task, argument]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def main(arguments: list[str]) -> None:
    step, task, argument = int(arguments[0]), arguments[1], arguments[2]
    _arm(step)
    _TASKS[task](argument)


def _arm(step: int) -> None:
    left = step

    def count(event: str, details: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _STEPS or (event == "open" and isinstance(details[2], int) and details[2] & _WRITES):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _enrol(argument: str) -> None:
    folder, text = argument.split(" ", 1)
    enrol(Path(folder), tokens.decode(text), lambda _: None)


def _renew(argument: str) -> None:
    task = msgspec.json.decode(argument, type=Task, dec_hook=lambda kind, value: kind(value))
    trouble = perform(task).trouble
    assert not trouble, trouble


def _tls(argument: str) -> Tls:
    return msgspec.json.decode(argument, type=Tls, dec_hook=lambda kind, value: kind(value))


_TASKS: dict[str, Callable[[str], object]] = {
    "enrol": _enrol,
    "renew": _renew,
    "take": lambda argument: pair.take(_tls(argument)),
    "settle": lambda argument: pair.settle(_tls(argument)),
}

if __name__ == "__main__":
    main(sys.argv[1:])
