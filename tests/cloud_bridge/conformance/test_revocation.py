"""A gateway that was revoked: its connection ends, and it comes in no more."""

from __future__ import annotations

import os
import signal
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cloud_bridge.authority import revocation_list
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.enrolling import restore, revoke
from cloud_bridge.runtime.files import replace
from cloud_bridge.runtime.init import add_gateway, init
from cloud_bridge.runtime.keys import load_authority
from tests.cloud_bridge.conformance.brokers import BRIDGE, Broker, Pair
from tests.cloud_bridge.conformance.wire import PING, PINGRESP, connect
from tests.cloud_bridge.talker import eventually

AT_ONCE_S = 2.0


def list_of(folder: Folder) -> Path:
    return folder.root / "authority" / "gateways.crl.pem"


def admitted(broker: Broker, name: str) -> bool:
    """Whether the broker lets the gateway in; Mosquitto refuses in TLS, the embedded one in its CONNACK."""
    try:
        with broker.gateway_wire(name) as wire:
            return wire.answer(connect(name)) == 0
    except (ssl.SSLError, ConnectionError):
        return False


def settle(broker: Broker) -> None:
    """Mosquitto reads its list when it is told to."""
    if broker.kind == "mosquitto":
        times = broker.process.stderr.count("Reloading config")
        os.kill(broker.process.pid, signal.SIGHUP)
        broker.process.logged("Reloading config", times=times + 1)


def test_a_revoked_gateway_is_turned_away_and_comes_in_again_when_that_is_taken_back(broker: Broker) -> None:
    lost, fine = broker.new_gateway(), broker.new_gateway()
    assert admitted(broker, lost)
    revoke(broker.folder.root, lost, "stolen")
    settle(broker)
    eventually(lambda: not admitted(broker, lost), "the revoked gateway still comes in")
    assert admitted(broker, fine)
    restore(broker.folder.root, lost)
    settle(broker)
    eventually(lambda: admitted(broker, lost), "the restored gateway does not come in")


def test_a_revoked_gateways_connection_is_closed_at_once_and_no_other(embedded_broker: Broker) -> None:
    lost, fine = embedded_broker.new_gateway(), embedded_broker.new_gateway()
    bridge = embedded_broker.bridge()
    dropped = embedded_broker.gateway_wire(lost).connected(connect(lost, will=(f"ups/v1/{lost}/up/offline", b"gone")))
    kept = embedded_broker.gateway_wire(fine).connected(connect(fine))
    begun = time.monotonic()
    revoke(embedded_broker.folder.root, lost, "stolen")
    assert dropped.closed(AT_ONCE_S)
    assert time.monotonic() - begun < AT_ONCE_S
    assert bridge.next().payload == b"gone"
    kept.send(PING)
    assert kept.expect(PINGRESP) == b""
    embedded_broker.process.logged(f"{lost} (127.0.0.1:")
    embedded_broker.process.logged("its certificate is revoked (cloud gateway revoke): closed")
    assert embedded_broker.gateway_wire(lost).answer(connect(lost)) == 5
    embedded_broker.process.logged("refused: its certificate is revoked")


def test_a_new_certificate_under_a_revoked_name_comes_in_and_the_old_one_does_not(embedded_broker: Broker) -> None:
    name = embedded_broker.new_gateway()
    home = embedded_broker.folder.gateway(name)
    revoke(embedded_broker.folder.root, name, "stolen")
    away = home.rename(home.with_name(f".{name}"))
    stolen = Pair(away / "gateway.pem", away / "gateway.key")
    add_gateway(embedded_broker.folder.root, name)
    eventually(lambda: embedded_broker.wire(stolen).answer(connect(name)) == 5, "the stolen certificate is still good")
    assert admitted(embedded_broker, name)


def test_a_list_that_is_damaged_or_gone_leaves_the_last_one_in_force(embedded_broker: Broker) -> None:
    name = embedded_broker.new_gateway()
    revoke(embedded_broker.folder.root, name, "")
    eventually(lambda: not admitted(embedded_broker, name), "the revoked gateway still comes in")
    path = list_of(embedded_broker.folder)
    content = path.read_bytes()
    path.write_text("somebody's novel")
    embedded_broker.process.logged("can't be used")
    assert not admitted(embedded_broker, name)
    path.unlink()
    embedded_broker.process.logged("it was there, and is gone")
    assert not admitted(embedded_broker, name)
    path.write_bytes(content)
    assert not admitted(embedded_broker, name)


def test_a_list_of_another_authority_revokes_nobody(embedded_broker: Broker, tmp_path: Path) -> None:
    name = embedded_broker.new_gateway()
    other = init(tmp_path / "cloud", "127.0.0.1:0", [name])
    revoke(other.root, name, "")
    path = list_of(embedded_broker.folder)
    content = path.read_bytes()
    path.write_bytes(list_of(other).read_bytes())
    embedded_broker.process.logged("not signed by the gateways' authority")
    assert admitted(embedded_broker, name)
    path.write_bytes(content)


def test_the_bridge_is_not_revoked_by_a_list_of_gateways(embedded_broker: Broker) -> None:
    """Its certificate is another authority's, whatever serial numbers the list names."""
    folder, lost = embedded_broker.folder, embedded_broker.new_gateway()
    pairs = embedded_broker.pair(BRIDGE), embedded_broker.pair(lost)
    serials = [x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number for pair in pairs]
    now = datetime.now(UTC)
    signer = load_authority(*folder.authority("gateways"))
    listed = revocation_list(signer, dict.fromkeys(serials, now), 1, now)
    content = list_of(folder).read_bytes()
    replace(list_of(folder), listed.public_bytes(Encoding.PEM))
    eventually(lambda: not admitted(embedded_broker, lost), "the list is not read")
    assert embedded_broker.wire(pairs[0]).answer(connect(BRIDGE)) == 0
    replace(list_of(folder), content)
    eventually(lambda: admitted(embedded_broker, lost), "the list is not read again")
