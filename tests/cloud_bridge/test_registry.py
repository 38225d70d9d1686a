"""The registry, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cloud_bridge.register import Certificate, Claimed, Token
from cloud_bridge.store.registry import alert_tables, gateways, schema, tokens
from cloud_bridge.store.registry.engine import parsed, place_of
from cloud_bridge.store.registry.errors import (
    NewerRegistry,
    NoRegistry,
    OlderRegistry,
    RegistryError,
    RegistryFailed,
    UnknownGateway,
)
from cloud_bridge.store.registry.migrate import MIGRATIONS, migrate
from cloud_bridge.store.registry.registry import Registry

NOW = 1_795_487_455_123
HOUR = 3_600_000


def certificate(number: int, gateway: str = "pi-1", key: str = "", issued_at: int = NOW) -> Certificate:
    return Certificate(
        serial_number=format(number, "x"),
        gateway=gateway,
        issued_at=issued_at,
        expires_at=issued_at + 90 * 24 * HOUR,
        fingerprint=f"{number:064x}",
        public_key_digest=key or f"{number:064d}",
        pem=f"certificate {number}",
    )


def enrolled(registry: Registry, *numbers: int, gateway: str = "pi-1") -> None:
    with registry.writing() as connection:
        gateways.register(connection, gateway, NOW)
        for number in numbers:
            gateways.record(connection, certificate(number, gateway))


def test_a_registry_is_made_once_and_opened_often(empty: str | Path) -> None:
    with pytest.raises(NoRegistry):
        Registry(empty)
    migrate(empty)
    migrate(empty)
    with Registry(empty) as one, Registry(empty) as other:
        assert one.version() == other.version() == 1


def test_two_services_that_start_together_make_one_registry(empty: str | Path) -> None:
    together = threading.Barrier(4)

    def start() -> int:
        together.wait(10)
        migrate(empty)
        with Registry(empty) as registry:
            return registry.version()

    with ThreadPoolExecutor(4) as pool:
        assert [each.result() for each in [pool.submit(start) for _ in range(4)]] == [1] * 4


def test_what_the_steps_make_is_what_the_tables_say(registry: Registry) -> None:
    with registry.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, alert_tables.owners.metadata) == []


def test_every_step_is_listed_in_order() -> None:
    steps = [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert tuple(reversed(steps)) == schema.STEPS


def test_a_registry_of_a_later_version_is_refused_by_name_and_left_alone(place: str | Path) -> None:
    with Registry(place) as registry, registry.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'registry_9999'"))
    for attempt in (Registry, migrate):
        with pytest.raises(NewerRegistry, match="registry_9999"):
            attempt(place)


def test_a_registry_of_an_earlier_version_is_refused_until_it_is_brought_forward(place: str | Path) -> None:
    with pytest.raises(OlderRegistry, match=rf"{schema.STEPS[-1]}.*ridethrough cloud run"):
        Registry(place, steps=(*schema.STEPS, "registry_next"))


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    migrate(tmp_path / "data" / "registry.sqlite3")
    assert stat.S_IMODE((tmp_path / "data" / "registry.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "novel"
    path.write_bytes(b"once upon a time " * 1000)
    with pytest.raises(RegistryFailed, match="novel"):
        Registry(path)
    with pytest.raises(RegistryFailed, match="novel"):
        migrate(path)


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(RegistryFailed) as raised:
        Registry("postgresql+psycopg://me:secret@127.0.0.1:1/registry")
    assert "127.0.0.1:1" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite:///x", "postgresql://h/d", "://", "x://y:z@["])
def test_a_database_of_another_kind_is_refused_in_words(url: str) -> None:
    with pytest.raises(RegistryError, match=r"postgresql\+psycopg://"):
        parsed(url)


def test_a_place_is_named_without_a_password(tmp_path: Path) -> None:
    assert place_of(parsed(tmp_path / "r.sqlite3")) == str(tmp_path / "r.sqlite3")
    assert "secret" not in place_of(parsed("postgresql+psycopg://me:secret@h/d"))


def test_the_version_grows_with_what_others_have_to_notice_and_with_nothing_else(registry: Registry) -> None:
    with registry.writing() as connection:
        gateways.register(connection, "pi-1", NOW)
    assert registry.version() == 1
    with registry.writing(noticed=True):
        pass
    assert registry.version() == 2
    with pytest.raises(UnknownGateway), registry.writing(noticed=True) as connection:
        gateways.revoke(connection, "pi-2", "", NOW)
    assert registry.version() == 2


def test_a_transaction_that_fails_leaves_nothing(registry: Registry) -> None:
    def half() -> None:
        with registry.writing() as connection:
            gateways.register(connection, "pi-1", NOW)
            gateways.record(connection, certificate(1, "pi-2"))

    with pytest.raises(IntegrityError):
        half()
    with registry.reading() as connection:
        assert gateways.listed(connection, NOW) == []


def test_writers_in_many_threads_wait_for_each_other(registry: Registry) -> None:
    def raise_it(_: int) -> None:
        with registry.writing(noticed=True):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(raise_it, range(80)))
    assert registry.version() == 81


def test_the_last_recorded_certificate_is_the_newest_whatever_the_clock_said(registry: Registry) -> None:
    enrolled(registry, 1)
    with registry.writing() as connection:
        gateways.record(connection, certificate(2, issued_at=NOW - 24 * HOUR))
        newest = gateways.newest_of(connection, "pi-1")
        first = gateways.by_fingerprint(connection, f"{1:064x}")
    assert newest is not None
    assert first is not None
    assert (newest.serial_number, first.replaced_by) == ("2", "2")


def test_an_adopted_certificate_is_never_the_newest_beside_another(registry: Registry) -> None:
    enrolled(registry, 1)
    with registry.writing() as connection:
        assert gateways.adopt(connection, certificate(2))
        assert not gateways.adopt(connection, certificate(2))
        newest = gateways.newest_of(connection, "pi-1")
    assert newest == certificate(1)


def test_a_revoked_gateway_is_out_with_all_it_has_and_can_be_taken_back(registry: Registry) -> None:
    enrolled(registry, 0xA1, 0xB2)
    enrolled(registry, 0xC3, gateway="pi-2")
    token = Token(digest="d" * 64, gateway="pi-1", created_at=NOW, expires_at=NOW + HOUR)
    with registry.writing() as connection:
        tokens.add_token(connection, token)
    with registry.writing(noticed=True) as connection:
        gateways.revoke(connection, "pi-1", "stolen", NOW + 5)
    assert registry.revoked_gateways() == {"pi-1"}
    with registry.reading() as connection:
        assert gateways.revoked_serials(connection) == {0xA1: NOW + 5, 0xB2: NOW + 5}
        assert gateways.known_serials(connection) == {0xA1, 0xB2, 0xC3}
        assert tokens.find_token(connection, "d" * 64) is None
        found = gateways.find(connection, "pi-1")
    assert (found.revoked_at, found.revoked_why) == (NOW + 5, "stolen")
    with registry.writing(noticed=True) as connection:
        gateways.restore(connection, "pi-1", NOW + HOUR)
    assert registry.revoked_gateways() == frozenset()
    with registry.reading() as connection:
        assert gateways.revoked_serials(connection) == {}


def test_a_revocation_that_is_taken_back_leaves_an_earlier_one_in_force(registry: Registry) -> None:
    """0xA1 was stolen and its gateway enrolled anew: a later revocation, made by mistake, has nothing to do with it."""
    enrolled(registry, 0xA1)
    with registry.writing() as connection:
        gateways.revoke(connection, "pi-1", "stolen", NOW + 5)
        gateways.readmit(connection, "pi-1")
        gateways.record(connection, certificate(0xB2))
        gateways.restore(connection, "pi-1", NOW + HOUR)
        assert gateways.revoked_serials(connection) == {0xA1: NOW + 5}, "restored though it was in already"
        gateways.revoke(connection, "pi-1", "by mistake", NOW + 9)
        assert gateways.revoked_serials(connection) == {0xA1: NOW + 5, 0xB2: NOW + 9}
        gateways.restore(connection, "pi-1", NOW + HOUR)
        assert gateways.revoked_serials(connection) == {0xA1: NOW + 5}
    assert registry.revoked_gateways() == frozenset()


def test_revoking_again_keeps_the_first_instant(registry: Registry) -> None:
    enrolled(registry, 1)
    for at in (NOW, NOW + HOUR):
        with registry.writing() as connection:
            gateways.revoke(connection, "pi-1", str(at), at)
    with registry.reading() as connection:
        found = gateways.find(connection, "pi-1")
        assert gateways.revoked_serials(connection) == {1: NOW}
    assert (found.revoked_at, found.revoked_why) == (NOW, str(NOW + HOUR))


def test_the_list_shows_the_newest_certificate_and_the_token_that_waits(registry: Registry) -> None:
    enrolled(registry, 1, 2)
    token = Token(digest="d" * 64, gateway="pi-2", created_at=NOW, expires_at=NOW + HOUR)
    with registry.writing() as connection:
        gateways.register(connection, "pi-2", NOW)
        tokens.add_token(connection, token)
        one, two = gateways.listed(connection, NOW)
        later = gateways.listed(connection, NOW + HOUR)[1]
    assert (one.name, one.certificates, one.expires_at) == ("pi-1", 2, certificate(2).expires_at)
    assert (two.name, two.certificates, two.expires_at, two.token_until) == ("pi-2", 0, None, NOW + HOUR)
    assert later.token_until is None


def test_s11_a_new_token_voids_the_one_before_it_and_a_used_one_is_remembered(registry: Registry) -> None:
    def made(digest: str, at: int) -> Token:
        return Token(digest=digest * 64, gateway="pi-1", created_at=at, expires_at=at + HOUR)

    with registry.writing() as connection:
        gateways.register(connection, "pi-1", NOW)
        tokens.add_token(connection, made("a", NOW))
        tokens.use_token(connection, "a" * 64, "k" * 64, NOW + 1)
        tokens.use_token(connection, "a" * 64, "x" * 64, NOW + 2)
        tokens.add_token(connection, made("b", NOW + 3))
        tokens.add_token(connection, made("c", NOW + 4))
        used = tokens.find_token(connection, "a" * 64)
        assert used is not None
        assert (used.used_at, used.public_key_digest) == (NOW + 1, "k" * 64)
        assert tokens.find_token(connection, "b" * 64) is None
        tokens.add_token(connection, made("d", NOW + HOUR + tokens.KEPT_MS + 1))
        assert tokens.find_token(connection, "a" * 64) is None


def test_a_claim_code_opens_what_it_was_made_for_once_and_in_time(registry: Registry) -> None:
    enrolled(registry, 1)
    with registry.writing() as connection:
        tokens.add_claim(connection, "a" * 64, Claimed(gateway="pi-1", unit="rack-1"), NOW, NOW + 10)
        tokens.add_claim(connection, "b" * 64, Claimed(gateway="pi-1"), NOW, NOW + 10)
        assert tokens.claims_since(connection, "pi-1", NOW - 1) == 2
        assert tokens.claims_since(connection, "pi-1", NOW) == 0
    with registry.writing() as connection:
        assert tokens.redeem_claim(connection, "a" * 64, NOW + 9) == Claimed(gateway="pi-1", unit="rack-1")
        assert tokens.redeem_claim(connection, "a" * 64, NOW + 9) is None
        assert tokens.redeem_claim(connection, "b" * 64, NOW + 10) is None
        assert tokens.redeem_claim(connection, "c" * 64, NOW) is None


def test_one_claim_code_is_redeemed_by_one_of_many_at_once(registry: Registry) -> None:
    enrolled(registry, 1)
    with registry.writing() as connection:
        tokens.add_claim(connection, "a" * 64, Claimed(gateway="pi-1"), NOW, NOW + 10)

    def redeem(_: int) -> Claimed | None:
        with registry.writing() as connection:
            return tokens.redeem_claim(connection, "a" * 64, NOW)

    with ThreadPoolExecutor(8) as pool:
        assert len([each for each in pool.map(redeem, range(8)) if each]) == 1
