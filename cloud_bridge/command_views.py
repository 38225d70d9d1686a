"""Commands to units, as JSON lines, as cells of a table, and in a sentence. Pure."""

from __future__ import annotations

import base64
import binascii

import msgspec
from rich.text import Text

from cloud_bridge.commands import Command, State
from cloud_bridge.views import iso, iso_or_none
from config.text import one_line
from drivers.ups import clean_text
from gateway.wire.orders import Envelope, Order, Stage

HEADINGS = ("asked", "unit", "command", "by", "how far", "outcome", "")
DETAIL_CHARS = 256

_json = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(Envelope)
_order = msgspec.json.Decoder(Order)


def order_of(command: Command) -> Order | None:
    """What was signed; None if nothing was."""
    if command.envelope is None:
        return None
    try:
        return _order.decode(base64.b64decode(_envelope.decode(command.envelope).payload))
    except (msgspec.MsgspecError, binascii.Error):
        return None


def command_json(command: Command) -> str:
    order = order_of(command)
    line: dict[str, object] = {
        "id": command.id,
        "gateway": command.gateway,
        "unit": command.unit,
        "serial": command.serial,
        "verb": command.verb,
        "groups": order.groups if order else None,
        "by": {"role": command.by_role, "name": command.by_name},
        "created_at": iso(command.created_at),
        "expires_at": iso(command.expires_at),
        "state": command.state,
        "stage": command.stage,
        "reason": command.reason,
        "detail": command.detail,
        "outcome": command.outcome,
        "ended_at": iso_or_none(command.ended_at),
    }
    return _json.encode(line).decode()


def command_cells(command: Command) -> list[Text]:
    """As HEADINGS has them."""
    order = order_of(command)
    groups = f" {', '.join(map(str, order.groups))}" if order and order.groups else ""
    return [
        Text(iso(command.created_at)),
        Text(f"{clean_text(command.gateway)}/{clean_text(command.unit)}", "bold"),
        Text(clean_text(command.verb) + groups),
        Text(f"{clean_text(command.by_name)} ({clean_text(command.by_role)})"),
        Text(command.stage or command.state),
        Text(_outcome(command), style_of(command)),
        Text(one_line(command.detail or "", DETAIL_CHARS), "dim"),
    ]


def style_of(command: Command) -> str:
    if command.state is not State.ENDED:
        return "dim"
    return "green" if command.is_done else "bold red"


def _outcome(command: Command) -> str:
    said = command.outcome if command.stage is Stage.FINISHED and command.outcome else command.reason
    return clean_text(said or "") if command.state is State.ENDED else "-"


def sentence(command: Command) -> str:
    """How far it is, for whoever waits for it."""
    detail = f": {one_line(command.detail, DETAIL_CHARS)}" if command.detail else ""
    reason = clean_text(command.reason or "")
    if command.state is State.ENDED:
        match command.stage:
            case Stage.FINISHED:
                return f"{clean_text(command.outcome or reason)}{detail}"
            case Stage.REFUSED:
                return f"refused by the gateway: {reason}{detail}"
            case _:
                return f"{reason}{detail}"
    if command.stage is Stage.ACCEPTED:
        return "accepted by the gateway; it is doing it"
    return _WAITS[command.state]


_WAITS = {
    State.WANTED: "waiting for the gateway's challenge",
    State.CHALLENGED: "signing",
    State.SIGNED: "signed; waiting for the gateway to take it",
}
