"""`ridethrough gateway enroll`: a folder with the key that is made here and all that the cloud gives for it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from config.errors import SettingsError
from config.settings import decode
from gateway import enrolment
from gateway.errors import NotEnrolled
from gateway.runtime import pair
from gateway.runtime.clock import SystemClock
from gateway.runtime.https import Endpoint
from gateway.runtime.keys import new_key
from gateway.runtime.tls import trusting
from gateway.settings import GatewaySettings, Tls
from gateway.wire import enrolment as wire
from gateway.wire.token import Token

SETTINGS = "gateway.yaml"
TRIES_LEFT = "the same token works again, with the key that was made here"
REFUSED = (
    "refuses the token: it was used already, or has run out, or was withdrawn. "
    "`ridethrough cloud gateway token NAME` makes another"
)


class Enrolled(msgspec.Struct, frozen=True):
    """What has come of it. `config`: what `gateway run` is given."""

    gateway: str
    config: Path
    certificate_expires_at: datetime


class _Checked(msgspec.Struct, frozen=True):
    """`settings`: text of a new gateway.yaml."""

    trust: wire.Trust
    issuer: x509.Certificate
    certificate: x509.Certificate
    settings: str


def enrol(folder: Path, token: Token, progress: Callable[[str], None]) -> Enrolled:
    """Nothing is sent before the cloud has shown itself to be the token's (S11). Raises NotEnrolled, OSError.

    Cut short at any point it can be done again with the same token. An enrolled gateway keeps its old pair until it has
    the new one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = Tls(folder / "ca.pem", folder / "gateway.pem", folder / "gateway.key", folder / "issuer.pem")
    _check_name(folder / SETTINGS, token.gateway)
    if pair.settle(tls):
        progress(f"{tls.certificate}: was here already, but not in its place")
        return _enrolled(folder, token.gateway, x509.load_pem_x509_certificate(tls.certificate.read_bytes()))
    progress(f"{token.url}: looking whether this is the cloud that made the token")
    trust = enrolment.trusted(token, Endpoint(token.url, _unverified()).get(wire.TRUST, wire.Trust))
    progress(f"{token.url}: its authority and its command key are the token's")
    key = new_key(tls)
    progress(f"{pair.beside(tls).key}: the key, which stays here")
    issued = _checked(token, trust, _asked(token, trust, key), key)
    _keep(folder, issued)
    pair.keep(pair.beside(tls).certificate, enrolment.pem(issued.certificate).encode(), pair.CERTIFICATE_MODE)
    pair.take(tls)
    return _enrolled(folder, token.gateway, issued.certificate)


def _enrolled(folder: Path, gateway: str, certificate: x509.Certificate) -> Enrolled:
    return Enrolled(gateway, folder / SETTINGS, certificate.not_valid_after_utc)


def _check_name(settings: Path, gateway: str) -> None:
    """A folder is one gateway's. Raises NotEnrolled."""
    if not settings.exists():
        return
    try:
        found = decode(settings.read_text(), GatewaySettings, str(settings), settings.absolute().parent).gateway
    except (SettingsError, UnicodeDecodeError) as error:
        raise NotEnrolled(str(settings), f"is there and can't be used: {error}") from error
    if found != gateway:
        raise NotEnrolled(str(settings), f"is of the gateway {found}, the token is for {gateway}: name another --dir")


def _unverified() -> ssl.SSLContext:
    """To be shown what the token's digests are compared with. Nothing that matters goes over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _asked(token: Token, trust: wire.Trust, key: ec.EllipticCurvePrivateKey) -> wire.Issued:
    """A new connection, on which the server has to prove that it is the authority's."""
    endpoint = Endpoint(token.url, trusting(trust.authority, SystemClock().is_right))
    try:
        return endpoint.post(wire.ENROL, enrolment.enrolment(token, key), wire.Issued)
    except NotEnrolled as error:
        if error.word == wire.Why.REFUSED:
            raise NotEnrolled(error.where, REFUSED.replace("NAME", token.gateway), error.word) from error
        raise NotEnrolled(error.where, f"{error.what}; {TRIES_LEFT}", error.word) from error


def _checked(token: Token, trust: wire.Trust, issued: wire.Issued, key: ec.EllipticCurvePrivateKey) -> _Checked:
    """Raises NotEnrolled unless what was issued can be used as it is."""
    again = wire.Trust(authority=issued.ca, command_key=issued.command_key, firmware_root=trust.firmware_root)
    if enrolment.trusted(token, again) != trust:
        raise NotEnrolled(token.url, "names another authority or command key than a moment ago")
    text = _settings_text(token.gateway, issued)
    try:
        decode(text, GatewaySettings, token.url)
    except SettingsError as error:
        raise NotEnrolled(token.url, f"gives addresses that can't be used: {error}") from error
    servers = x509.load_pem_x509_certificate(trust.authority.encode())
    issuer = enrolment.issuer_of(issued.issuer, token.url, servers)
    certificate = enrolment.accepted(issued.certificate, token.url, token.gateway, key, issuer)
    return _Checked(trust, issuer, certificate, text)


def _keep(folder: Path, checked: _Checked) -> None:
    """All but the pair, which comes last: with it the gateway is enrolled."""
    files = {
        "ca.pem": checked.trust.authority,
        "issuer.pem": enrolment.pem(checked.issuer),
        "command.pub": checked.trust.command_key,
    }
    if checked.trust.firmware_root is not None:
        files["firmware-root.json"] = checked.trust.firmware_root
    if not (folder / SETTINGS).exists():
        files[SETTINGS] = checked.settings
    for name, content in files.items():
        pair.keep(folder / name, content.encode(), pair.CERTIFICATE_MODE)


def _settings_text(gateway: str, issued: wire.Issued) -> str:
    """A JSON string is a YAML one."""
    return f"""\
# A Ridethrough gateway. Relative paths begin at this file's folder.
gateway: {json.dumps(gateway)}
cloud: {json.dumps(issued.cloud)}
# Where its certificate is renewed, by itself.
enrolment: {json.dumps(issued.enrolment)}
tls: {{ca: ca.pem, certificate: gateway.pem, key: gateway.key, issuer: issuer.pem}}
# The key that orders from the cloud are signed with.
command_key: command.pub
data: data
# The UPSs beside it, by name and URL:
#units:
#  - {{name: rack-1, url: "modbus+tcp://10.0.0.5:502?unit=1"}}
#  - {{name: rack-2, url: "modbus+rtu:///dev/ttyUSB0?baud=9600&unit=1"}}
"""
