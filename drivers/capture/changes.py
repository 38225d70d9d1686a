"""What is news among answers that repeat."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.capture.model import Alert, Refusal, Registers, Reply, Said, Silence


def _question(said: Said) -> tuple[object, ...]:
    """What was asked, so that two answers to it can be told apart from two questions."""
    match said:
        case Registers(address, words):
            return "registers", address, len(words)
        case Refusal(address, count) | Silence(address, count):
            return "registers", address, count
        case Reply(asked):
            return "asked", asked
        case Alert():
            return ("alert",)
    return "variable", said.name


class Changes:
    """Remembers the last answer to each question."""

    def __init__(self) -> None:
        self._last: dict[tuple[object, ...], Said] = {}

    def of(self, answers: Iterable[Said]) -> tuple[Said, ...]:
        """Those that differ from the last to the same question; an alert is always news."""
        news = []
        for said in answers:
            if isinstance(said, Alert) or self._last.get(_question(said)) != said:
                news.append(said)
            self._last[_question(said)] = said
        return tuple(news)
