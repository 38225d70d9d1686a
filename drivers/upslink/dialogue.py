"""What comes from the unit, without the line it comes on: alerts out, the rest is the reply to the one question
that is outstanding (ups-link.md sections 4, 9, 19).
"""

from __future__ import annotations

from drivers.upslink.characters import ALERTS, LINE_LIMIT

ALERTS_KEPT = 64
"""Most alerts remembered; one says as much as a hundred: ask `Q`."""


class Dialogue:
    """Fed with bytes in any portions. `reply` is there once a whole line has come, `odd` says why it never will.

    `alerts` are those noted and not yet followed by a question for the status.
    """

    def __init__(self) -> None:
        self.alerts = ""
        self.reply: str | None = None
        self.odd = ""
        self._asked = False
        self._keeps = ""
        self._lone = ""
        self._line = ""

    @property
    def begun(self) -> bool:
        return bool(self._line)

    def ask(self, keeps: str = "", lone: str = "") -> None:
        """From now on a reply is due. `lone`: a character that is a whole reply without a line end."""
        self.reply, self.odd, self._line = None, "", ""
        self._asked, self._keeps, self._lone = True, keeps, lone

    def rest(self) -> None:
        """Nothing is asked: what comes now was not asked for."""
        self._asked = False

    def seen(self) -> None:
        """The status is asked after all that was noted."""
        self.alerts = ""

    def feed(self, data: bytes) -> int:
        """Takes what came; how many of the bytes were neither alerts nor due."""
        stray = 0
        for char in data.decode("latin-1"):
            if char in ALERTS and char not in self._keeps:
                self._alert(char)
            elif not self._asked or self.reply is not None:
                stray += 1
            else:
                self._add(char)
        if stray and self._asked:
            self.odd = "more came than one reply"
        return stray

    def _alert(self, char: str) -> None:
        self.alerts = (self.alerts + char)[-ALERTS_KEPT:]
        if self._asked and self.reply is None and char in self._lone and not self._line:
            self.reply = char

    def _add(self, char: str) -> None:
        if char == "\n":
            self.reply = self._line.replace("\r", "")
        elif len(self._line) < LINE_LIMIT:
            self._line += char
        else:
            self.odd = f"a line of more than {LINE_LIMIT} characters"
