"""Answers of a control port as lines to read, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from config.text import one_line
from drivers.ups import READINGS

MAX_LINE_CHARS = 400
_LISTS = ("history", "commands", "help")
"""Verbs whose answer is its lines; the head only counts them."""


def show(verb: str, answer: Sequence[dict[str, Any]], *, as_json: bool) -> Iterator[str]:
    """The answer line by line: a list gives a line each, `state` its fields, the rest what was set."""
    head = {name: value for name, value in answer[0].items() if name != "ok"}
    lines = answer[1:] if verb in _LISTS else [head["state"] if verb == "state" else head]
    if as_json:
        yield from (msgspec.json.encode(line).decode() for line in lines)
        return
    render = _RENDER.get(verb, _plain)
    for line in lines:
        yield from (one_line(text, MAX_LINE_CHARS) for text in render(line))


def _plain(fields: dict[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        yield f"{name}: {_text(value)}"


def _text(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
        case list():
            return ", ".join(_text(each) for each in value) or "none"
        case float():
            return f"{value:.2f}".rstrip("0").rstrip(".")
        case True | False:
            return "on" if value else "off"
    return str(value)


def _state(state: dict[str, Any]) -> Iterator[str]:
    identity = state.get("identity", {})
    yield f"{identity.get('name')}: {identity.get('model')}, serial {identity.get('serial')}"
    yield f"{'state':26} {state.get('state')} ({state.get('cause')})"
    yield f"{'flags':26} {_text(state.get('flags', []))}"
    for reading in READINGS:
        value = state.get(reading.name)
        if value is not None:
            yield f"{reading.label:26} {value:.{reading.digits}f} {reading.unit}"
    for name in ("self_test", "calibration"):
        if name in state:
            yield f"{name.replace('_', ' '):26} {_text(state[name])}"
    firmware = state.get("firmware", {})
    if firmware.get("phase", "application") != "application":
        yield f"{'boot loader':26} {_text(firmware)}"
    for outlet in (state.get("main_outlet"), *state.get("switched_outlets", [])):
        if outlet:
            doing = {name: value for name, value in outlet.items() if name != "index"}
            yield f"{'outlet group ' + str(outlet['index']):26} {_text(doing)}"


def _change(change: dict[str, Any]) -> Iterator[str]:
    why = f" ({change['cause']})" if change.get("cause") else ""
    what = change["name"] if change["name"] == change["kind"] else f"{change['kind']} {change['name']}"
    yield f"{change['number']:5} {change['at']} {what}: {_text(change['old'])} -> {_text(change['new'])}{why}"


def _verb(verb: dict[str, Any]) -> Iterator[str]:
    yield f"{verb['verb']} {verb['usage']}".strip()
    yield f"    {verb['help']}"


def _wire(fields: dict[str, Any]) -> Iterator[str]:
    """Settings as they are; of faults a line each, and what there can be where that was asked."""
    if "faults" not in fields:
        yield from _plain(fields)
        return
    for wire, faults in fields["faults"].items():
        if not faults:
            yield f"{wire:12} no fault is on"
        for kind, order in faults.items():
            given = " ".join(f"{name}={_text(value)}" for name, value in order.items() if value is not None)
            yield f"{wire:12} {kind:16} {given}"
    helps: dict[str, tuple[str, list[str]]] = {}
    for wire, known in fields.get("known", {}).items():
        for kind, help_ in known.items():
            helps.setdefault(kind, (help_, []))[1].append(wire)
    for kind, (help_, wires) in helps.items():
        yield f"{kind:16} {help_} ({', '.join(wires)})"


_RENDER = {"state": _state, "history": _change, "help": _verb, "wire": _wire}
