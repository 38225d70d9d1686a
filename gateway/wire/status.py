"""How reports by exception add up to a unit's status. Gateway and cloud share it, so they agree."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.wire.messages import StatusBody


def merge_status(previous: Mapping[str, msgspec.Raw], body: StatusBody) -> dict[str, msgspec.Raw]:
    """The status after `body`: a full one replaces it, another changes what it names and drops what is gone.

    A field that is in `values` and in `gone` stays: what was read outweighs what was not.
    """
    if body.full:
        return dict(body.values)
    kept = {name: value for name, value in previous.items() if name not in body.gone}
    return kept | body.values
