"""An enrolment endpoint, whole and in memory, that can be told to answer wrongly (gateway.wire.enrolment)."""

from __future__ import annotations

import base64
import hashlib
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.enrolment import pem
from gateway.wire import enrolment as wire
from gateway.wire.messages import Message
from gateway.wire.token import Token
from tests.gateway.papers import DAY, NOW, Papers

SECRET = "5e" * 32
NONCE = "00" * 32
UNTIL = 1_795_000_000_000

Answer = tuple[int, bytes] | None
"""HTTP status and body; None: hang up instead."""
Asked = Callable[[bytes], Answer]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up because it does not believe our certificate is no error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # its own, passed on


class Desk:
    """A context manager. `enrolled`: the certificate that a token was used for. `asked`: each request's path and body.

    `ahead`: called with each request before it is answered; what it returns is the answer. `edit`: the last word on
    what is issued. `claimed_length`: what an answer is said to be long.
    """

    def __init__(self, folder: Path, *, name: str = "pi", presented: Papers | None = None) -> None:
        self.name = name
        self.services, self.gateways = Papers("services"), Papers("gateways")
        self.command_key = Ed25519PrivateKey.generate().public_key()
        self.firmware_root: str | None = None
        self.ends = NOW + 90 * DAY
        self.issued: dict[bytes, x509.Certificate] = {}
        self.used_by: bytes | None = None
        self.asked: list[tuple[str, bytes]] = []
        self.ahead: dict[str, Asked] = {}
        self.claimed_length: int | None = None
        self.edit: Callable[[wire.Issued], wire.Issued] = lambda issued: issued
        self._server = _Server(("127.0.0.1", 0), self._handler())
        context = (presented or self.services).server(folder)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._serving = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Desk:
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> Token:
        root = self.firmware_root
        return Token(
            url=self.url,
            gateway=self.name,
            secret=SECRET,
            authority=self.services.certificate.fingerprint(hashes.SHA256()).hex(),
            command_key=hashlib.sha256(self.command_key.public_bytes_raw()).hexdigest(),
            firmware_root=None if root is None else hashlib.sha256(root.encode()).hexdigest(),
        )

    @property
    def trust(self) -> wire.Trust:
        key = self.command_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        authority = pem(self.services.certificate)
        return wire.Trust(authority=authority, command_key=key, firmware_root=self.firmware_root)

    @property
    def posted(self) -> list[str]:
        return [path for path, body in self.asked if body]

    def answer(self, path: str, body: bytes) -> Answer:
        self.asked.append((path, body))
        if path in self.ahead:
            return self.ahead[path](body)
        match path:
            case wire.TRUST:
                return said(self.trust)
            case wire.NONCE:
                return said(wire.Fresh(nonce=NONCE))
            case wire.ENROL:
                return self._enrol(msgspec.json.decode(body, type=wire.Enrol))
            case wire.RENEW:
                return self._renew(msgspec.json.decode(body, type=wire.Renew))
            case wire.CLAIM_CODE:
                return self._claim(msgspec.json.decode(body, type=wire.Claim))
            case _:
                return 404, b"no such page"

    def _enrol(self, asked: wire.Enrol) -> Answer:
        key = _spki(asked.csr)
        if asked.token != SECRET or asked.gateway != self.name or self.used_by not in (None, key):
            return refused()
        self.used_by = key
        return self._issue(asked.csr)

    def _renew(self, asked: wire.Renew) -> Answer:
        shown = x509.load_pem_x509_certificate(asked.certificate.encode())
        csr = x509.load_pem_x509_csr(asked.csr.encode())
        signed = wire.renewal_bytes(csr.public_bytes(Encoding.DER), shown.public_bytes(Encoding.DER))
        check(shown, asked.signature, signed)
        return self._issue(asked.csr)

    def _claim(self, asked: wire.Claim) -> Answer:
        shown = x509.load_pem_x509_certificate(asked.certificate.encode())
        check(shown, asked.signature, wire.claim_bytes(asked.gateway, asked.unit, NONCE))
        return said(wire.ClaimCode(code="K7QM-2XAB", expires_at=UNTIL))

    def _issue(self, csr: str) -> Answer:
        """For the same key the same certificate, until another one is wanted."""
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        spki = _spki(csr)
        if spki not in self.issued or self.issued[spki].not_valid_after_utc != self.ends:
            self.issued[spki] = self.gateways.leaf(self.name, key, ends=self.ends)
        return said(self.edit(self.issue_of(self.issued[spki])))

    def issue_of(self, certificate: x509.Certificate) -> wire.Issued:
        return wire.Issued(
            gateway=self.name,
            certificate=pem(certificate),
            issuer=pem(self.gateways.certificate),
            ca=self.trust.authority,
            command_key=self.trust.command_key,
            cloud="mqtts://127.0.0.1:8883",
            enrolment=self.url,
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answered(b"")

            def do_POST(self) -> None:
                self._answered(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

            def _answered(self, body: bytes) -> None:
                answer = desk.answer(self.path, body)
                if answer is None:
                    self.close_connection = True
                    return
                status, content = answer
                self.send_response(status)
                self.send_header("Content-Length", str(desk.claimed_length or len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def said(message: Message, status: int = 200) -> Answer:
    return status, msgspec.json.encode(message)


def refused(word: str = wire.Why.REFUSED, status: int = 403) -> Answer:
    return said(wire.Failure(error=word, detail="not accepted; the cloud's log says why"), status)


def check(certificate: x509.Certificate, signature: str, content: bytes) -> None:
    """Raises InvalidSignature unless the certificate's key signed `content`."""
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(signature), content, ec.ECDSA(hashes.SHA256()))


def _spki(csr: str) -> bytes:
    key = x509.load_pem_x509_csr(csr.encode()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
