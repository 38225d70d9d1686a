"""A gateway's side of enrolment, without a gateway: keys, signing requests, and requests to the endpoint."""

from __future__ import annotations

import base64
import http.client
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from gateway.wire import enrolment as wire
from gateway.wire.messages import Message

ANSWER_S = 20.0

M = TypeVar("M", bound=Message)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: ec.EllipticCurvePrivateKey, name: str = "anyone", *more: x509.ExtensionType) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def signed(key: ec.EllipticCurvePrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()


def renewal(key: ec.EllipticCurvePrivateKey, certificate: str, csr: str) -> wire.Renew:
    """Of the certificate whose key is `key`."""
    request = x509.load_pem_x509_csr(csr.encode()).public_bytes(Encoding.DER)
    shown = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    return wire.Renew(csr=csr, certificate=certificate, signature=signed(key, wire.renewal_bytes(request, shown)))


def of_folder(home: Path) -> tuple[ec.EllipticCurvePrivateKey, str]:
    """Key and certificate that `cloud gateway add` made."""
    key = load_pem_private_key((home / "gateway.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, (home / "gateway.pem").read_text()


@dataclass
class Endpoint:
    """The enrolment endpoint, over TLS that believes one authority; a connection for each request."""

    address: tuple[str, int]
    ca: Path
    statuses: list[int] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(*self.address, timeout=ANSWER_S, context=context)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            self.statuses.append(answer.status)
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str, kind: type[M]) -> M:
        status, body = self.ask("GET", path)
        assert status == 200, body
        return msgspec.json.decode(body, type=kind)

    def post(self, path: str, asked: Message, kind: type[M]) -> M:
        status, body = self.ask("POST", path, msgspec.json.encode(asked))
        assert status == 200, body
        return msgspec.json.decode(body, type=kind)

    def refused(self, path: str, asked: Message | bytes) -> tuple[int, str]:
        """Status and word of a request that is not granted."""
        status, body = self.ask("POST", path, asked if isinstance(asked, bytes) else msgspec.json.encode(asked))
        assert status >= 400, body
        return status, msgspec.json.decode(body, type=wire.Failure).error
