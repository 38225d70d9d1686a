"""`cloud init` and `cloud gateway add`, on real folders."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from cloud_bridge.addresses import Address
from cloud_bridge.authority import common_name, hosts_of, is_demo, issuer_of
from cloud_bridge.errors import AlreadyThere, BadAddress, BadName, CloudError, NotAFolder
from cloud_bridge.folder import GATEWAY_FILES, Folder
from cloud_bridge.runtime.check import check
from cloud_bridge.runtime.enrolling import all_gateways
from cloud_bridge.runtime.forward import bring_forward
from cloud_bridge.runtime.init import add_gateway, init
from cloud_bridge.settings import CloudSettings
from config.errors import SettingsError
from config.runtime.files import load
from gateway.settings import GatewaySettings


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def authorities(folder: Folder) -> dict[str, x509.Certificate]:
    return {name: read(folder.authority(name)[0]) for name in ("gateways", "services")}


def everything(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def test_what_init_makes_is_what_check_accepts(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0", ["pi-1"])
    assert check(folder.root) == []


def test_s12_gateways_and_services_come_from_two_authorities(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    signers = authorities(folder)
    assert issuer_of(read(folder.service("broker")[0]), signers) == "services"
    assert issuer_of(read(folder.service("bridge")[0]), signers) == "services"
    gateway = read(folder.gateway("pi-1") / "gateway.pem")
    assert issuer_of(gateway, signers) == "gateways"
    assert common_name(gateway) == "pi-1"


def test_s12_a_gateway_believes_the_services_authority_alone(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    assert read(folder.gateway("pi-1") / "ca.pem") == authorities(folder)["services"]


def handshake(folder: Folder, server: str, host: str) -> None:
    """Between a gateway and whoever holds the certificate `server`, in memory. Raises ssl.SSLError."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*folder.service(server))
    asking = ssl.create_default_context(cafile=folder.gateway("pi-1") / "ca.pem")
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(down, up, server_hostname=host)
    sides = [client, serving.wrap_bio(up, down, server_side=True)]
    while sides:
        side = sides.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            sides.append(side)


def test_s12_a_gateway_accepts_a_server_certificate_for_the_right_host_only(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "bridge.example.net:8883", ["pi-1"])
    handshake(folder, "broker", "bridge.example.net")
    handshake(folder, "broker", "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(folder, "broker", "other.example.net")
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(folder, "bridge", "bridge.example.net")


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    keys = list(folder.root.rglob("*.key"))
    assert len(keys) == 9
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    folders = [folder.root, *(path for path in folder.root.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_each_key_is_another(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1", "pi-2"])
    keys = [key.read_bytes() for key in folder.root.rglob("*.key")]
    assert len(set(keys)) == len(keys) == 10


def test_the_brokers_certificate_is_good_for_its_host_and_this_machine(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "bridge.example.net:8883")
    hosts = hosts_of(read(folder.service("broker")[0]))
    assert hosts == ["bridge.example.net", "localhost", "127.0.0.1", "::1"]


def test_s13_it_listens_on_loopback_unless_an_address_was_named(tmp_path: Path) -> None:
    def listens(name: str, *mqtts: str) -> Address:
        return load(init(tmp_path / name, *mqtts).settings, CloudSettings).listen_at

    assert listens("default") == Address("127.0.0.1", 8883)
    assert listens("localhost", "localhost:1884") == Address("127.0.0.1", 1884)
    assert listens("address", "192.0.2.7:8883") == Address("192.0.2.7", 8883)
    assert listens("v6", "[2001:db8::7]:8883") == Address("2001:db8::7", 8883)
    assert listens("name", "bridge.example.net:8883") == Address("::", 8883)


def test_a_gateways_folder_is_ready_to_run(tmp_path: Path) -> None:
    url = 'modbus+tcp://10.0.0.5:502?unit=1&note="x"'
    folder = init(tmp_path / "cloud", "bridge.example.net:8883", ["pi-1"], units={"pi-1": {"rack-1": url}})
    home = folder.gateway("pi-1")
    settings = load(home / "gateway.yaml", GatewaySettings)
    assert (settings.gateway, settings.cloud) == ("pi-1", "mqtts://bridge.example.net:8883")
    assert [(unit.name, unit.url) for unit in settings.units] == [("rack-1", url)]
    assert settings.enrolment == "https://bridge.example.net:8443"
    assert {path.name for path in home.iterdir()} == {*GATEWAY_FILES, "issuer.pem", "command.pub"}
    assert settings.tls.issuer is not None
    assert settings.command_key is not None
    assert read(settings.tls.issuer) == authorities(folder)["gateways"]
    assert settings.command_key.read_bytes() == folder.command_key[1].read_bytes()
    context = ssl.create_default_context(cafile=settings.tls.ca)
    context.load_cert_chain(settings.tls.certificate, settings.tls.key)


def test_a_gateway_without_units_has_settings_that_can_be_read(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    assert load(folder.gateway("pi-1") / "gateway.yaml", GatewaySettings).units == ()


def test_every_limit_that_cloud_yaml_shows_is_the_default(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud")
    before = load(folder.settings, CloudSettings)
    head, mark, limits = folder.settings.read_text().partition("#limits:")
    folder.settings.write_text(head + (mark + limits).replace("#", ""))
    after = load(folder.settings, CloudSettings)
    assert mark
    assert after == before


def test_gateways_certificates_live_90_days_and_the_services_for_years(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    for path, days in ((folder.gateway("pi-1") / "gateway.pem", 90), (folder.service("broker")[0], 5 * 365)):
        left = read(path).not_valid_after_utc - datetime.now(UTC)
        assert timedelta(days=days - 1) < left <= timedelta(days=days)
        assert read(path).not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)


def test_every_gateway_is_in_the_registry_from_the_first_on(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0", ["pi-1"])
    add_gateway(folder.root, "pi-2")
    shown = {row.name: (row.certificates, row.expires_at) for row in all_gateways(folder.root)}
    for name in ("pi-1", "pi-2"):
        ends = read(folder.gateway(name) / "gateway.pem").not_valid_after_utc
        assert shown[name] == (1, int(ends.timestamp() * 1000))


def test_a_folder_of_an_earlier_version_gets_what_it_lacks_and_nothing_else_changes(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:8883", ["pi-1"])
    later = ["https", "listen_https", "registry", "command_key", "command_public"]
    inner = ["enrol", "issuing_key", "revoked"]
    old = [
        line
        for line in folder.settings.read_text().splitlines()
        if not line.startswith(tuple(later)) and not line.strip().startswith(tuple(inner))
    ]
    folder.settings.write_text("\n".join(old))
    made = [*folder.service("enrol"), *folder.command_key, folder.root / "authority" / "gateways.crl.pem"]
    for path in [*made, *(folder.root / "data").iterdir()]:
        path.unlink()
    before = everything(tmp_path)
    bring_forward(folder, load(folder.settings, CloudSettings))
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {
        str(path.relative_to(tmp_path)) for path in [*made, folder.root / "data" / "registry.sqlite3"]
    }
    assert [row.name for row in all_gateways(folder.root)] == ["pi-1"]
    assert [problem for problem in check(folder.root) if problem.serious] == []
    bring_forward(folder, load(folder.settings, CloudSettings))
    assert everything(tmp_path) == after


def test_an_order_key_that_is_kept_elsewhere_is_not_made_again(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    folder.command_key[0].unlink()
    bring_forward(folder, load(folder.settings, CloudSettings))
    assert not folder.command_key[0].exists()
    assert check(folder.root) == []


def test_s15_a_demos_authorities_say_so(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"], demo=True)
    assert all(is_demo(certificate) for certificate in authorities(folder).values())
    assert is_demo(read(folder.gateway("pi-1") / "ca.pem"))


def test_init_never_overwrites(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    before = everything(tmp_path)
    with pytest.raises(AlreadyThere, match="cloud"):
        init(folder.root)
    assert everything(tmp_path) == before


def test_init_takes_an_empty_folder_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    init(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").touch()
    with pytest.raises(AlreadyThere):
        init(tmp_path / "full")
    (tmp_path / "file").touch()
    with pytest.raises(AlreadyThere):
        init(tmp_path / "file")


@pytest.mark.parametrize("name", ["bridge", "enroll", "admin", "Pi", "a" * 33, "", "../x", "a/b", "pi_1", "pi-1\n"])
def test_s12_names_that_no_gateway_may_bear_are_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName):
        init(tmp_path / "cloud", gateways=["pi-1", name])
    assert everything(tmp_path) == {}
    folder = init(tmp_path / "cloud")
    before = everything(tmp_path)
    with pytest.raises(BadName):
        add_gateway(folder.root, name)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "mqtts",
    ["", "x", "x:", ":8883", "x:99999", "x:-1", "a b:1", "::1:8883", "[x]:1", "x:1:2", "0.0.0.0:8883", "[::]:1"],
)
def test_addresses_that_gateways_can_not_connect_to_are_refused(tmp_path: Path, mqtts: str) -> None:
    with pytest.raises(BadAddress):
        init(tmp_path / "cloud", mqtts)
    assert everything(tmp_path) == {}


def test_units_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    for units in (
        {"pi-1": {"Rack 1": "x://y"}},
        {"pi-2": {"rack-1": "x://y"}},
        {"pi-1": {f"u{n}": "x" for n in range(65)}},
    ):
        with pytest.raises(BadName):
            init(tmp_path / "cloud", gateways=["pi-1"], units=units)
    with pytest.raises(BadName):
        init(tmp_path / "cloud", gateways=["pi-1", "pi-1"])
    assert everything(tmp_path) == {}


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CloudError, match="can't be made"):
        init(tmp_path / "file" / "cloud")
    assert everything(tmp_path) == {"file": b""}


def test_a_gateway_can_be_added_later_and_again(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0", ["pi-1"])
    path, made = add_gateway(folder.root, "pi-2", {"rack-1": "modbus+tcp://10.0.0.5"})
    assert made
    assert path == folder.gateway("pi-2")
    before = everything(tmp_path)
    assert add_gateway(folder.root, "pi-2") == (path, False)
    assert everything(tmp_path) == before
    assert issuer_of(read(path / "gateway.pem"), authorities(folder)) == "gateways"
    assert check(folder.root) == []


def test_a_gateways_folder_that_lacks_a_file_is_not_called_done(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", gateways=["pi-1"])
    (folder.gateway("pi-1") / "gateway.key").unlink()
    with pytest.raises(NotAFolder, match=r"gateway\.key"):
        add_gateway(folder.root, "pi-1")


def test_a_gateway_is_not_added_where_no_cloud_is(tmp_path: Path) -> None:
    with pytest.raises(NotAFolder, match=r"cloud\.yaml"):
        add_gateway(tmp_path, "pi-1")
    folder = init(tmp_path / "cloud")
    folder.settings.write_text("mqtts: 1\n")
    with pytest.raises(SettingsError):
        add_gateway(folder.root, "pi-1")


def test_a_damaged_or_foreign_authority_signs_nothing(tmp_path: Path) -> None:
    folder, other = init(tmp_path / "cloud"), init(tmp_path / "other")
    key = folder.authority("gateways")[1]
    key.write_bytes(other.authority("gateways")[1].read_bytes())
    with pytest.raises(NotAFolder, match="does not belong"):
        add_gateway(folder.root, "pi-1")
    key.write_bytes(b"x")
    with pytest.raises(NotAFolder, match="damaged"):
        add_gateway(folder.root, "pi-1")
    key.unlink()
    with pytest.raises(NotAFolder, match="can't be read"):
        add_gateway(folder.root, "pi-1")
    assert not folder.gateway("pi-1").exists()
