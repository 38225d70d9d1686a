"""Whether an order is taken: for whom, how fresh, allowed to whom (S3, S7, S9, S10). Preconditions come after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from drivers.driver import Report
from drivers.ups import Command, Outcome, clean_text
from gateway.policy import Policy
from gateway.preconditions import Refusal
from gateway.view import UnitSight
from gateway.wire import limits
from gateway.wire.classes import CLASSES, CommandClass
from gateway.wire.messages import Clock, Stamp
from gateway.wire.orders import OPERATOR, By, CommandBody, Order, Stage

WITHOUT_CHALLENGE_MS = 10 * 60 * 1000
"""A *quiet* order that carries no challenge must not be good for longer: its age is all that bounds a replay."""

REPEATED, WRONG_GATEWAY = "repeated", "wrong_gateway"
"""Reasons that are not told to the cloud: it has the answer already, or it asked another gateway."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway knows when it judges an order.

    `signers`: whose signatures are right by the keys of now, the cloud's among them or nobody's. `known`: an order of
    this id was judged before. `challenge_age_s`: of the challenge it carries; None: none that was issued for it.
    `sight`: the unit it names; None: there is none.
    """

    gateway: str
    policy: Policy
    now: Stamp
    signers: frozenset[str]
    known: bool
    challenge_age_s: float | None
    sight: UnitSight | None


def decide(order: Order, standing: Standing) -> Refusal | None:
    """Why an order is refused; None: it is taken as far as its preconditions hold."""
    for check in (_addressed, _proven, _in_time, _fresh, _same_unit, _allowed, _operator):
        if refusal := next(check(order, standing), None):
            return refusal
    return None


def too_late(order: Order, now: Stamp, challenge_age_s: float | None) -> Refusal | None:
    """Why an order that was taken must no longer be sent."""
    if now.clock == Clock.SYNCHRONISED and now.at >= order.expires_at:
        return Refusal("expired", f"good until {_time(order.expires_at)}, the gateway's clock says {_time(now.at)}")
    if challenge_age_s is not None and not 0 <= challenge_age_s <= limits.CHALLENGE_S:
        return Refusal(
            "challenge_too_old", f"issued {challenge_age_s:.0f} s ago, {limits.CHALLENGE_S:.0f} s are allowed"
        )
    return None


def operators(signers: frozenset[str], policy: Policy) -> tuple[str, ...]:
    """The operators of the policy who signed."""
    prefix = f"{OPERATOR}:"
    return tuple(sorted(name for name in policy.operators if prefix + name in signers))


def command(order: Order) -> Command:
    return Command(
        verb=order.verb,
        serial=order.serial,
        groups=order.groups,
        use_off_delay=order.use_off_delay,
        use_on_delay=order.use_on_delay,
        cold_boot=order.cold_boot,
        value=order.value,
    )


def refused(order: Order, refusal: Refusal) -> CommandBody:
    return _body(order, Stage.REFUSED, refusal.reason, refusal.detail)


def accepted(order: Order, signed_by: tuple[str, ...]) -> CommandBody:
    return _body(order, Stage.ACCEPTED, "accepted", f"signed by {', '.join(signed_by)} too" if signed_by else "")


def finished(order: Order, report: Report, reason: str = "") -> CommandBody:
    """`reason`: where it is not the outcome alone."""
    body = _body(order, Stage.FINISHED, reason or report.outcome.value, report.detail)
    return msgspec.structs.replace(body, outcome=report.outcome)


def not_sent(order: Order, refusal: Refusal) -> CommandBody:
    """It was accepted, but nothing was written to the unit."""
    return finished(order, Report(outcome=Outcome.NOT_TAKEN, detail=refusal.detail), refusal.reason)


def _body(order: Order, stage: Stage, reason: str, detail: str) -> CommandBody:
    return CommandBody(
        id=order.id,
        stage=stage,
        reason=reason,
        detail=clean_text(detail, limits.DETAIL_LENGTH),
        verb=order.verb.value,
        serial=clean_text(order.serial),
        by=By(role=clean_text(order.by.role), name=clean_text(order.by.name)),
    )


def _addressed(order: Order, standing: Standing) -> Iterator[Refusal]:
    if order.gateway != standing.gateway:
        yield Refusal(WRONG_GATEWAY, f"for gateway {clean_text(order.gateway)}, this is {standing.gateway}")
    elif standing.known:  # before all that time changes: its answer stands
        yield Refusal(REPEATED, "an order of this id was judged before")
    elif standing.sight is None:
        yield Refusal("unknown_unit", f"no unit of this gateway is named {clean_text(order.unit)}")


def _proven(_order: Order, standing: Standing) -> Iterator[Refusal]:
    if not standing.signers:
        yield Refusal("keys_changed", "the gateway's keys were changed while it waited, and none of these signed it")


def _in_time(order: Order, standing: Standing) -> Iterator[Refusal]:
    if late := too_late(order, standing.now, None):
        yield late


def _fresh(order: Order, standing: Standing) -> Iterator[Refusal]:
    if order.challenge is None:
        yield from _fresh_without_challenge(order, standing.now)
    elif standing.challenge_age_s is None:
        yield Refusal("challenge_unknown", "this gateway issued no such challenge for this order, or has forgotten it")
    elif late := too_late(order, standing.now, standing.challenge_age_s):
        yield late


def _fresh_without_challenge(order: Order, now: Stamp) -> Iterator[Refusal]:
    if CLASSES.get(order.verb) is not CommandClass.QUIET:
        yield Refusal("challenge_missing", f"{order.verb} has to carry a challenge of this gateway")
    elif now.clock != Clock.SYNCHRONISED:
        yield Refusal("clock_not_set", "the gateway's clock is not set: without a challenge an order's age is unknown")
    elif order.expires_at - now.at > WITHOUT_CHALLENGE_MS:
        minutes = WITHOUT_CHALLENGE_MS // 60_000
        yield Refusal(
            "expires_too_late", f"good until {_time(order.expires_at)}; without a challenge {minutes} min ahead"
        )


def _same_unit(order: Order, standing: Standing) -> Iterator[Refusal]:
    sight = standing.sight
    serial = sight.identity.serial if sight is not None and sight.identity is not None else None
    if sight is not None and sight.stranger is not None:
        yield Refusal("unit_identity_changed", f"another unit answers as {sight.name}: {clean_text(sight.stranger)}")
    elif serial is None:
        yield Refusal("serial_unknown", "the unit has not said its serial number yet")
    elif serial != order.serial:
        yield Refusal("wrong_serial", f"for {clean_text(order.serial)}, this unit is {clean_text(serial)}")


def _allowed(order: Order, standing: Standing) -> Iterator[Refusal]:
    rules, kind = standing.policy.unit(order.unit), CLASSES.get(order.verb)
    if kind is None:
        yield Refusal("settings_are_local", f"{order.verb}: a unit's settings are not changed from the cloud")
    elif not standing.policy.allows(order.unit, order.verb):
        allowed = ", ".join((*(rules.allow or ()), *(rules.verbs or ()))) or "nothing"
        yield Refusal("not_allowed", f"{order.verb} is {kind}; this gateway's policy allows {order.unit} {allowed}")
    elif rules.roles is not None and order.by.role not in rules.roles:
        allowed = ", ".join(rules.roles) or "nobody"
        yield Refusal("role_not_allowed", f"asked by role {clean_text(order.by.role)}; the policy names {allowed}")


def _operator(order: Order, standing: Standing) -> Iterator[Refusal]:
    if CLASSES.get(order.verb) is not CommandClass.CUTS_OUTPUT or operators(standing.signers, standing.policy):
        return
    known = ", ".join(sorted(standing.policy.operators)) or "none"
    yield Refusal(
        "operator_signature_missing", f"{order.verb} has to be signed by an operator whom the policy names: {known}"
    )


def _time(at_ms: int) -> str:
    try:
        return f"{_EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return f"{at_ms} ms"
