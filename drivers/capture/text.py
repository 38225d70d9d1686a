"""A capture as text. docs/captures.md describes the form; `drivers.capture.parse` reads it back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from drivers.capture.model import (
    FIRST_LINE,
    UNKNOWN,
    VERSION,
    Alert,
    Capture,
    Header,
    Refusal,
    Registers,
    Reply,
    Said,
    Silence,
    Step,
    Variable,
)


def write(capture: Capture) -> str:
    """The whole text."""
    return header_text(capture.header) + "".join(map(step_text, capture.steps))


def header_text(header: Header) -> str:
    """What a file begins with; steps can be appended to it as they come."""
    recorded_at = UNKNOWN if header.recorded_at is None else instant_text(header.recorded_at)
    fields = {
        "made-by": header.made_by,
        "wire": header.wire.value,
        "url": header.url,
        "recorded-at": recorded_at,
        "serial-numbers": "kept" if header.serials_kept else "masked",
    }
    if header.unit is not None:
        fields["unit"] = str(header.unit)
    return f"{FIRST_LINE} {VERSION}\n" + "".join(f"{name}: {value}\n" for name, value in fields.items())


def step_text(step: Step) -> str:
    lines = [f"at {step.at_ms // 1000}.{step.at_ms % 1000:03}", *map(_said_text, step.said)]
    return "\n".join(lines) + "\n"


def _said_text(said: Said) -> str:
    match said:
        case Registers(address, words):
            return f"registers {address} {len(words)}: {' '.join(map(str, words))}"
        case Refusal(address, count, code):
            return f"registers {address} {count}: exception {code}"
        case Silence(address, count, garbled):
            return f"registers {address} {count}: {'garbled' if garbled else 'silence'}"
        case Reply(asked, text):
            return f"asked {json.dumps(asked)}: {'silence' if text is None else json.dumps(text)}"
        case Alert(character):
            return f"alert {json.dumps(character)}"
        case Variable(name, value):
            return f"variable {name}: {json.dumps(value)}"


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
