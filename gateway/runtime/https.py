"""One request a connection to the cloud's enrolment endpoint (gateway.wire.enrolment)."""

from __future__ import annotations

import ssl
from http.client import HTTPException, HTTPSConnection
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from gateway.errors import NotEnrolled
from gateway.runtime.clock import SystemClock
from gateway.runtime.tls import read_pem, trusting
from gateway.settings import Tls
from gateway.wire.enrolment import Failure
from gateway.wire.limits import ENROLMENT_BYTES
from gateway.wire.messages import Message

PATIENCE_S = 15.0
"""For each of name lookup, TCP, TLS and every piece of the answer."""
DEFAULT_PORT = 443

# X509_V_ERR_... of X509_STORE_CTX_get_error(3)
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_HOST, _OTHER_ADDRESS = 62, 64

M = TypeVar("M", bound=Message)


class Endpoint:
    """`url`: https://HOST:PORT. Every method raises NotEnrolled."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or DEFAULT_PORT
        self.where = f"https://{parts.netloc}"
        self._context = context

    def get(self, path: str, kind: type[M]) -> M:
        return self._ask("GET", path, None, kind)

    def post(self, path: str, message: Message, kind: type[M]) -> M:
        return self._ask("POST", path, msgspec.json.encode(message), kind)

    def _ask(self, method: str, path: str, body: bytes | None, kind: type[M]) -> M:
        connection = HTTPSConnection(self.host, self.port, timeout=PATIENCE_S, context=self._context)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        try:
            connection.request(method, path, body, headers if body else {})
            response = connection.getresponse()
            status, content = response.status, response.read(ENROLMENT_BYTES + 1)
        except (OSError, HTTPException, ValueError) as error:
            raise NotEnrolled(self.where, self._trouble(error)) from error
        finally:
            connection.close()
        if len(content) > ENROLMENT_BYTES:
            raise NotEnrolled(self.where, f"an answer of more than {ENROLMENT_BYTES} bytes: no enrolment endpoint")
        if status != 200:
            raise self._refused(status, content)
        return self._decoded(content, kind)

    def _decoded(self, content: bytes, kind: type[M]) -> M:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotEnrolled(self.where, f"not an answer of an enrolment endpoint: {error}") from error

    def _refused(self, status: int, content: bytes) -> NotEnrolled:
        try:
            failure = msgspec.json.decode(content, type=Failure)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return NotEnrolled(self.where, f"HTTP status {status}: no enrolment endpoint of Ridethrough")
        return NotEnrolled(self.where, failure.detail or failure.error, failure.error)

    def _trouble(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._mistrust(error)
        if isinstance(error, ssl.SSLError):
            return f"TLS failed: {error.reason or error}"
        if isinstance(error, TimeoutError):
            return f"no answer within {PATIENCE_S:g} s"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        return f"does not speak HTTP: {str(error) or type(error).__name__}"

    def _mistrust(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
            when = "is not valid yet" if error.verify_code == _NOT_YET_VALID else "has run out"
            return f"its certificate {when}, by this machine's clock: is that right?"
        if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
            return f"its certificate is not made for {self.host}: {error.verify_message}"
        return f"its certificate does not come from the cloud's authority: {error.verify_message}"


def endpoint_of(url: str, tls: Tls) -> Endpoint:
    """The enrolment endpoint, which has to prove that it is of the cloud that we enrolled at. Raises NotEnrolled."""
    try:
        return Endpoint(url, trusting(read_pem(tls.ca), SystemClock().is_right))
    except (OSError, ValueError) as error:
        raise NotEnrolled(str(tls.ca), f"no authority's certificate can be read: {error}") from error
