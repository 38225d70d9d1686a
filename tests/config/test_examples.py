"""The commented examples: right as they stand, right with every line in force, and complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from cloud_bridge.settings import CloudSettings, KeyPair
from config.settings import decode
from gateway.settings import GatewaySettings

TYPES: dict[str, type[msgspec.Struct]] = {"gateway.yaml": GatewaySettings, "cloud.yaml": CloudSettings}
FOLDER = Path("/etc/ridethrough")


def example(name: str) -> str:
    """Read as an installed program would read it."""
    return (files("config") / "examples" / name).read_text("utf-8")


def in_force(text: str) -> str:
    """`text` with its commented settings: those after a `#` without a space, and what is inside them."""
    return re.sub(r"^( *)#(?=\S|  )", r"\1", text, flags=re.MULTILINE)


def field_names(type_: inspect.Type) -> Iterator[str]:
    """The keys that settings of this type may hold, at any depth."""
    match type_:
        case inspect.StructType(fields=fields):
            for field in fields:
                yield field.encode_name
                yield from field_names(field.type)
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            yield from field_names(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from field_names(each)


@pytest.mark.parametrize("name", TYPES)
def test_an_example_is_right_as_it_stands(name: str) -> None:
    assert isinstance(decode(example(name), TYPES[name], name, FOLDER), TYPES[name])


@pytest.mark.parametrize("name", TYPES)
def test_an_example_is_right_with_every_commented_setting_in_force(name: str) -> None:
    text = in_force(example(name))
    assert text != example(name)
    assert isinstance(decode(text, TYPES[name], name, FOLDER), TYPES[name])


@pytest.mark.parametrize("name", TYPES)
def test_an_example_shows_every_setting_there_is(name: str) -> None:
    shown = set(re.findall(r"([a-z_]+):(?= |$)", in_force(example(name)), flags=re.MULTILINE))
    assert set(field_names(inspect.type_info(TYPES[name]))) - shown == set()


@pytest.mark.parametrize("name", TYPES)
def test_a_commented_setting_shows_its_default(name: str) -> None:
    """All but what only some gateways have, and what depends on the unit."""
    as_it_stands, all_said = (
        decode(text, TYPES[name], name, FOLDER) for text in (example(name), in_force(example(name)))
    )
    assert plain(as_it_stands) == plain(all_said)


def plain(settings: Any) -> Any:
    values = msgspec.to_builtins(settings, enc_hook=str)
    for key in ("enrolment", "command_key", "policy", "socket", "status_page", "emergency"):
        values.pop(key, None)
    for key in ("public_url", "listen_links", "listen_api", "smtp", "dead_man"):
        values.pop(key, None)
    values["tls"].pop("issuer", None)
    for unit in values.get("units", ()):
        for key in ("fast_status_hz", "full_s", "deadbands"):
            unit.pop(key)
    return values


def test_the_cloud_example_keeps_its_keys_beside_it() -> None:
    settings = decode(example("cloud.yaml"), CloudSettings, "cloud.yaml", FOLDER)
    assert settings.tls.broker == KeyPair(FOLDER / "broker.pem", FOLDER / "broker.key")
    assert settings.data == FOLDER / "data"


def test_the_gateway_example_names_two_units() -> None:
    settings = decode(example("gateway.yaml"), GatewaySettings, "gateway.yaml", FOLDER)
    assert [unit.name for unit in settings.units] == ["rack-1", "rack-2"]
    assert settings.tls.key == FOLDER / "gateway.key"
