"""What a client that is logged in asks for: its user's sessions, and the applications.

Each command asks anew whether the session still stands: the news of its end may be on
its way.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from allauth.usersessions.models import UserSession

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.clients.models import ClientApplication
from authconfig.models import current_rules
from pbxsite.gateway.myapps import client_sessions
from pbxsite.gateway.myapps.messages import domain_of
from pbxsite.gateway.myapps.models import ClientSession
from pbxsite.gateway.myapps.news import session_name, user_facts
from pbxsite.gateway.myapps.proofs import app_digest
from pbxsite.gateway.myapps.wire import Message, to_json
from verification.approval import flows
from verification.approval.models import LoginSession
from verification.sessions.choices import Approver
from verification.sessions.factors import APPROVED_BY
from verification.sessions.lifecycle import live_sessions

SLUG_LENGTH = 40
NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Order:
    """A message of a client, in whose session, and from where it came."""

    client_pk: int
    message: Message
    origin: Origin

    @property
    def name(self) -> str:
        """Return the name of the session or login that is meant; "" if it is none."""
        named = self.message.get("id")
        return named if isinstance(named, str) and NAME.fullmatch(named) else ""


def obey(order: Order) -> Message | None:
    """Do what the message says; return the answer, if it has one."""
    found = client_sessions.find(order.client_pk)
    if found is None or client_sessions.is_over(found):
        return None
    command = COMMANDS.get(order.message["mt"])
    return command(order, found) if command else None


def _authorize(order: Order, client: ClientSession) -> None:
    """Accept a login whose code the user has compared, if the rules allow that."""
    login = _waiting(order, client)
    if login is None or not current_rules().myapps_approve_by_comparing:
        return
    approved = client.session.data.get(APPROVED_BY)
    approver = Approver.SESSION if approved else Approver.UNAPPROVED
    flows.accept_compared(login, approver=approver, origin=order.origin)


def _delete(order: Order, client: ClientSession) -> None:
    """Reject a login that waits, or end a session; a stranger's is none of them."""
    login = _waiting(order, client)
    if login:
        flows.reject(login, approver=Approver.SESSION, origin=order.origin)
        return
    own = live_sessions().filter(user=client.session.user)
    for session in own.select_related("client_session"):
        if _name_of(session) == order.name:
            client_sessions.end(session, order.origin, Event.SESSION_ENDED)


def _waiting(order: Order, client: ClientSession) -> LoginSession | None:
    if not order.name:
        return None
    own = LoginSession.objects.pending().filter(user=client.session.user)
    named = own.filter(public_id=uuid.UUID(order.name))
    return named.select_related("user").first()


def _name_of(session: UserSession) -> str:
    client = getattr(session, "client_session", None)
    return client.public_id if client else session_name(session.pk)


def _log_out(order: Order, client: ClientSession) -> None:
    client_sessions.end(client.session, order.origin, Event.LOGOUT)


def _apps(order: Order, client: ClientSession) -> Message:
    """The client applications, as plain websites, which are handed no parameters."""
    tiles = ClientApplication.objects.tiles_of(Kind.MYAPPS)
    apps = [
        {
            "name": each.slug,
            "title": each.name,
            "text": each.name,
            "url": each.start_url,
            "website": True,
        }
        for each in tiles
    ]
    return {"mt": "UpdateApps", "apps": apps, "deviceApps": [], "selected": ""}


def _app_login(order: Order, client: ClientSession) -> Message | None:
    """Prove to an application who is logged in, by the password that it shares with us.

    The client hands the proof on, and can make none itself.
    """
    named, challenge = (order.message.get(name) for name in ("app", "challenge"))
    if not isinstance(named, str) or not isinstance(challenge, str):
        return None
    shared = ClientApplication.objects.exclude(app_password="")
    app = shared.filter(slug=named[:SLUG_LENGTH], kind=Kind.MYAPPS).first()
    if app is None or not app.app_password:
        return None
    rules, user = current_rules(), user_facts(client.session.user)
    answer = {"mt": "AppGetLoginResult", "app": app.slug, "domain": domain_of(rules)}
    answer |= {name: user[name] for name in ("sip", "guid", "dn")}
    info: Message = {}
    parts = (answer[name] for name in ("app", "domain", "sip", "guid", "dn"))
    digest = app_digest(*parts, to_json(info), challenge, app.app_password)
    return answer | {"info": info, "digest": digest}


COMMANDS: dict[str, Any] = {
    "AuthorizeSession": _authorize,
    "DeleteSession": _delete,
    "Logout": _log_out,
    "SubscribeApps": _apps,
    "AppGetLogin": _app_login,
}
