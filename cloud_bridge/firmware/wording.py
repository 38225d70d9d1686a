"""A repository of firmware in words: what a release is, and what a signature would put into force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config.text import one_line
from gateway.wire.firmware import Facts

NOTES_CHARS = 400


def from_versions(facts: Facts) -> str:
    """`15.0..15.5, 14.2`."""
    ranges = ((each.lowest, each.highest) for each in facts.from_versions)
    return ", ".join(lowest if lowest == highest else f"{lowest}..{highest}" for lowest, highest in ranges)


def release_line(path: str, facts: Facts) -> str:
    """One release in one line."""
    again = f", reissues {facts.reissues[:16]}" if facts.reissues else ""
    return (
        f"{path}: version {facts.version} for hardware id {', '.join(facts.hardware_ids)} on {from_versions(facts)}, "
        f"counter {facts.release_counter}, output {' or '.join(facts.output)}, {facts.image.size} bytes, "
        f"SHA-256 {facts.image.sha256}{again}"
    )


def release_rows(facts: Facts) -> list[tuple[str, str]]:
    """Everything that is signed of a release but the digests of its chunks, as names and values."""
    image, transfer, before, after = facts.image, facts.transfer, facts.before, facts.after
    return [
        ("hardware ids", ", ".join(facts.hardware_ids)),
        ("version", facts.version),
        ("release counter", str(facts.release_counter)),
        ("may be put on", from_versions(facts)),
        ("any other gets first", facts.step_before or "(no step)"),
        ("reissues", facts.reissues or "(nothing)"),
        ("image", f"{image.size} bytes, {len(image.chunks)} chunks of {image.chunk}"),
        ("SHA-256", image.sha256),
        ("vendor's file", facts.source_sha256 or "(not said)"),
        ("transfer", f"{transfer.method}, {transfer.max_s} s at most, silent for {transfer.quiet_s} s at most"),
        ("output", " or ".join(facts.output)),
        (
            "before",
            f"charge {before.charge_pct} %, runtime {before.runtime_s} s, load {before.load_pct} % at most, "
            f"mains steady for {before.mains_stable_s} s",
        ),
        ("after", f"starts within {after.boot_s} s, reads sane within {after.settle_s} s"),
        (
            "if it breaks",
            f"{facts.recover.same_image} times again, then {facts.recover.fallback or 'hands are needed'}",
        ),
        ("notes", one_line(facts.notes, NOTES_CHARS) or "(none)"),
    ]


def changes(before: Mapping[str, Any], after: Mapping[str, Any], releases: Mapping[str, Facts]) -> list[str]:
    """What a role's `signed` part says that the version before did not, each in a line; `before` may be empty.

    `releases`: what `after` holds, by path.
    """
    return [*_targets(before, after, releases), *_roles(before, after), *_fields(before, after)]


def _targets(before: Mapping[str, Any], after: Mapping[str, Any], releases: Mapping[str, Facts]) -> Iterator[str]:
    old, new = before.get("targets", {}), after.get("targets", {})
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            yield f"withdraws {path}"
        elif path not in old:
            yield f"adds {release_line(path, releases[path])}"
        elif old[path] != new[path]:
            yield f"CHANGES {path}, which was there"


def _roles(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = _keys_by_role(before), _keys_by_role(after)
    for role in sorted(old.keys() | new.keys()):
        if role not in new:
            yield f"role {role} is gone"
        elif old.get(role) != new[role]:
            threshold, keys = new[role]
            yield f"role {role}: {threshold} of the keys {', '.join(key[:16] for key in keys)}"


def _keys_by_role(signed: Mapping[str, Any]) -> dict[str, tuple[int, list[str]]]:
    roles = {each["name"]: each for each in signed.get("delegations", {}).get("roles", [])} | signed.get("roles", {})
    return {name: (role["threshold"], role["keyids"]) for name, role in roles.items()}


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    known = ("targets", "delegations", "roles", "keys", "version")
    for name in sorted((before.keys() | after.keys()) - set(known)):
        if before.get(name) != after.get(name):
            yield f"{name}: {one_line(str(after.get(name)), NOTES_CHARS)}"
