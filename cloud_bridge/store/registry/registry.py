"""One registry, for any thread: transactions, its schema's version, and the number that tells of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, TimeoutError

from cloud_bridge.store.registry import schema
from cloud_bridge.store.registry.engine import WRITING, connectable, parsed, place_of
from cloud_bridge.store.registry.errors import NewerRegistry, NoRegistry, OlderRegistry, RegistryFailed

_VERSIONS = "alembic_version"


class Registry:
    """Every method raises RegistryFailed while the database can't be used.

    `Registry(place)` is one that is there and has all the `steps` of this version: else NoRegistry, OlderRegistry or
    NewerRegistry.
    """

    def __init__(self, registry: str | Path, steps: Sequence[str] = schema.STEPS) -> None:
        self._url = parsed(registry)
        self.place = place_of(self._url)
        if self._file and not self._file.is_file():
            raise NoRegistry(self.place)
        self._engine = connectable(self._url)
        try:
            self._check_schema(steps)
        except BaseException:
            self.close()
            raise

    @property
    def _file(self) -> Path | None:
        is_file = self._url.get_backend_name() == "sqlite" and self._url.database
        return Path(str(self._url.database)) if is_file else None

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, noticed: bool = False) -> Iterator[Connection]:
        """A transaction that is on the disk when the block ends. `noticed`: it raises `version`."""
        writer = self._engine.connect().execution_options
        with self._told(), writer(**{WRITING: True}) as connection, connection.begin():
            yield connection
            if noticed:
                connection.execute(update(schema.changes).values(version=schema.changes.c.version + 1))

    def version(self) -> int:
        """Grows with each transaction that other processes have to notice; cheap enough to be asked twice a second."""
        with self.reading() as connection:
            return int(connection.execute(select(schema.changes.c.version)).scalar_one())

    def revoked_gateways(self) -> frozenset[str]:
        """Whose word counts for nothing any more."""
        with self.reading() as connection:
            revoked = select(schema.gateways.c.name).where(schema.gateways.c.revoked_at.is_not(None))
            return frozenset(connection.execute(revoked).scalars())

    def _check_schema(self, steps: Sequence[str]) -> None:
        with self.reading() as connection:
            if not inspect(connection).has_table(_VERSIONS):
                raise NoRegistry(self.place)
            step = str(connection.exec_driver_sql(f"SELECT version_num FROM {_VERSIONS}").scalar_one_or_none())
        if step not in steps:
            raise NewerRegistry(self.place, step)
        if step != steps[-1]:
            raise OlderRegistry(self.place, step)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(self.place):
            yield


@contextmanager
def told(place: str) -> Iterator[None]:
    """What keeps the database from working, as RegistryFailed; a mistake of ours stays what it is."""
    try:
        yield
    except IntegrityError:
        raise
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise RegistryFailed(place, _first_line(error)) from error
    except DBAPIError as error:
        if not error.connection_invalidated and "not a database" not in str(error.orig):
            raise
        raise RegistryFailed(place, _first_line(error)) from error


def _first_line(error: DBAPIError | TimeoutError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
