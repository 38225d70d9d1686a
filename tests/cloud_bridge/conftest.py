"""A registry on either database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry
from tests.conftest import PEERS, lacking
from tests.peers.postgresql import postgresql_at

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """SQLAlchemy's URL of a real server, with rights to make databases."""
    found = sorted(PEERS.glob("postgresql/usr/lib/postgresql/*/bin"))
    if not found:
        lacking(f"{PEERS / 'postgresql'} is not there: run tests/peers/install")
    with postgresql_at(found[-1]) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a registry can be made."""
    if request.param == "sqlite":
        return tmp_path / "data" / "registry.sqlite3"
    return new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def place(empty: str | Path) -> str | Path:
    """Where a registry was made."""
    migrate(empty)
    return empty


@pytest.fixture
def registry(place: str | Path) -> Iterator[Registry]:
    with Registry(place) as registry:
        yield registry


def new_database(server: str) -> str:
    """The URL of an empty database."""
    name = f"registry_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
