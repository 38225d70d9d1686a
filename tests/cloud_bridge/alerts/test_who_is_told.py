"""The table of who is told: how things stand, what happens, and what becomes of it for each channel.

`neighbourhood` says who Ann, Bob and the operator are. A line of the outcome is CHANNEL: CODE of what is told, and
`not CHANNEL: CODE` of what is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_bridge.alerts.model import Change, Phase, What
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import Standing
from cloud_bridge.alerts.terms import Escalation, Scope
from tests.cloud_bridge.alerts.neighbourhood import (
    ANN_DEFAULT,
    ATTIC,
    BOB,
    CELLAR,
    CRITICAL,
    DAY,
    HOUR,
    INFO,
    MINUTE,
    NAS,
    NOW,
    RACK_1,
    RACK_2,
    SECOND,
    STRAY,
    WARNING,
    Given,
    alert,
    anns,
    channel,
    counted,
    fired,
    given,
    grouped,
    is_open,
    muted,
    over,
    planned,
    policy,
    quiet,
    routes,
    shared,
    silence,
    spoken,
    step,
    terms,
    told,
    unsubscribed,
    without_policies,
)

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
CELLAR_OUTAGES = "1|site=site 1|condition=outage"
TREE = """
channel: noc
least: warning
routes:
  - {name: quiet-lab, match: {tag: lab}, channel: noc-pager, least: critical}
  - {name: berlin, match: {owner: Ann}, go_on: true}
  - {name: gone, match: {gateway: "pi-[23]"}, channel: nowhere}
"""


@dataclass(frozen=True)
class Row:
    sentence: str
    standing: Standing
    change: Change
    outcome: str


def row(sentence: str, change: Change, outcome: str, *where: Given) -> Row:
    return Row(sentence, given(*where), change, outcome)


LOW = step(What.GREW, "rack-1", severity=CRITICAL, stage="low_battery", number=3)
OUTAGE = alert("rack-1")
GRAVE_OUTAGE = alert("rack-1", severity=CRITICAL)
SITE_OUTAGE = alert("cellar", "site_outage")
GRAVE_SITE_OUTAGE = alert("cellar", "site_outage", CRITICAL)
MANY_SITES = alert("cloud", "sites_outage")
LOST = alert("pi-1", "gateway_lost")
DARK = alert("attic", "site_dark", CRITICAL)
MAIL_FAILS = alert("ann-mail", "channel_failing")

WISHES = [
    row("a warning of a unit goes to its owner's mail at once", fired("rack-1"), "ann-mail: at_once"),
    row("nobody else's policy hears of it", fired("shed-ups"), "bob-mail: at_once"),
    row("a critical goes too", fired("rack-1", "overload", CRITICAL), "ann-mail: at_once"),
    row("an informational is below the default policy's least severity",
        fired("rack-1", "firmware_changed", INFO), "not ann-mail: below_least"),
    row("a policy that asks for everything hears it",
        fired("rack-1", "firmware_changed", INFO), "ann-mail: at_once", anns(least=INFO)),
    row("an opened alert is told to nobody", step(What.OPENED, "rack-1", phase=Phase.PENDING), ""),
    row("one that ended before it fired is told to nobody", step(What.DROPPED, "rack-1"), ""),
    row("what eases is told to nobody", step(What.EASED, "rack-1"), "", told(OUTAGE, "ann-mail")),
    row("an acknowledgement is told to nobody", step(What.ACKNOWLEDGED, "rack-1"), ""),
    row("a note is told to nobody", step(What.NOTED, "rack-1"), ""),
    row("growth is told to whom the beginning was told",
        LOW, "ann-mail: at_once", told(OUTAGE, "ann-mail")),
    row("growth is the first that a policy for criticals hears",
        LOW, "ann-mail: at_once, ann-phone: at_once",
        policy("ann-phone", least=CRITICAL), told(OUTAGE, "ann-mail")),
    row("unstable is told once as what it is", step(What.UNSTABLE, "rack-1", number=4), "ann-mail: at_once"),
    row("a policy can ask for what comes and goes, whatever its condition",
        step(What.UNSTABLE, "rack-1", number=4, unstable=True), "ann-mail: at_once",
        anns(conditions=("unit_unstable",))),
    row("such a policy does not hear of what comes once",
        fired("rack-1"), "not ann-mail: other_conditions", anns(conditions=("unit_unstable",))),
    row("a backlog's summary is as grave as the worst in it",
        step(What.SUMMARY, "rack-1", severity=INFO, worst=WARNING, phase=Phase.RESOLVED), "ann-mail: at_once"),
    row("a policy that is switched off tells nobody", fired("rack-1"), "not ann-mail: disabled", anns(enabled=False)),
    row("a channel that is switched off tells nobody",
        fired("rack-1"), "not ann-mail: channel_disabled", channel("ann-mail", enabled=False)),
    row("a policy for other devices does not hear",
        fired("rack-1"), "not ann-mail: out_of_scope", anns(scope=Scope(devices=(RACK_2,)))),
    row("a policy for the unit's site hears", fired("nas"), "ann-mail: at_once", anns(scope=Scope(sites=(ATTIC,)))),
    row("a policy for the unit's tag hears",
        fired("rack-1"), "ann-mail: at_once", anns(scope=Scope(devices=(NAS,), tags=("lab",)))),
    row("a policy for one of a gateway's units hears of the gateway",
        fired("pi-1", "gateway_lost"), "ann-mail: at_once", anns(scope=Scope(devices=(RACK_2,)))),
    row("a policy for a site's unit hears of the site",
        fired("cellar", "site_outage"), "ann-mail: at_once", anns(scope=Scope(tags=("lab",)))),
    row("a policy for other conditions does not hear",
        fired("rack-1", "fan_fault"), "not ann-mail: other_conditions", anns(conditions=("outage", "replace_battery"))),
    row("a policy may name a stage of an outage",
        LOW, "ann-mail: at_once", anns(conditions=("low_battery",))),
    row("a policy for on_battery hears how that outage grows",
        LOW, "ann-mail: at_once", anns(conditions=("on_battery",)),
        told(OUTAGE, "ann-mail")),
    row("an owner's own threshold is named without its number",
        fired("rack-1", "reading_out_of_range:4"), "ann-mail: at_once", anns(conditions=("reading_out_of_range",))),
    row("two policies that lead to one channel make one notice",
        fired("rack-1"), "ann-mail: at_once, not ann-mail: same_channel", policy("ann-mail")),
    row("of two policies to one channel the one without quiet hours counts",
        fired("rack-1"), "ann-mail: at_once, not ann-mail: same_channel", anns(quiet=quiet("12:00", "14:00")),
        policy("ann-mail")),
    row("the operator's policies are for every device",
        fired("shed-ups"), "bob-mail: at_once, noc: at_once", policy("noc", owner=None)),
    row("a unit that nobody owns has nobody to tell", fired("stray"), "not nobody: no_policy"),
    row("a unit that nobody owns is the operator's", fired("stray"), "noc: at_once", policy("noc", owner=None)),
    row("a unit that the registry does not know is the operator's",
        fired("pi-7/new"), "noc: at_once", policy("noc", owner=None)),
    row("a lost gateway concerns the owner of its units", fired("pi-3", "gateway_lost"), "bob-mail: at_once"),
    row("a lost gateway without units is the operator's",
        fired("pi-8", "gateway_lost"), "noc: at_once", policy("noc", owner=None)),
    row("a site concerns its owner", fired("shed", "site_outage"), "bob-mail: at_once"),
    row("the cloud concerns nobody but the operator", fired("cloud", "sites_outage"), "not nobody: no_policy"),
    row("a failing channel is told by another one, not by itself",
        fired("ann-mail", "channel_failing"), "ann-phone: at_once, not ann-mail: itself",
        policy("ann-phone", scope=Scope(devices=(NAS,)))),
]  # fmt: skip

TREES = [
    row("the tree's root hears what no child takes", fired("stray"), "noc: at_once", routes(TREE)),
    row("a child that inherits the channel hears in the root's place",
        fired("rack-2"), "ann-mail: at_once, noc: at_once", routes(TREE)),
    row("a child with a channel and a severity of its own is asked for both",
        fired("rack-1"), "ann-mail: at_once, not noc-pager: below_least", routes(TREE)),
    row("a leaf for criticals hears a critical",
        fired("rack-1", "overload", CRITICAL), "ann-mail: at_once, noc-pager: at_once", routes(TREE)),
    row("a node that goes on lets its siblings hear too",
        fired("nas"), "ann-mail: at_once, noc: at_once, not nobody: no_channel", routes(TREE)),
    row("a leaf and a policy that lead to one channel make one notice",
        fired("stray"), "noc: at_once, not noc: same_channel", routes(TREE), policy("noc", owner=None)),
    row("a node may ask for every threshold, without the rule's number",
        fired("stray", "reading_out_of_range:4"), "noc-pager: at_once",
        routes("{routes: [{match: {condition: reading_out_of_range}, channel: noc-pager}]}")),
    row("a node without a channel tells nobody", fired("stray"), "not nobody: no_policy", routes("{}")),
    row("a root that does not fit tells nobody",
        fired("stray"), "not nobody: no_policy", routes("{channel: noc, match: {owner: Ann}}")),
]  # fmt: skip

WITHHELD = [
    row("a silence withholds a warning", fired("rack-1"), "not ann-mail: silenced", silence()),
    row("so does a maintenance window", fired("rack-1"), "not ann-mail: maintenance", silence(kind="maintenance")),
    row("a silence can be of what comes and goes",
        step(What.UNSTABLE, "rack-1", number=4, unstable=True), "not ann-mail: silenced",
        silence(conditions=("unit_unstable",))),
    row("which does not name what is critical besides",
        step(What.GREW, "rack-1", severity=CRITICAL, stage="low_battery", number=5, unstable=True), "ann-mail: at_once",
        silence(conditions=("unit_unstable",))),
    row("a silence that is over withholds nothing", fired("rack-1"), "ann-mail: at_once", silence(until=NOW)),
    row("one that has not begun withholds nothing", fired("rack-1"), "ann-mail: at_once", silence(since=NOW + 1)),
    row("a silence of another unit withholds nothing",
        fired("rack-1"), "ann-mail: at_once", silence(scope=Scope(devices=(RACK_2,)))),
    row("a silence of one of its units does not withhold a gateway's",
        fired("pi-1", "gateway_lost"), "ann-mail: at_once", silence(scope=Scope(devices=(RACK_1,)))),
    row("a silence of all of its units does",
        fired("pi-1", "gateway_lost"), "not ann-mail: silenced", silence(scope=Scope(devices=(RACK_1, RACK_2)))),
    row("a silence of a site withholds the site's own alert",
        fired("cellar", "site_outage"), "not ann-mail: silenced", silence(scope=Scope(sites=(CELLAR,)))),
    row("a silence of another site does not",
        fired("cellar", "site_outage"), "ann-mail: at_once", silence(scope=Scope(sites=(ATTIC,)))),
    row("a silence of a site withholds its gateway's alert",
        fired("pi-1", "gateway_lost"), "not ann-mail: silenced", silence(scope=Scope(sites=(CELLAR,)))),
    row("a silence of another condition withholds nothing",
        fired("rack-1", "fan_fault"), "ann-mail: at_once", silence(conditions=("outage",))),
    row("another owner's silence withholds nothing", fired("rack-1"), "ann-mail: at_once", silence(owner=BOB)),
    row("the operator's silence is for everybody", fired("rack-1"), "not ann-mail: silenced", silence(owner=None)),
    row("an owner's silence of the owner's unit holds for the operator too",
        fired("rack-1"), "not ann-mail: silenced, not noc: silenced", policy("noc", owner=None), silence()),
    row("an owner's silence withholds nothing of a gateway that is another's too but from that owner",
        fired("pi-1", "gateway_lost"), "bob-mail: at_once, noc: at_once, not ann-mail: silenced",
        shared, policy("noc", owner=None), silence()),
    row("a silence does not withhold a critical that it does not name",
        fired("rack-1", "overload", CRITICAL), "ann-mail: at_once", silence()),
    row("a silence that names its condition withholds a critical",
        fired("rack-1", "overload", CRITICAL), "not ann-mail: silenced", silence(conditions=("overload",))),
    row("a silence that says critical withholds a critical",
        fired("rack-1", "overload", CRITICAL), "not ann-mail: silenced", silence(critical=True)),
    row("a silence of on_battery does not withhold low_battery",
        LOW, "ann-mail: at_once", silence(conditions=("on_battery",))),
    row("a silence of everything does not hide that a channel fails",
        fired("ann-mail", "channel_failing"), "ann-phone: at_once, not ann-mail: itself", policy("ann-phone"),
        silence()),
    row("a planned test withholds what it causes",
        fired("rack-1", "battery_depleting_fast"), "not ann-mail: planned",
        planned("pi-1/rack-1", "battery_depleting_fast")),
    row("a planned test withholds nothing else",
        fired("rack-1", "fan_fault"), "ann-mail: at_once", planned("pi-1/rack-1", "battery_depleting_fast")),
    row("a planned test of one unit withholds nothing of another",
        fired("rack-2", "battery_depleting_fast"), "ann-mail: at_once",
        planned("pi-1/rack-1", "battery_depleting_fast")),
    row("a planned test that is over withholds nothing",
        fired("rack-1", "battery_depleting_fast"), "ann-mail: at_once",
        planned("pi-1/rack-1", "battery_depleting_fast", until=NOW)),
    row("a planned test withholds no critical",
        fired("rack-1", "battery_fault", CRITICAL), "ann-mail: at_once", planned("pi-1/rack-1", "battery_fault")),
    row("a site's outage that was told tells of its units",
        fired("rack-1"), "not ann-mail: covered", is_open(SITE_OUTAGE), told(SITE_OUTAGE, "ann-mail")),
    row("one that this channel was not told of does not",
        fired("rack-1"), "ann-mail: at_once", is_open(SITE_OUTAGE), told(SITE_OUTAGE, "ann-phone")),
    row("a site's outage covers no unit of another site",
        fired("nas"), "ann-mail: at_once", is_open(SITE_OUTAGE), told(SITE_OUTAGE, "ann-mail")),
    row("a site's outage covers outages alone",
        fired("rack-1", "fan_fault"), "ann-mail: at_once", is_open(SITE_OUTAGE), told(SITE_OUTAGE, "ann-mail")),
    row("a site's outage that was told as a warning covers no critical",
        LOW, "ann-mail: at_once", is_open(SITE_OUTAGE),
        told(SITE_OUTAGE, "ann-mail")),
    row("one that was told as critical does",
        LOW, "not ann-mail: covered", is_open(GRAVE_SITE_OUTAGE),
        told(GRAVE_SITE_OUTAGE, "ann-mail", CRITICAL)),
    row("an incident that lists an alert covers it",
        fired("rack-1", covered_by=MANY_SITES.id), "ann-mail: at_once, not noc: covered", policy("noc", owner=None),
        is_open(MANY_SITES), told(MANY_SITES, "noc")),
    row("a lost gateway covers that its units are not heard",
        fired("rack-1", "communication_lost"), "not ann-mail: covered", is_open(LOST), told(LOST, "ann-mail")),
    row("a lost gateway covers no battery that is due",
        fired("rack-1", "battery_replacement_due"), "ann-mail: at_once", is_open(LOST), told(LOST, "ann-mail")),
    row("a dark site covers its silent gateway, critical as it is",
        fired("pi-2", "gateway_lost", CRITICAL), "not ann-mail: covered", is_open(DARK),
        told(DARK, "ann-mail", CRITICAL)),
]  # fmt: skip

TIMES = [
    row("what follows in the group waits for the group's end",
        fired("rack-2"), "ann-mail: grouped", grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("a group whose time is over is begun anew",
        fired("rack-2"), "ann-mail: at_once", grouped(CELLAR_OUTAGES, NOW - 5 * MINUTE)),
    row("a critical waits for no group",
        fired("rack-2", severity=CRITICAL), "ann-mail: at_once", grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("another condition is another group",
        fired("rack-2", "fan_fault"), "ann-mail: at_once", grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("another site is another group", fired("nas"), "ann-mail: at_once", grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("a policy without grouping waits for nothing",
        fired("rack-2"), "ann-mail: at_once", anns(group_s=0), grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("a warning waits for the end of quiet hours",
        fired("rack-1"), "ann-mail: quiet_hours", anns(quiet=quiet("12:00", "14:00"))),
    row("quiet hours are by the owner's clock",
        fired("shed-ups"), "bob-mail: at_once", policy("bob-mail", owner=BOB, id=2, quiet=quiet("12:00", "14:00"))),
    row("a critical breaks through quiet hours",
        fired("rack-1", severity=CRITICAL), "ann-mail: at_once", anns(quiet=quiet("12:00", "14:00"))),
    row("unless the owner wants none to break through",
        fired("rack-1", severity=CRITICAL), "ann-mail: quiet_hours",
        anns(quiet=quiet("12:00", "14:00", breaks_through=None))),
    row("an owner may let warnings break through",
        fired("rack-1"), "ann-mail: at_once", anns(quiet=quiet("12:00", "14:00", breaks_through=WARNING))),
    row("what would leave in quiet hours waits, whenever it came",
        fired("rack-2"), "ann-mail: quiet_hours", anns(quiet=quiet("13:03", "14:00")),
        grouped(CELLAR_OUTAGES, NOW - MINUTE)),
]  # fmt: skip

ENDS = [
    row("an end is told to whom the beginning was told", over("rack-1"), "ann-mail: at_once", told(OUTAGE, "ann-mail")),
    row("an end of what nobody heard is told to nobody", over("rack-1"), "not nobody: not_told_before"),
    row("a policy that came afterwards does not hear of the end",
        over("rack-1"), "ann-mail: at_once", policy("ann-phone"), told(OUTAGE, "ann-mail")),
    row("an end is told although the policy has other wishes now",
        over("rack-1"), "ann-mail: at_once",
        anns(least=CRITICAL, conditions=("fan_fault",), scope=Scope(devices=(NAS,))), told(OUTAGE, "ann-mail")),
    row("an end is told although the policy is gone",
        over("rack-1"), "ann-mail: at_once", without_policies, told(OUTAGE, "ann-mail")),
    row("an end is told although the unit has another owner now",
        over("shed-ups"), "ann-mail: at_once", told(alert("shed-ups"), "ann-mail")),
    row("an end is told through a silence",
        over("rack-1"), "ann-mail: at_once", silence(critical=True, conditions=("outage",)), told(OUTAGE, "ann-mail")),
    row("an end waits for the end of quiet hours",
        over("rack-1"), "ann-mail: quiet_hours", anns(quiet=quiet("12:00", "14:00")), told(OUTAGE, "ann-mail")),
    row("the end of what broke through breaks through",
        over("rack-1"), "ann-mail: at_once", anns(quiet=quiet("12:00", "14:00")),
        told(GRAVE_OUTAGE, "ann-mail", CRITICAL)),
    row("the end of what waits leaves with it",
        over("rack-1"), "ann-mail: grouped", told(OUTAGE, "ann-mail", at=NOW + 4 * MINUTE),
        grouped(CELLAR_OUTAGES, NOW + 4 * MINUTE)),
    row("the first end of a group waits for no beginning that has left",
        over("rack-1"), "ann-mail: at_once", told(OUTAGE, "ann-mail"), grouped(CELLAR_OUTAGES, NOW - MINUTE)),
    row("the next end of a group waits",
        over("rack-1"), "ann-mail: grouped", told(OUTAGE, "ann-mail"), grouped(f"{CELLAR_OUTAGES}|over", NOW - MINUTE)),
    row("a policy may ask for no word of ends",
        over("rack-1"), "not ann-mail: no_resolves", anns(resolves=False), told(OUTAGE, "ann-mail")),
    row("an address that has unsubscribed since hears of no end",
        over("rack-1"), "not ann-mail: unsubscribed", unsubscribed("ann@example.net"), told(OUTAGE, "ann-mail")),
    row("whom it was escalated to hears of the end",
        over("rack-1"), "ann-mail: at_once, ann-phone: at_once", anns(escalation=Escalation(after_s=600, channel=2)),
        told(OUTAGE, "ann-mail"), told(OUTAGE, "ann-phone")),
]  # fmt: skip

FLOODS = [
    row("the sixth notification of a unit is sent", fired("rack-1"), "ann-mail: at_once", counted(RACK_1, 5)),
    row("in the place of the seventh stands a notice",
        fired("rack-1"), "ann-mail: mute_told, not ann-mail: muted", counted(RACK_1, 6)),
    row("all who would have got the seventh get the notice",
        fired("rack-1"), "ann-mail: mute_told, noc: mute_told, not ann-mail: muted, not noc: muted",
        policy("noc", owner=None), counted(RACK_1, 6)),
    row("six that are half an hour old count no more",
        fired("rack-1"), "ann-mail: at_once", counted(RACK_1, 6, at=NOW - 30 * MINUTE - 5)),
    row("six that are a moment younger do",
        fired("rack-1"), "ann-mail: mute_told, not ann-mail: muted", counted(RACK_1, 6, at=NOW - 30 * MINUTE + 1)),
    row("another unit's count for nothing", fired("rack-1"), "ann-mail: at_once", counted(RACK_2, 6)),
    row("the figure is a setting",
        fired("rack-1"), "ann-mail: mute_told, not ann-mail: muted", terms(flood_more_than=2), counted(RACK_1, 2)),
    row("a muted unit tells nothing", fired("rack-1"), "not ann-mail: muted", muted(RACK_1)),
    row("a unit beside it does", fired("rack-2"), "ann-mail: at_once", muted(RACK_1)),
    row("after seven days it tells again by itself",
        fired("rack-1"), "ann-mail: at_once", muted(RACK_1, since=NOW - 7 * DAY)),
    row("and its count begins at zero",
        fired("rack-1"), "ann-mail: at_once", muted(RACK_1, since=NOW - DAY, until=NOW - SECOND), counted(RACK_1, 6)),
    row("a critical breaks through the mute",
        fired("rack-1", "overload", CRITICAL), "ann-mail: at_once", muted(RACK_1)),
    row("a critical that is the seventh is sent, and the notice beside it",
        fired("rack-1", "overload", CRITICAL), "ann-mail: at_once, ann-mail: mute_told", counted(RACK_1, 6)),
    row("with mute_critical a critical does not break through",
        fired("rack-1", "overload", CRITICAL), "not ann-mail: muted", terms(mute_critical=True), muted(RACK_1)),
    row("a channel hears of the mute when it first loses something by it",
        fired("rack-1"), "ann-phone: mute_told, not ann-mail: muted, not ann-phone: muted", policy("ann-phone"),
        muted(RACK_1)),
    row("the end of what was told before goes with the next digest",
        over("rack-1"), "ann-mail: muted", muted(RACK_1), told(OUTAGE, "ann-mail")),
    row("the end of a critical that broke through is sent at once",
        over("rack-1"), "ann-mail: at_once", muted(RACK_1), told(GRAVE_OUTAGE, "ann-mail", CRITICAL)),
    row("what was withheld anyway counts for nothing",
        fired("rack-1"), "not ann-mail: silenced", silence(), counted(RACK_1, 6)),
    row("a lost gateway is outside the rule",
        fired("pi-1", "gateway_lost"), "ann-mail: at_once", counted(RACK_1, 6), counted(RACK_2, 6)),
    row("a unit that nobody has registered has no rule",
        fired("pi-7/new"), "noc: at_once", policy("noc", owner=None), counted(STRAY, 6)),
]  # fmt: skip

UNSUBSCRIBED = [
    row("an address that has unsubscribed from the policy hears no warning",
        fired("rack-1"), "not ann-mail: unsubscribed", unsubscribed("ann@example.net")),
    row("it hears by another policy to the same address",
        fired("rack-1"), "ann-mail: at_once, not ann-mail: unsubscribed", unsubscribed("ann@example.net"),
        policy("ann-mail")),
    row("another address has not unsubscribed", fired("rack-1"), "ann-mail: at_once", unsubscribed("bob@example.net")),
]  # fmt: skip

LAST_RESORT = [
    row("without any policy the owner is told of a critical",
        fired("rack-1", "overload", CRITICAL), "ann-mail: reachless", without_policies),
    row("of a warning nobody is", fired("rack-1"), "not nobody: no_policy", without_policies),
    row("a policy that is switched off leaves nobody",
        fired("rack-1", "overload", CRITICAL), "ann-mail: reachless, not ann-mail: disabled", anns(enabled=False)),
    row("an owner who has unsubscribed from all of it is told as the holder of the account",
        fired("rack-1", "overload", CRITICAL), "ann-mail: reachless, not ann-mail: unsubscribed",
        unsubscribed("ann@example.net")),
    row("where the only channel fails, another of the owner's tells it as well",
        fired("rack-1", "overload", CRITICAL), "ann-mail: at_once, ann-phone: reachless", is_open(MAIL_FAILS)),
    row("of two mail channels the owner's own address is told",
        fired("rack-1", "overload", CRITICAL), "ann-phone: reachless", without_policies,
        channel("ann-mail", target="else@example.net"), channel("ann-phone", kind="mail", target="ann@example.net")),
    row("but not if that has unsubscribed and the other has not",
        fired("rack-1", "overload", CRITICAL), "ann-mail: reachless", without_policies,
        channel("ann-mail", target="else@example.net"), channel("ann-phone", kind="mail", target="ann@example.net"),
        unsubscribed("ann@example.net")),
    row("where no channel of the owner works, the operator's does",
        fired("rack-1", "overload", CRITICAL), "noc: reachless, not ann-mail: channel_disabled",
        channel("ann-mail", enabled=False), channel("ann-phone", enabled=False)),
    row("a critical of what nobody owns goes to the operator without being asked for",
        fired("stray", "overload", CRITICAL), "noc: reachless"),
    row("where no channel is left at all nobody can be told",
        fired("stray", "overload", CRITICAL), "not nobody: nobody",
        channel("noc", enabled=False), channel("noc-pager", enabled=False)),
    row("while the operator hears it, somebody is left",
        fired("rack-1", "overload", CRITICAL), "noc: at_once, not ann-mail: disabled", anns(enabled=False),
        policy("noc", owner=None)),
    row("a critical that is silenced has somebody left",
        fired("rack-1", "overload", CRITICAL), "not ann-mail: silenced", silence(critical=True)),
    row("whom the last resort told hears of the end",
        over("rack-1", "overload"), "ann-mail: at_once", without_policies,
        told(alert("rack-1", "overload", CRITICAL), "ann-mail", CRITICAL)),
]  # fmt: skip

ESCALATED = [
    row("what nobody acknowledged goes to the policy's second channel",
        step(What.ESCALATED, "rack-1", by=f"policy:{ANN_DEFAULT}"), "ann-phone: escalated",
        anns(escalation=Escalation(after_s=600, channel=2)), told(OUTAGE, "ann-mail")),
    row("and to that of a leaf of the tree",
        step(What.ESCALATED, "stray", by="route:root"), "noc-pager: escalated",
        routes("{channel: noc, escalate_after_s: 600, escalate_to: noc-pager}"), told(alert("stray"), "noc")),
    row("whatever the policy asks for otherwise",
        step(What.ESCALATED, "rack-1", by=f"policy:{ANN_DEFAULT}"), "ann-phone: escalated",
        anns(escalation=Escalation(after_s=600, channel=2), least=CRITICAL, conditions=("low_battery",))),
    row("it waits for no group and counts for no flood",
        step(What.ESCALATED, "rack-1", by=f"policy:{ANN_DEFAULT}"), "ann-phone: escalated",
        anns(escalation=Escalation(after_s=600, channel=2)), told(OUTAGE, "ann-mail"), counted(RACK_1, 6),
        grouped("2|site=site 1|condition=outage", NOW - MINUTE)),
    row("a policy that has no second channel any more escalates nothing",
        step(What.ESCALATED, "rack-1", by=f"policy:{ANN_DEFAULT}"), "not nobody: no_policy", told(OUTAGE, "ann-mail")),
]  # fmt: skip

TABLE = [*WISHES, *TREES, *WITHHELD, *TIMES, *ENDS, *FLOODS, *UNSUBSCRIBED, *LAST_RESORT, *ESCALATED]


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.sentence)
def test_who_is_told(each: Row) -> None:
    routed = route(each.change, each.standing, NOW)
    assert spoken(routed.decisions) == each.outcome


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.sentence)
def test_every_decision_says_why_in_words(each: Row) -> None:
    for decision in route(each.change, each.standing, NOW).decisions:
        assert decision.reason.count(" ") > 2, decision
        assert "None" not in decision.reason, decision


def test_the_table_is_long_and_says_nothing_twice() -> None:
    sentences = [each.sentence for each in TABLE]
    assert len(sentences) >= 60
    assert len(set(sentences)) == len(sentences)


def test_the_page_lists_every_code_and_none_that_there_is_not() -> None:
    codes = {one.code for each in TABLE for one in route(each.change, each.standing, NOW).decisions}
    section = DOCS.read_text().partition("## Codes")[2]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)))) == codes


def at(hour: int, minute: int = 0, second: int = 0) -> int:
    return int(datetime(2026, 11, 24, hour, minute, second, tzinfo=UTC).timestamp()) * 1000


DUE = [
    (row("at once is now",
         fired("rack-1"), ""), at(12)),
    (row("a group's end is group_s after its first notice",
         fired("rack-2"), "", grouped(CELLAR_OUTAGES, at(11, 59))), at(12, 4)),
    (row("what comes while others wait leaves with them",
         fired("rack-2"), "", grouped(CELLAR_OUTAGES, at(12, 2))), at(12, 2)),
    (row("quiet hours end by the wall clock in Berlin",
         fired("rack-1"), "", anns(quiet=quiet("12:00", "14:30"))), at(13, 30)),
    (row("a critical waits for no notice of the same alert that waits",
         LOW, "", told(OUTAGE, "ann-mail", at=at(12, 4)), grouped(CELLAR_OUTAGES, at(12, 4))), at(12)),
    (row("an end leaves with the beginning that waits",
         over("rack-1"), "", told(OUTAGE, "ann-mail", at=at(12, 4)), grouped(CELLAR_OUTAGES, at(12, 4))), at(12, 4)),
    (row("an end never leaves before its beginning",
         over("rack-1"), "", anns(group_s=0), told(OUTAGE, "ann-mail", at=at(12, 9))), at(12, 9)),
    (row("an end while muted leaves with the digest",
         over("rack-1"), "", muted(RACK_1, since=at(9)), told(OUTAGE, "ann-mail")), at(9) + DAY),
    (row("or when the quiet hours are over in which that is made",
         over("rack-1"), "", muted(RACK_1, since=at(9)), told(OUTAGE, "ann-mail"),
         anns(quiet=quiet("09:00", "11:00"))), at(10) + DAY),
    (row("or with the end of the mute",
         over("rack-1"), "", muted(RACK_1, since=at(9), until=at(12) + HOUR), told(OUTAGE, "ann-mail")), at(13)),
]  # fmt: skip


@pytest.mark.parametrize(("each", "due_at"), DUE, ids=[each.sentence for each, _ in DUE])
def test_when_it_leaves(each: Row, due_at: int) -> None:
    made = [one.notification for one in route(each.change, each.standing, NOW).decisions if one.notification]
    assert [one.due_at for one in made] == [due_at]
