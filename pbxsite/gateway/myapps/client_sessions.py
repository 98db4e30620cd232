"""Sessions of clients: how they begin, how a client shows one again, how they end.

They are sessions as all others. Their key in the database is told to nobody, so none
opens a page of the site; a client shows a name and a password of its own.
"""

from __future__ import annotations

import secrets
import string
import time
from importlib import import_module

from allauth.usersessions.adapter import get_adapter as sessions_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.crypto import constant_time_compare

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import BEGAN_KEY
from authconfig.models import current_rules
from authconfig.policy import methods_for
from authconfig.users import audit
from authconfig.users.audit import proof_of
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps.models import ClientSession
from pbxsite.gateway.myapps.proofs import Asked, response_digest
from verification.login.stages import Released
from verification.sessions import lifecycle, passwords, tries
from verification.sessions.choices import Source
from verification.sessions.factors import APPROVED_BY, is_missing_for
from verification.sessions.lifecycle import IS_CLIENT

# Clients refuse other lengths.
NAME_BYTES, PASSWORD_LENGTH = 16, 23
LETTERS = string.ascii_letters + string.digits


def begin(user: PbxUser, released: Released, origin: Origin) -> ClientSession:
    """Make the session, and note what follows from a completed login.

    In a transaction that holds the user's row: whoever ends all sessions of the user
    meanwhile would miss it.
    """
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[BEGAN_KEY] = time.time()
    lifecycle.renew(store)
    store.save(must_create=True)
    session = UserSession.objects.create(
        user=user,
        ip=origin.address,
        session_key=store.session_key,
        user_agent=origin.user_agent,
        data={
            "kind": released.kind,
            "method": released.method,
            "approver": released.approver,
            APPROVED_BY: released.approved_by,
            IS_CLIENT: True,
        },
    )
    if released.proven:
        sources = {released.source, Source.SESSION}
        tries.forget_failures(user, sources, released.proven)
    lifecycle.remember(user, origin.address, released.kind, released.approver)
    if user.is_from_mailbox:
        passwords.confirm(user, released.approver, besides=session.session_key)
    audit.record(
        Event.LOGIN,
        user=user,
        origin=origin,
        kind=released.kind,
        method=released.method,
        detail=released.approver,
        proof=proof_of(current_rules(), released.method),
    )
    return ClientSession.objects.create(
        session=session,
        public_id=secrets.token_hex(NAME_BYTES),
        password="".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH)),
        auth_hash=user.get_session_auth_hash(),
    )


def named(public_id: str) -> ClientSession | None:
    """Return the session of this name, even one that is over: `is_over` says so."""
    return _with_life().filter(public_id=public_id).first()


def knows_password(client: ClientSession, asked: Asked, response: str) -> bool:
    return constant_time_compare(response, response_digest(asked, client.password))


def find(pk: int) -> ClientSession | None:
    return _with_life().filter(pk=pk).first()


def _with_life() -> QuerySet[ClientSession]:
    stored = lifecycle.stored_sessions().filter(
        session_key=OuterRef("session__session_key")
    )
    rows = ClientSession.objects.annotate(is_stored=Exists(stored))
    return rows.select_related("session__user")


def is_over(client: ClientSession) -> bool:
    """Would the session's login be refused by now, or is the session itself over?"""
    user, data = client.session.user, client.session.data
    stands = (
        client.is_stored  # type: ignore[attr-defined]  # `_with_life` adds it
        and user.is_active
        and user.is_bound_by(client.auth_hash)
        and data.get("method") in methods_for(current_rules(), Kind.MYAPPS)
    )
    return not stands or is_missing_for(user.pk, Kind.MYAPPS)


def keep_alive(session: UserSession) -> None:
    """Note that the session is used, and move its end."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session.session_key)
    lifecycle.keep_alive({session.session_key: dict(store.items())})


def end(
    session: UserSession, origin: Origin, event: Event, *, detail: str = ""
) -> None:
    user = session.user
    words = {"kind": Kind.MYAPPS, "detail": detail}
    audit.record(event, user=user, actor=user, origin=origin, **words)
    sessions_adapter().end_sessions([session])
