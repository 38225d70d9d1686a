"""Why a TLS handshake failed, for whoever has to mend it."""

from __future__ import annotations

_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no certificate: every client of this broker needs one",
    "NO_CERTIFICATE_RETURNED": "no certificate: every client of this broker needs one",
    "HTTP_REQUEST": "this is HTTP, not MQTT over TLS",
    "WRONG_VERSION_NUMBER": "this is not TLS; is the client told mqtts:// and this port?",
    "UNSUPPORTED_PROTOCOL": "TLS older than 1.2",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know our authority: its ca.pem is another cloud's",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client refuses our certificate: does it use another host name?",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client finds our certificate expired: is its clock right?",
}


def tls_refusal(reason: str | None, verify_message: str | None) -> str:
    """OpenSSL's reason and, when it is the client's certificate, its verdict; in words."""
    if verify_message:
        return f"certificate not accepted: {verify_message}"
    return _REASONS.get(reason or "", f"TLS: {(reason or 'the handshake broke off').lower().replace('_', ' ')}")
