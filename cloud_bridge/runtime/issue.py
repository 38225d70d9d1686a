"""Gives out certificates and claim codes: the registry and the issuing key, asked what enrolment.py decides."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from cloud_bridge import enrolment as rules
from cloud_bridge.authority import GATEWAY_LIFE, Authority, Use, issue, pem
from cloud_bridge.enrolment import Refused
from cloud_bridge.nonces import RANDOM_BYTES, Nonces
from cloud_bridge.register import Certificate, Claimed
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.keys import load_command_public
from cloud_bridge.runtime.revocation import is_listed
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways, tokens
from cloud_bridge.store.registry.errors import UnknownGateway
from cloud_bridge.store.registry.registry import Registry
from gateway.wire import enrolment as wire
from gateway.wire.token import digest
from gateway.wire.topics import is_unit_name

log = logging.getLogger(__name__)


class Issuing:
    """For any thread. Every method raises Refused, RegistryError."""

    def __init__(self, settings: CloudSettings, registry: Registry, authority: Authority, ca: x509.Certificate) -> None:
        self._registry = registry
        self._authority = authority
        self._revoked = settings.tls.revoked
        self._nonces = Nonces(secrets.token_bytes(32))
        self._one_claim = threading.Lock()
        command_key, _ = load_command_public(settings.command_public)
        self.trust = wire.Trust(authority=pem(ca).decode(), command_key=command_key)
        self._cloud = f"mqtts://{settings.mqtts}"
        self._enrolment = f"https://{settings.enrolment}"

    def enrol(self, asked: wire.Enrol) -> wire.Issued:
        """The first certificate of a gateway, for a token; again for the same key, as long as it is good."""
        key = rules.key_of_request(asked.csr)
        key_digest, token_digest, now = rules.key_digest(key), digest(asked.token), now_ms()
        with self._registry.writing(noticed=True) as connection:
            token = tokens.find_token(connection, token_digest)
            given = gateways.newest_for_key(connection, asked.gateway, key_digest)
            again = rules.token_use(token, asked.gateway, key_digest, given, now)
            if again is None:
                gateways.register(connection, asked.gateway, now)
                tokens.use_token(connection, token_digest, key_digest, now)
                gateways.readmit(connection, asked.gateway)
                again = self._new(connection, asked.gateway, key, now)
        return self._issued(again, "enrolled")

    def renew(self, asked: wire.Renew) -> wire.Issued:
        """A further certificate, for the key of an earlier one."""
        key = rules.key_of_request(asked.csr)
        name, shown = rules.bearer(asked.certificate, self._authority.certificate)
        now = now_ms()
        shown_row = rules.as_row(shown, name, now)
        signed = wire.renewal_bytes(rules.request_der(asked.csr), shown.public_bytes(Encoding.DER))
        rules.check_signature(shown, asked.signature, signed)
        with self._registry.writing() as connection:
            gateways.register(connection, name, now)
            self._check_admitted(connection, name)
            row = self._row(connection, shown, shown_row.fingerprint)
            given = gateways.newest_for_key(connection, name, rules.key_digest(key))
            again = rules.renewal(shown, row, given, now)
            if again is None:
                gateways.adopt(connection, shown_row)
                again = self._new(connection, name, key, now)
        return self._issued(again, "renewed")

    def nonce(self) -> wire.Fresh:
        return wire.Fresh(nonce=self._nonces.new(secrets.token_bytes(RANDOM_BYTES), time.monotonic()))

    def claim(self, asked: wire.Claim) -> wire.ClaimCode:
        """A code by which an owner claims the gateway's units, or one of them."""
        name, shown = rules.bearer(asked.certificate, self._authority.certificate)
        if name != asked.gateway or (asked.unit and not is_unit_name(asked.unit)):
            raise Refused("a claim for another gateway, or for no unit", wire.Why.MALFORMED)
        rules.check_signature(shown, asked.signature, wire.claim_bytes(name, asked.unit, asked.nonce))
        with self._one_claim:
            is_fresh = self._nonces.use(asked.nonce, time.monotonic())
        if not is_fresh:
            raise Refused("a nonce that is not fresh")
        now = now_ms()
        code, until = rules.claim_code(secrets.token_bytes(rules.CLAIM_LENGTH)), now + int(rules.CLAIM_VALID_S * 1000)
        fingerprint = rules.as_row(shown, name, now).fingerprint
        with self._registry.writing() as connection:
            self._check_admitted(connection, name)
            rules.check_bearer(shown, self._row(connection, shown, fingerprint), now)
            made = tokens.claims_since(connection, name, now - rules.DAY_MS)
            rules.check_daily(made, rules.CLAIMS_A_DAY, "claim codes")
            claimed = Claimed(gateway=name, unit=asked.unit or None)
            tokens.add_claim(connection, rules.claim_digest(code), claimed, now, until)
        log.info("%s: a claim code was given out", name)
        return wire.ClaimCode(code=code, expires_at=until)

    def _check_admitted(self, connection: Connection, name: str) -> None:
        try:
            if gateways.find(connection, name).revoked_at is not None:
                raise Refused("a revoked gateway")
        except UnknownGateway as error:
            raise Refused(str(error)) from error

    def _row(self, connection: Connection, shown: x509.Certificate, fingerprint: str) -> Certificate | None:
        """Raises Refused for one that the registry has forgotten and the revocation list has not."""
        row = gateways.by_fingerprint(connection, fingerprint)
        if row is None and is_listed(self._revoked, self._authority, shown.serial_number):
            raise Refused("a revoked certificate")
        return row

    def _new(self, connection: Connection, name: str, key: ec.EllipticCurvePublicKey, now: int) -> Certificate:
        made = gateways.issued_since(connection, name, now - rules.DAY_MS)
        rules.check_daily(made, rules.CERTIFICATES_A_DAY, "certificates")
        at = datetime.fromtimestamp(now / 1000, UTC)
        signed = issue(self._authority, name, Use.CLIENT, key, x509.random_serial_number(), at, life=GATEWAY_LIFE)
        row = rules.as_row(signed, name, now)
        gateways.record(connection, row)
        return row

    def _issued(self, row: Certificate, what: str) -> wire.Issued:
        until = datetime.fromtimestamp(row.expires_at / 1000, UTC)
        log.info("%s: %s: certificate %s, good until %s", row.gateway, what, row.serial_number, f"{until:%Y-%m-%d}")
        return wire.Issued(
            gateway=row.gateway,
            certificate=row.pem,
            issuer=pem(self._authority.certificate).decode(),
            ca=self.trust.authority,
            command_key=self.trust.command_key,
            cloud=self._cloud,
            enrolment=self._enrolment,
        )
