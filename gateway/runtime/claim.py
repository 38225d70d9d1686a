"""`ridethrough gateway claim-code`: a code by which an owner claims this gateway's units."""

from __future__ import annotations

from gateway import enrolment
from gateway.errors import NotEnrolled
from gateway.runtime import pair
from gateway.runtime.https import endpoint_of
from gateway.runtime.keys import load_certificate, load_key
from gateway.settings import GatewaySettings
from gateway.wire import enrolment as wire


def claim_code(settings: GatewaySettings, unit: str = "") -> wire.ClaimCode:
    """For all the gateway's units, or for one. Raises NotEnrolled."""
    if settings.enrolment is None:
        raise NotEnrolled("enrolment", "is not in the settings: there is nobody to ask for a code")
    if unit and unit not in {each.name for each in settings.units}:
        named = ", ".join(each.name for each in settings.units) or "none"
        raise NotEnrolled(unit, f"no unit of this name is in the settings; there are: {named}")
    tls = pair.in_use(settings.tls)
    certificate, key = load_certificate(tls.certificate), load_key(tls.key)
    endpoint = endpoint_of(settings.enrolment, settings.tls)
    nonce = endpoint.get(wire.NONCE, wire.Fresh).nonce
    return endpoint.post(
        wire.CLAIM_CODE, enrolment.claim(settings.gateway, unit, nonce, certificate, key), wire.ClaimCode
    )
