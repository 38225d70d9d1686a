"""Settings of a wire that are shown and changed as text by `sim ctl wire`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, get_type_hints

import msgspec

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]

_WORDS = {"on": "true", "off": "false", "yes": "true", "no": "false"}
_NO_SETTINGS = frozenset({"watchers", "faults"})
"""Fields that listeners and the control port have for themselves."""


class WireSettingError(ValueError):
    """A wire setting that does not exist or cannot have that value; the text names both."""

    def __init__(self, name: str, value: str, reason: str) -> None:
        super().__init__(f"wire setting {name!r} cannot be {value!r}: {reason}")
        self.name, self.value, self.reason = name, value, reason


class Settable(msgspec.Struct, kw_only=True):
    """A struct whose fields can be set from text."""

    def values(self) -> dict[str, str | int | float | bool]:
        """Every setting by its name, as plain values."""
        return {name: getattr(self, name) for name in _kinds(type(self))}

    def change(self, name: str, text: str) -> None:
        """Set one setting from text ("answer-ms", "500"; yes-or-no as on and off).

        WireSettingError says what is wrong; nothing has changed then.
        """
        field, kinds = name.replace("-", "_"), _kinds(type(self))
        if field not in kinds:
            raise WireSettingError(name, text, "there is no such setting; there are " + ", ".join(kinds))
        plain = _WORDS.get(text.lower(), text)
        try:
            value = msgspec.convert(plain, kinds[field], strict=False)
        except msgspec.ValidationError as error:
            raise WireSettingError(name, text, str(error)) from error
        setattr(self, field, value)


@cache
def _kinds(of: type[Settable]) -> dict[str, Any]:  # Any: types as annotations spell them
    hints = get_type_hints(of, include_extras=True)
    return {name: kind for name, kind in hints.items() if name not in _NO_SETTINGS}
