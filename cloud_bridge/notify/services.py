"""The services of Apprise that notices may go to (S24). What is not in this table does not exist here.

Left out are those that act on this machine or network without any service (syslog, dbus, gnome, windows, json, form,
mqtt, …), mail (a channel of its own), and those that read key files. Source: Apprise 2.3, apprise/plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Service(Enum):
    """FIXED: its host is in Apprise. ANYWHERE: the URL names the host, which is judged."""

    FIXED = 1
    ANYWHERE = 2


_ANYWHERE = """
    bark barks goalert goalerts gotify gotifys hassio hassios matrix matrixs mmost mmosts ncloud nclouds
    nctalk nctalks notica noticas ntfy ntfys pushdeer pushdeers rocket rockets signal signals smseagle smseagles
    synology synologys wechat workflow workflows xmatters
"""
_FIXED = """
    46elks atalk betterstack bulksms bulkvs burstsms chanify clickatell clicksend cliq d7sms dingtalk discord elks
    feishu firehydrant flock freemobile gchat groupme guilded httpsms ifttt ilert incidentio infobip join kavenegar
    kook lark line msgbird nexmo notifiarr octopush onesignal opsgenie pagerduty pagertree pbul plivo pover prowl
    psafer psafers push pushed pushme pushplus pushy revolt ringc ryver schan seven signalgrid signl4 simplepush sinch
    slack sns spike splunk spugpush spush squadcast telesign telnyx tgram threema trigv trigvs twilio twist viber
    victorops voipms vonage webex wecombot whatsapp wxteams zoom zulip
"""

SERVICES: Mapping[str, Service] = MappingProxyType(
    dict.fromkeys(_FIXED.split(), Service.FIXED) | dict.fromkeys(_ANYWHERE.split(), Service.ANYWHERE)
)

_PARAMETERS = """
    attach attachment avatar_url config cto filename keyfile redirect retry rto store subfile template timeout wait
"""


FORBIDDEN_PARAMETERS = frozenset(_PARAMETERS.split())
"""Of a URL's query: they name files or further addresses, follow redirects, or change what is ours to say: how often
and how long a notice is tried."""
