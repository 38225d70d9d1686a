"""The only plugins that amqtt is given: with none in its settings it would admit anyone (libraries.md)."""

from __future__ import annotations

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from cloud_bridge.acl import Identity, may_publish, may_receive, may_subscribe

IDENTITY = "ridethrough.identity"
"""Session attribute: who the certificate says the client is."""


class CertificateName(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no type information
    """Admits a session whose name is its certificate's; the handler has seen to it already."""

    async def authenticate(self, *, session: Session) -> bool:
        identity = session.attributes.get(IDENTITY)
        return isinstance(identity, Identity) and identity.name == session.client_id == session.username


class TopicRules(BaseTopicPlugin):  # type: ignore[misc]  # amqtt has no type information
    """cloud_bridge.acl, asked by amqtt."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        identity = session.attributes.get(IDENTITY) if session else None
        if not isinstance(identity, Identity) or topic is None:
            return False
        rule = _RULES.get(action) if action else None
        return rule is not None and rule(identity, topic)


_RULES = {Action.PUBLISH: may_publish, Action.SUBSCRIBE: may_subscribe, Action.RECEIVE: may_receive}
