"""Text from outside, made safe to show (safety rule S6)."""

from __future__ import annotations


def one_line(text: str, limit: int) -> str:
    """`text` as at most `limit` printable characters: what is not printable is escaped, what is cut is told.

    Line ends, ESC, C1 and bidirectional controls are unprintable: a peer can neither forge a line nor steer
    a terminal.
    """
    cut = len(text) - limit
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text[:limit]
    )
    return f"{shown}... ({cut} more)" if cut > 0 else shown
