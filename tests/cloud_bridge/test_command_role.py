"""Commands on their way: `cloud command`, ingest and broker as processes, a gateway's side by a talker."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cloud_bridge.rows import EventFilter
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import gateways
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Identity, Outcome, Verb
from gateway.wire import codec, envelope
from gateway.wire.messages import IdentityBody, Kind, Lane
from gateway.wire.orders import CLOUD, ORDER, Challenge, ChallengeWanted, Order, Stage
from gateway.wire.topics import Down, Up
from tests.cloud_bridge.talker import Talker, eventually
from tests.cloud_bridge.test_ingest_role import Cloud
from tests.cloud_bridge.words import command, event, hello, payload, record
from tests.conftest import Start
from tests.process import PROGRAM, Process

G = "pi-a"
SERIAL = "AS2345678901"
CHALLENGE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def cloud(tmp_path: Path, start: Start) -> Cloud:
    return Cloud(tmp_path / "cloud", start)


@pytest.fixture
def asked(cloud: Cloud, start_peer: Start) -> Callable[..., Process]:
    """Starts `cloud command`."""

    def ask(*arguments: str, yes: bool = True) -> Process:
        sure = ["--yes"] if yes else []
        return start_peer(PROGRAM, "cloud", "command", "--dir", cloud.folder, G, "rack-1", *arguments, *sure)

    return ask


def introduced(talker: Talker) -> None:
    """The unit has said who it is."""
    talker.say(Up.HELLO, hello("c1"))
    body = IdentityBody(identity=Identity(serial=SERIAL, model="Smart-UPS 1500"))
    talker.say(Up.STATUS, payload(1, record(Kind.IDENTITY, body)))
    talker.wait_through(Lane.STATUS, 1)


def cloud_key(cloud: Cloud) -> Ed25519PublicKey:
    key = load_pem_public_key((cloud.folder / "authority" / "command.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    return key


def opened(cloud: Cloud, raw: bytes, **operators: str) -> tuple[Order, frozenset[str]]:
    keys = {CLOUD: cloud_key(cloud)}
    keys |= {envelope.operator(name): envelope.public_key(key) for name, key in operators.items()}
    found = envelope.opened(raw, ORDER, keys)
    return envelope.read_payload(found.payload, Order), found.signers


def finished(talker: Talker, id_: str, first: int = 1, outcome: Outcome = Outcome.DONE) -> None:
    steps = [command(id_, Stage.ACCEPTED), command(id_, Stage.FINISHED, outcome=outcome, detail="it beeped")]
    talker.say(Up.EVENTS, payload(first, *steps))


def listed(cloud: Cloud) -> list[dict[str, object]]:
    done = subprocess.run(
        [PROGRAM, "cloud", "commands", "--dir", cloud.folder, "--json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_s9_a_command_is_signed_with_its_gateways_challenge_and_ends_with_its_outcome(
    cloud: Cloud, asked: Callable[..., Process]
) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("self_test", "--by", "erika", "--json")
        wanted = codec.decode(talker.wait_for(Down.CHALLENGE), ChallengeWanted)
        assert talker.heard(Down.COMMAND) == []
        talker.say(Up.CHALLENGE, Challenge(id=wanted.id, challenge=CHALLENGE))
        order, signers = opened(cloud, talker.wait_for(Down.COMMAND))
        assert (order.id, order.gateway, order.unit, order.serial) == (wanted.id, G, "rack-1", SERIAL)
        assert (order.verb, order.challenge, order.by.role, order.by.name) == (
            Verb.SELF_TEST,
            CHALLENGE,
            "owner",
            "erika",
        )
        assert order.expires_at - order.issued_at <= 60_000
        assert signers == {CLOUD}
        finished(talker, order.id)
        assert process.ended() == 0
    answer = json.loads(process.stdout)
    assert (answer["stage"], answer["outcome"], answer["detail"]) == ("finished", "done", "it beeped")
    assert listed(cloud) == [answer]


def test_a_quiet_command_needs_no_challenge_of_a_gateway_whose_clock_is_set(
    cloud: Cloud, asked: Callable[..., Process]
) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("beep")
        order, _ = opened(cloud, talker.wait_for(Down.COMMAND))
        assert order.challenge is None
        finished(talker, order.id)
        assert process.ended() == 0
        assert talker.heard(Down.CHALLENGE) == []


def test_s9_what_cuts_the_output_bears_an_operators_signature_too(
    cloud: Cloud, asked: Callable[..., Process], tmp_path: Path
) -> None:
    made = subprocess.run(
        [PROGRAM, "cloud", "operator-key", "erika", "--out", tmp_path / "erika.key"], capture_output=True, text=True
    )
    ((name, public),) = yaml.safe_load(made.stdout).items()
    assert (tmp_path / "erika.key").stat().st_mode & 0o777 == 0o600
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        operator = ["--operator", name, "--operator-key", str(tmp_path / "erika.key")]
        process = asked("outlet_reboot", "--group", "1", "--group", "2", "--off-delay", *operator)
        wanted = codec.decode(talker.wait_for(Down.CHALLENGE), ChallengeWanted)
        talker.say(Up.CHALLENGE, Challenge(id=wanted.id, challenge=CHALLENGE))
        order, signers = opened(cloud, talker.wait_for(Down.COMMAND), erika=public)
        assert signers == {CLOUD, "operator:erika"}
        assert (order.groups, order.use_off_delay, order.use_on_delay) == ((1, 2), True, False)
        talker.say(Up.EVENTS, payload(1, command(order.id, Stage.REFUSED, "feeds_gateway", detail="group 1 feeds it")))
        assert process.ended() == 1
    assert "refused by the gateway: feeds_gateway: group 1 feeds it" in process.stderr
    (row,) = listed(cloud)
    assert (row["groups"], row["reason"], row["outcome"]) == ([1, 2], "feeds_gateway", None)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["set_transfer_high"], "S10"),
        (["outlet_off", "--group", "1"], "S9"),
        (["outlet_off"], "--group"),
        (["beep", "--cold-boot"], "outlet groups"),
        (["beep", "--expires", "11min"], "up to 10min"),
        (["self_test", "--operator", "erika"], "belong together"),
    ],
)
def test_what_no_gateway_would_take_is_not_asked(tmp_path: Path, arguments: Sequence[str], why: str) -> None:
    done = refused(tmp_path, *arguments)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


def test_s9_an_operators_key_in_the_clouds_folder_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "erika.key"
    subprocess.run([PROGRAM, "cloud", "operator-key", "erika", "--out", key], check=True, capture_output=True)
    done = refused(tmp_path, "outlet_off", "--group", "1", "--operator", "erika", "--operator-key", str(key))
    assert done.returncode == 2
    assert "keep operators' keys elsewhere" in " ".join(done.stderr.split())


def refused(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A folder in which no cloud lives: what is asked for is looked at first."""
    asking = [str(PROGRAM), "cloud", "command", "--dir", str(folder), G, "rack-1", *arguments]
    return subprocess.run(asking, capture_output=True, text=True, timeout=60)


def test_an_operators_key_is_never_overwritten(tmp_path: Path) -> None:
    making = [str(PROGRAM), "cloud", "operator-key", "erika", "--out", str(tmp_path / "erika.key")]
    subprocess.run(making, check=True, capture_output=True)
    again = subprocess.run(making, capture_output=True, text=True)
    assert again.returncode == 1
    assert "erika.key: can't be written: File exists" in again.stderr


def test_s12_a_command_key_that_others_may_read_is_not_used(cloud: Cloud, asked: Callable[..., Process]) -> None:
    cloud.ingest()
    (cloud.folder / "authority" / "command.key").chmod(0o640)
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("beep")
        assert process.ended() == 1
    assert "mode 0640" in process.stderr
    assert listed(cloud) == []


def test_what_cuts_the_output_is_asked_about_before_it_is_signed(
    cloud: Cloud, asked: Callable[..., Process], tmp_path: Path
) -> None:
    key = tmp_path / "erika.key"
    subprocess.run([PROGRAM, "cloud", "operator-key", "erika", "--out", key], check=True, capture_output=True)
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        operator = ["--operator", "erika", "--operator-key", str(key)]
        process = asked("outlet_off", "--group", "1", *operator, yes=False)
        assert process.ended() != 0
    assert f"can cut the output of pi-a/rack-1 (Smart-UPS 1500, serial {SERIAL})" in " ".join(process.stderr.split())
    assert listed(cloud) == []


def test_an_unknown_unit_is_told_with_those_there_are(cloud: Cloud, start_peer: Start) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = start_peer(PROGRAM, "cloud", "command", "--dir", cloud.folder, G, "rack-9", "beep")
        assert process.ended() == 1
    assert "no unit 'rack-9'; known are rack-1" in process.stderr


def test_a_signed_command_is_said_again_on_hello_until_its_outcome_is_stored(
    cloud: Cloud, asked: Callable[..., Process]
) -> None:
    """The ingest that passed it on dies, too."""
    ingest = cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("beep", "--no-wait")
        first = talker.wait_for(Down.COMMAND)
        assert process.ended() == 0
        ingest.kill()
        cloud.ingest()
        talker.say(Up.HELLO, hello("c2"))
        assert talker.wait_for(Down.COMMAND, times=2) == first
        finished(talker, opened(cloud, first)[0].id)
        talker.wait_through(Lane.EVENTS, 2)
        wait_until_ended(cloud)
    (row,) = listed(cloud)
    assert (row["state"], row["outcome"]) == ("ended", "done")


def wait_until_ended(cloud: Cloud) -> None:
    eventually(lambda: all(row["state"] == "ended" for row in listed(cloud)), "the command did not end")


def test_an_outcome_that_was_stored_while_the_registry_took_nothing_ends_the_command_later(
    cloud: Cloud, asked: Callable[..., Process]
) -> None:
    """Ingest, which knew of it, is killed before the registry takes anything again."""
    ingest = cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        asked("beep", "--no-wait").ended()
        order, _ = opened(cloud, talker.wait_for(Down.COMMAND))
        locker = sqlite3.connect(cloud.folder / "data" / "registry.sqlite3", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        finished(talker, order.id)
        talker.wait_through(Lane.EVENTS, 2)
        ingest.logged("no command is passed on")
        talker.say(Up.EVENTS, payload(3, event(3)))
        talker.wait_through(Lane.EVENTS, 3)
        ingest.kill()
        locker.execute("ROLLBACK")
        locker.close()
        assert [row["state"] for row in listed(cloud)] == ["signed"]
        cloud.ingest()
        wait_until_ended(cloud)
    assert [row["outcome"] for row in listed(cloud)] == ["done"]


def test_another_gateways_challenge_is_not_taken(cloud: Cloud, asked: Callable[..., Process]) -> None:
    cloud.ingest()
    with cloud.talker() as talker, cloud.talker("pi-b") as other:
        introduced(talker)
        asked("self_test")
        wanted = codec.decode(talker.wait_for(Down.CHALLENGE), ChallengeWanted)
        other.say(Up.CHALLENGE, Challenge(id=wanted.id, challenge="f" * 32))
        other.say(Up.EVENTS, payload(1, command(wanted.id, Stage.FINISHED, outcome=Outcome.DONE)))
        other.wait_through(Lane.EVENTS, 1)
        talker.say(Up.CHALLENGE, Challenge(id=wanted.id, challenge=CHALLENGE))
        order, _ = opened(cloud, talker.wait_for(Down.COMMAND))
        assert order.challenge == CHALLENGE
        (row,) = listed(cloud)
        assert row["state"] == "signed"


def test_a_command_that_nobody_answers_runs_out(cloud: Cloud, asked: Callable[..., Process]) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("self_test", "--expires", "1s")
        assert process.ended() == 1
    assert "the gateway gave no challenge in time" in process.stderr
    assert [row["reason"] for row in listed(cloud)] == ["expired"]


def test_a_command_that_is_not_signed_yet_can_be_taken_back(cloud: Cloud, asked: Callable[..., Process]) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        introduced(talker)
        process = asked("self_test")
        talker.wait_for(Down.CHALLENGE)
        assert process.interrupt() != 0
    assert "taken back" in process.stderr
    assert [row["reason"] for row in listed(cloud)] == ["withdrawn"]


def test_a_revoked_gateways_word_is_dropped_at_once_and_told_once(cloud: Cloud, asked: Callable[..., Process]) -> None:
    """By ingest itself, whatever the broker does about the connection."""
    ingest = cloud.ingest()
    with cloud.talker("pi-b") as other, cloud.talker() as talker:
        introduced(talker)
        talker.say(Up.EVENTS, payload(1, event(1)))
        talker.wait_through(Lane.EVENTS, 1)
        revoke(cloud, G)
        ingest.logged("gateway pi-a is revoked")
        for number in (2, 3):
            talker.say(Up.EVENTS, payload(number, event(number)))
        other.say(Up.EVENTS, payload(1, event(1)))
        other.wait_through(Lane.EVENTS, 1)
    assert [(row.gateway, row.details["number"]) for row in cloud.events()] == [(G, 1), ("pi-b", 1)]
    assert ingest.stderr.count("is revoked") == 1
    process = asked("beep")
    assert process.ended() == 1
    assert "revoked" in process.stderr


def test_who_was_revoked_before_ingest_began_is_not_heard_at_all(cloud: Cloud) -> None:
    revoke(cloud, G)
    cloud.ingest()
    with cloud.talker("pi-b") as other:
        other.say(Up.EVENTS, payload(1, event(1)))
        other.wait_through(Lane.EVENTS, 1)
    with Reader(cloud.database) as reader:
        assert [row.gateway for row in reader.events(EventFilter())] == ["pi-b"]


def test_nothing_is_taken_before_it_is_known_who_is_revoked(cloud: Cloud) -> None:
    settings = cloud.folder / "cloud.yaml"
    away = "postgresql+psycopg://me:secret@127.0.0.1:1/registry"
    settings.write_text(settings.read_text().replace('registry: ""', f'registry: "{away}"'))
    ingest = cloud.start("cloud", "run", "--dir", cloud.folder, "--only", "ingest")
    ingest.logged("no command is passed on")
    assert ingest.terminate() == 0
    assert ingest.stdout == ""
    assert "secret" not in ingest.stderr


@pytest.mark.slow
def test_a_command_reaches_a_real_gateway_and_its_unit(cloud: Cloud) -> None:
    """All of it as processes: simulated unit, gateway, broker, ingest."""
    simulator = cloud.start("sim", "run", "--modbus-tcp", "127.0.0.1:0", ready=["modbus-tcp"])
    url = f"modbus+tcp://{simulator.address('modbus-tcp')}?unit=1"
    settings = cloud.folder / "gateways" / G / "gateway.yaml"
    text = [line for line in settings.read_text().splitlines() if not line.startswith("#")]
    settings.write_text("\n".join([*text, "units:", f'  - {{name: rack-1, url: "{url}"}}', ""]))
    cloud.ingest()
    cloud.start("gateway", "run", "--config", settings)
    eventually(lambda: serial_known(cloud), "the unit did not say who it is")
    asking = cloud.start("cloud", "command", "--dir", cloud.folder, G, "rack-1", "beep", "--json")
    assert asking.ended() == 0
    assert json.loads(asking.stdout)["outcome"] == "done"
    refused_one = cloud.start("cloud", "command", "--dir", cloud.folder, G, "rack-1", "self_test", "--json")
    assert refused_one.ended() == 1
    assert json.loads(refused_one.stdout)["reason"] == "not_allowed"


def serial_known(cloud: Cloud) -> bool:
    with Reader(cloud.database) as reader:
        return any(row.identity and row.identity.identity.serial for row in reader.units())


def revoke(cloud: Cloud, name: str) -> None:
    """In the registry alone: the broker's list is left as it is."""
    with Registry(cloud.folder / "data" / "registry.sqlite3") as registry, registry.writing(noticed=True) as connection:
        gateways.revoke(connection, name, "stolen", 1)
