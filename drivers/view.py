"""A watch as a person sees it in a terminal. All text is escaped: what a unit says is text from outside (S6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from drivers.driver import LineCounters
from drivers.show import FLAGS, STATE, UNIT
from drivers.ups import clean_text
from drivers.watch import NOTE_LIMIT, Mood, Note, Watch

MARKED_S = 3.0
"""How long a changed value stays marked."""
TWO_COLUMNS = 80
"""Columns of a terminal that has room for two of ours."""
LEAST_EVENTS = 2
"""Events that are shown however low the terminal is."""
LEFT = ("Input", "Output")
_MOODS = {Mood.GOOD: "green", Mood.BAD: "bold red", Mood.PLAIN: ""}
_STATES = {"online": "bold green", "on_battery": "bold red", "off": "bold red", "bypass": "bold yellow"}


def view(watch: Watch, counters: LineCounters, now: float, width: int, height: int) -> RenderableType:
    """Who, how old, and how it is; the groups; flags; the line; as many of the last events as there is room for."""
    right = tuple(heading for heading in watch.sections if heading not in (UNIT, STATE, FLAGS, *LEFT))
    groups = [_groups(watch, LEFT, now), _groups(watch, right, now)]
    body: RenderableType = Group(*groups)
    rows = sum(table.row_count for table in groups)
    if width >= TWO_COLUMNS:
        grid = Table.grid(padding=(0, 2))
        grid.add_row(*groups)
        body, rows = grid, max(table.row_count for table in groups)
    flags = ", ".join(label for label, _ in watch.sections.get(FLAGS, ())) or "none"
    around: list[Text] = [
        _heading(watch, now),
        _state(watch, now),
        Text.assemble(("Flags  ", "bold"), flags),
        Text.assemble(("Line   ", "bold"), _line(counters)),
        Text("Ctrl-C ends the watch", style="dim"),
    ]
    rows += sum(text.cell_len // width + 1 + text.plain.count("\n") for text in around) + 1
    events = list(watch.notes)[-max(LEAST_EVENTS, height - rows - 1) :]
    return Group(*around[:2], body, *around[2:4], *_events(events), around[4])


def _heading(watch: Watch, now: float) -> Text:
    identity, snapshot = watch.identity, watch.snapshot
    who = " ".join(filter(None, (identity.sku or identity.model, identity.serial, identity.name))) or "a UPS"
    state = snapshot.state if snapshot and snapshot.state else "unknown"
    age = Text(f"read {max(0.0, now - watch.read_at):.1f} s ago", style="dim")
    if watch.lost_at is not None:
        retry = "" if watch.retry_at is None else f", next try in {max(0.0, watch.retry_at - now):.0f} s"
        lost = f"LINE LOST for {now - watch.lost_at:.0f} s{retry}: {watch.lost_because}. Readings are old."
        age.append(f"\n{lost}", style="bold white on red")
    shown = Text(str(state).replace("_", " "), style=_STATES.get(str(state), "bold"))
    return Text.assemble((clean_text(who, NOTE_LIMIT), "bold"), "  ", shown, "  ", age)


def _state(watch: Watch, now: float) -> Text:
    """The rest of what the unit says of its state, in one line."""
    rows = [row for row in watch.sections.get(STATE, ()) if row[0] != "state"]
    parts: list[tuple[str, str]] = []
    for label, value in rows:
        parts += [("; " if parts else "", ""), (f"{label} ", "dim"), (value, _style(watch, STATE, label, now))]
    return Text.assemble(*parts)


def _groups(watch: Watch, headings: Iterable[str], now: float) -> Table:
    grid = Table(show_header=False, box=None, pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(no_wrap=True)
    for heading in headings:
        rows = watch.sections.get(heading, ())
        if rows:
            grid.add_row(Text(heading, style="bold"))
        for label, value in rows:
            grid.add_row(Text(f"  {label}"), Text(value, style=_style(watch, heading, label, now)))
    return grid


def _style(watch: Watch, heading: str, label: str, now: float) -> str:
    if watch.lost_at is not None:
        return "dim"
    since_s = watch.changed_since(heading, label, now)
    return "bold yellow" if since_s is not None and since_s < MARKED_S else ""


def _line(counters: LineCounters) -> str:
    answer = "" if counters.last_answer_ms is None else f", last answer in {counters.last_answer_ms:.0f} ms"
    return (
        f"{counters.requests} requests, {counters.answers} answers{answer}; {counters.timeouts} timeouts, "
        f"{counters.bad_crc} bad checksums, {counters.discarded} discarded, {counters.exceptions} exceptions, "
        f"{counters.reopens} reopened"
    )


def _events(notes: Iterable[Note]) -> Iterator[Text]:
    lines = [told(note) for note in notes]
    yield Text("Events of this watch" if lines else "No events in this watch yet", style="bold")
    yield from lines


def told(note: Note) -> Text:
    """One event as a line, in local time."""
    return Text.assemble(
        (f"  {note.at.astimezone():%H:%M:%S}  ", "dim"), (clean_text(note.text, NOTE_LIMIT), _MOODS[note.mood])
    )
