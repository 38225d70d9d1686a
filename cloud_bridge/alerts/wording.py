"""A notice in plain English: its title, its text, and the parts that a page or a mail is made of. Pure.

Names and readings are text from outside (S6): everything goes through `line`. Instants are UTC milliseconds and are
told in the reader's time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Item, Notice
from cloud_bridge.alerts.ranks import RANK
from drivers.ups import NOTHING, READINGS, Reading, clean_text
from gateway.wire.messages import Scalar

LINE_LENGTH = 500
TITLE_LENGTH = 150
BRIEF_LENGTH = 1500
"""Of a chat's or a webhook's text; chats cut at about 2000."""
NAMES_AT_MOST = 3
"""Of devices or stages that a title names."""
SECTIONS_AT_MOST = 20
"""Steps that are told in full; of the others, each has a line."""
LISTED_AT_MOST = 50
"""Devices of an incident that are named."""
DETAILS_AT_MOST = 40
_SOON_MS = 1000
"""What began less before is told without when it began."""
_CODES = frozenset({"cause", "reasons", "source", "state"})
"""Details whose text is a word of ours, told as people say it."""

_READINGS: Mapping[str, Reading] = MappingProxyType({reading.name: reading for reading in READINGS})
_TAGS: Mapping[What, str] = MappingProxyType(
    {
        What.RESOLVED: "over",
        What.UNSTABLE: "unstable",
        What.SUMMARY: "over by now",
        What.ESCALATED: "nobody acknowledged",
    }
)
_SAFE_IN_CHATS = str.maketrans({"[": "(", "]": ")", "<": "‹", ">": "›", "@": "＠", "`": "'"})


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one step of one alert. `advice`: empty where there is nothing to do."""

    heading: str
    when: str
    happened: str
    meaning: str
    advice: str
    details: tuple[tuple[str, str], ...]
    lists: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A whole notice. `lead` comes before the sections, `foot` after them; `others`: a line for each further step."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    others: tuple[str, ...]
    foot: tuple[str, ...]


def line(text: str, limit: int = LINE_LENGTH) -> str:
    """Text from outside, cut to one line of printable characters (S6)."""
    return clean_text(text, limit)


def is_over(notice: Notice) -> bool:
    """Whether all that it tells of has ended."""
    return notice.about is About.ALERT and {item.what for item in notice.items} == {What.RESOLVED}


def title(notice: Notice) -> str:
    """One line: severity, what, where; the notice's own, if it has one."""
    return line(notice.title or _title(notice), TITLE_LENGTH)


def words(notice: Notice) -> Words:
    zone = zone_of(notice.time_zone)
    items = _gravest_first(notice.items)
    told = _once_each(items[:SECTIONS_AT_MOST])
    return Words(
        title=title(notice),
        lead=tuple(_lead(notice, zone)),
        sections=tuple(_section(item, zone) for item in told),
        others=tuple(f"{time_text(item.at, zone)}  {_heading(item)}" for item in items[SECTIONS_AT_MOST:]),
        foot=tuple(_foot(notice)),
    )


def text(notice: Notice) -> str:
    """All of it as plain text, for a mail."""
    said = words(notice)
    parts = [said.title, *said.lead, *map(_section_text, said.sections)]
    if said.others:
        parts.append("\n".join(["Also:", *said.others]))
    if notice.links.turn_on:
        parts.append(f"Turn its notifications on again: {notice.links.turn_on}")
    foot = [*said.foot, *([f"Unsubscribe: {notice.links.unsubscribe}"] if notice.links.unsubscribe else [])]
    return "\n\n".join([*parts, "-- \n" + "\n".join(foot)] if foot else parts) + "\n"


def brief(notice: Notice) -> str:
    """A few lines without the title, for a chat, a short message or a webhook."""
    zone = zone_of(notice.time_zone)
    parts = [row[:BRIEF_LENGTH] for row in _lead(notice, zone)]
    items = _once_each(_gravest_first(notice.items))
    for number, item in enumerate(items):
        row = _brief(item, zone, named=len(items) > 1)
        if sum(map(len, parts)) + len(row) > BRIEF_LENGTH and number:
            parts.append(f"And {len(items) - number} more.")
            break
        parts.append(row[:BRIEF_LENGTH])
    if notice.links.turn_on:
        parts.append(f"Turn its notifications on again: {notice.links.turn_on}")
    return "\n".join(parts)


def for_chat(said: str) -> str:
    """No link, mention or mark-up can be made by what a unit is called."""
    return said.translate(_SAFE_IN_CHATS)


def zone_of(name: str) -> tzinfo:
    """UTC for a name that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def time_text(at: int, zone: tzinfo) -> str:
    return f"{moment(at, zone):%Y-%m-%d %H:%M:%S %Z}"


def moment(at: int, zone: tzinfo) -> datetime:
    """In UTC on the last day of year 9999, which a gateway can name: no zone east of Greenwich has room for it."""
    try:
        return datetime.fromtimestamp(at / 1000, zone)
    except (OverflowError, ValueError):
        return datetime.fromtimestamp(at / 1000, UTC)


def duration_text(seconds: float) -> str:
    """As in 45 s, 12 min 30 s, 3 h 5 min, 7 days."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 2 * 86400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86400, "days", whole % 86400 // 3600, "h")


def value_text(name: str, value: Scalar) -> str:
    """A reading with its unit, as its table in drivers.ups rounds it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "not reported"
    if isinstance(value, str):
        return stage_text(value) if name in _CODES else line(value)
    if name.endswith("_s"):
        return duration_text(value)
    reading = _READINGS.get(name)
    if reading is None:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"{value:.{reading.digits}f} {reading.unit}"


def name_text(name: str) -> str:
    """A detail's name as people say it; its unit stands with its value."""
    reading = _READINGS.get(name)
    return reading.label if reading else stage_text(name.removesuffix("_s"))


def stage_text(stage: str) -> str:
    """An event type as people say it."""
    return line(stage).replace("_", " ")


def _gravest_first(items: tuple[Item, ...]) -> list[Item]:
    """As they came, where they are equally grave."""
    return sorted(items, key=lambda item: -RANK[item.severity])


def _once_each(items: list[Item]) -> list[Item]:
    """Of several steps of one alert the newest is told whole, the others with what happened alone: meaning and figures
    are the alert's, and what was to be done before is not what is to be done now."""
    newest: dict[str, Item] = {}
    for item in items:
        last = newest.get(item.alert)
        if last is None or (item.number, item.at) >= (last.number, last.at):
            newest[item.alert] = item
    return [item if not item.alert or newest[item.alert] is item else _bare(item) for item in items]


def _bare(item: Item) -> Item:
    meaning = "" if item.happened else item.meaning
    return msgspec.structs.replace(item, meaning=meaning, do_this=NOTHING, details={}, lists=())


def _brief(item: Item, zone: tzinfo, *, named: bool) -> str:
    advice = line(item.do_this) if item.do_this != NOTHING else ""
    said = [line(item.happened) or line(item.meaning), f"({time_text(item.at, zone)})", advice]
    listed = [_listed(item.lists)] if item.lists else []
    return "\n".join([(f"{_heading(item)}: " if named else "") + " ".join(filter(None, said)), *listed])


def _title(notice: Notice) -> str:
    where = _where(notice.items)
    of = f" of {where}" if where else ""
    match notice.about:
        case About.MUTED:
            return f"Notifications{of} are off: there were too many"
        case About.DIGEST:
            return f"Not told meanwhile{of}: {_counted(notice.left_out, 'notification')}"
        case About.UNSUBSCRIBED:
            return "Unsubscribed: no more notifications to this address"
        case About.TEST:
            return "Test: notifications arrive here"
        case About.REACHLESS:
            return f"[{notice.severity}] Nobody is left to receive what is critical{of}"
    return f"[{_tag(notice)}] {where or 'Ridethrough'}: {_what(notice.items) or 'an alert'}"


def _tag(notice: Notice) -> str:
    """The severity, and what else all steps have in common; of alerts that all ended, that they are over."""
    tags = {_TAGS.get(item.what, "") for item in notice.items}
    tag = tags.pop() if len(tags) == 1 else ""
    if tag == _TAGS[What.RESOLVED]:
        return tag
    return f"{notice.severity}, {tag}" if tag else str(notice.severity)


def _where(items: tuple[Item, ...]) -> str:
    labels = _first_named(items, lambda item: line(item.label))
    if len(labels) <= NAMES_AT_MOST:
        return ", ".join(labels)
    return f"{', '.join(labels[: NAMES_AT_MOST - 1])} and {len(labels) - NAMES_AT_MOST + 1} more"


def _what(items: tuple[Item, ...]) -> str:
    stages = _first_named(items, lambda item: stage_text(item.stage))
    return ", ".join(stages[:NAMES_AT_MOST]) + (", …" if len(stages) > NAMES_AT_MOST else "")


def _first_named(items: tuple[Item, ...], name: Callable[[Item], str]) -> list[str]:
    """Each once, as they came; of more than a title names the gravest come first."""
    names = list(dict.fromkeys(map(name, items)))
    return names if len(names) <= NAMES_AT_MOST else list(dict.fromkeys(map(name, _gravest_first(items))))


def _lead(notice: Notice, zone: tzinfo) -> Iterable[str]:
    device = _where(notice.items) or "this device"
    until = f" until {time_text(notice.until, zone)}" if notice.until is not None else ""
    match notice.about:
        case About.MUTED:
            rest = (
                "Critical ones are held back too. Notifications come back by themselves."
                if notice.mutes_critical
                else "Critical ones still come. The others come back by themselves."
            )
            yield (
                f"There were so many notifications of {device} that they are off{until}. {rest} "
                "Events are still recorded."
            )
        case About.DIGEST:
            is_back = notice.until is None or notice.until <= notice.at
            why = "while they were off. They are on again" if is_back else f"since they are off{until}"
            yield f"{_counted(notice.left_out, 'notification')} of {device} not sent, {why}."
        case About.UNSUBSCRIBED:
            yield f"This address gets no more notifications of the policy {_policy(notice)}."
            yield "To have them again, the owner saves the policy once more."
        case About.TEST:
            yield "This is a test that somebody asked for. If you can read it, notifications arrive here."
        case About.REACHLESS:
            yield "No policy with a working channel is left that would tell anybody of a critical alert. Save one."
        case _ if notice.left_out:
            yield f"{_counted(notice.left_out, 'further notification')} left out here."


def _foot(notice: Notice) -> Iterable[str]:
    if notice.policy and notice.about not in (About.UNSUBSCRIBED, About.TEST):
        to = f", {line(notice.to)}," if notice.to else ""
        yield f"You{to} get this by the policy {_policy(notice)}."


def _policy(notice: Notice) -> str:
    return f'"{line(notice.policy)}"'


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _heading(item: Item) -> str:
    place = f" ({line(item.place)})" if item.place else ""
    tag = _TAGS.get(item.what, "")
    return f"{line(item.label)}{place}: {stage_text(item.stage)}{f', {tag}' if tag else ''}"


def _section(item: Item, zone: tzinfo) -> Section:
    before = f"{duration_text((item.at - item.onset_at) / 1000)} before" if item.at - item.onset_at >= _SOON_MS else ""
    began = f"; began {time_text(item.onset_at, zone)}, {before}" if before else ""
    details = list(item.details.items())[:DETAILS_AT_MOST]
    return Section(
        heading=_heading(item),
        when=time_text(item.at, zone) + began,
        happened=line(item.happened),
        meaning=line(item.meaning),
        advice="" if item.do_this == NOTHING else line(item.do_this),
        details=tuple((_capital(name_text(name)), value_text(name, value)) for name, value in details),
        lists=tuple(line(label) for label in item.lists[:LISTED_AT_MOST])
        + ((f"and {len(item.lists) - LISTED_AT_MOST} more",) if len(item.lists) > LISTED_AT_MOST else ()),
    )


def _capital(said: str) -> str:
    return said[:1].upper() + said[1:]


def _listed(labels: tuple[str, ...]) -> str:
    more = len(labels) - LISTED_AT_MOST
    return "Devices: " + ", ".join(map(line, labels[:LISTED_AT_MOST])) + (f" and {more} more" if more > 0 else "")


def _section_text(section: Section) -> str:
    rows = [section.heading, section.when, ""]
    rows += [f"What happened: {section.happened}"] if section.happened else []
    rows += [f"What it means: {section.meaning}"] if section.meaning else []
    rows += [f"What to do now: {section.advice}"] if section.advice else []
    rows += ["", "Devices:", *(f"  {label}" for label in section.lists)] if section.lists else []
    width = max((len(name) for name, _ in section.details), default=0)
    rows += ["", *(f"  {name:<{width}}  {value}" for name, value in section.details)] if section.details else []
    return "\n".join(rows)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
