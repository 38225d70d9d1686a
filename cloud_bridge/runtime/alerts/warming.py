"""The first mail as quick as the others: libraries are imported, templates compiled and fonts loaded beforehand."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Item, Notice, Series
from drivers.ups import CATALOGUE

_AT = 1_700_000_000_000
_STAGE = "on_battery"


def warm() -> None:
    """Makes a mail that nobody gets."""
    import aiosmtplib  # noqa: F401  (for its import alone)

    from cloud_bridge.notify.letter import letter

    address = Address("", addr_spec="nobody@example.net")
    letter(_notice(), address, address.addr_spec, datetime.fromtimestamp(_AT / 1000, UTC))


def _notice() -> Notice:
    kind = CATALOGUE[_STAGE]
    item = Item(
        alert="0",
        number=1,
        what=What.FIRED,
        stage=_STAGE,
        severity=kind.severity,
        label="",
        at=_AT,
        onset_at=_AT,
        happened="",
        meaning=kind.meaning,
        do_this=kind.do_this,
    )
    readings = Series(label="", unit="%", points=((_AT - 60_000, 1.0), (_AT, 2.0)))
    return Notice(
        id="0", about=About.ALERT, title="", severity=kind.severity, at=_AT, items=(item,), series=(readings,)
    )
