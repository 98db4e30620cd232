"""The look-up of verdicts in the database, for many tickets at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY

from authconfig.clients.choices import AsksBy, Kind
from authconfig.clients.models import ClientApplication
from authconfig.clients.session_kinds import SESSION_KEY as KIND_KEY
from authconfig.models import AuthenticationSettings
from authconfig.policy import methods_for, requires_factor
from authconfig.users.models import PbxUser
from pbxsite.gateway.forward.headers import Headers, remote_headers
from pbxsite.gateway.forward.requests import Ticket
from pbxsite.gateway.forward.tokens import read_cookie
from verification.sessions.factors import lacking
from verification.sessions.lifecycle import keep_alive, stored_sessions
from verification.sessions.signed_in import is_unchanged


@dataclass(frozen=True)
class Verdict:
    status: HTTPStatus
    headers: Headers


NOT_FOUND = Verdict(HTTPStatus.NOT_FOUND, [])
NOT_BY_THIS_WAY = Verdict(HTTPStatus.FORBIDDEN, [])
LOG_IN = Verdict(HTTPStatus.UNAUTHORIZED, [])


@dataclass(frozen=True)
class Rows:
    """Everything that the verdicts depend on; users in `lacking` lack a factor."""

    clients: dict[str, ClientApplication]
    open_kinds: set[Kind]
    keys: dict[Ticket, str]
    sessions: dict[str, dict[str, Any]]
    users: dict[str, PbxUser]
    lacking: set[int]


def look_up(tickets: Collection[Ticket]) -> dict[Ticket, Verdict]:
    """Look up all verdicts by five queries, one more each for factors and groups."""
    rows = _read(tickets)
    verdicts = {ticket: _verdict(ticket, rows) for ticket in tickets}
    used = {rows.keys[t] for t in tickets if verdicts[t].status is HTTPStatus.OK}
    keep_alive({key: rows.sessions[key] for key in used})
    return verdicts


def _read(tickets: Collection[Ticket]) -> Rows:
    asked = ClientApplication.objects.filter(slug__in={t.slug for t in tickets})
    clients = {client.slug: client for client in asked}
    # The process's copy of the settings has an age, which ours would add to.
    rules = AuthenticationSettings.load()
    keys = _session_keys(tickets)
    sessions = _living(set(keys.values()))
    with_groups = any(client.tells_groups for client in clients.values())
    users = _users(sessions.values(), with_groups=with_groups)
    return Rows(
        clients=clients,
        open_kinds={kind for kind in Kind if methods_for(rules, kind)},
        keys=keys,
        sessions=sessions,
        users=users,
        lacking=_lacking(rules, users),
    )


def _verdict(ticket: Ticket, rows: Rows) -> Verdict:
    client = rows.clients.get(ticket.slug)
    if client is None:
        return NOT_FOUND
    if not client.asks(AsksBy.FORWARD_AUTH):
        return NOT_BY_THIS_WAY
    user = _let_in(ticket, client, rows)
    if user is None:
        return LOG_IN
    groups = user.groups.all() if client.tells_groups else ()
    headers = remote_headers(user, (group.name for group in groups))
    return Verdict(HTTPStatus.OK, headers)


def _let_in(ticket: Ticket, client: ClientApplication, rows: Rows) -> PbxUser | None:
    """A myPBX session opens nothing of myApps."""
    kept = rows.sessions.get(rows.keys.get(ticket, ""), {})
    user = rows.users.get(kept.get(SESSION_KEY, ""))
    if user is None or not is_unchanged(user, kept):
        return None
    kind = kept.get(KIND_KEY, Kind.MYPBX)
    if kind != client.kind or kind not in rows.open_kinds:
        return None
    return None if kind == Kind.MYAPPS and user.pk in rows.lacking else user


def _session_keys(tickets: Iterable[Ticket]) -> dict[Ticket, str]:
    """Return each ticket's session: the site's cookie goes before the client's."""
    passes = {t: read_cookie(t.client_cookie) for t in tickets if t.client_cookie}
    pks = {shown.session_pk for shown in passes.values() if shown}
    listed = UserSession.objects.filter(pk__in=pks) if pks else ()
    by_pk = {session.pk: session.session_key for session in listed}
    keys = {t: t.session_key for t in tickets if t.session_key}
    for ticket, shown in passes.items():
        if shown and (shown.slug, shown.host) == (ticket.slug, ticket.host):
            keys.setdefault(ticket, by_pk.get(shown.session_pk, ""))
    return keys


def _living(keys: Collection[str]) -> dict[str, dict[str, Any]]:
    rows = stored_sessions().filter(session_key__in=keys)
    return {row.session_key: row.get_decoded() for row in rows}


def _users(
    sessions: Iterable[dict[str, Any]], *, with_groups: bool
) -> dict[str, PbxUser]:
    pks = {kept[SESSION_KEY] for kept in sessions if SESSION_KEY in kept}
    found = PbxUser.objects.filter(pk__in=pks, is_active=True)
    if with_groups:
        found = found.prefetch_related("groups")
    return {str(user.pk): user for user in found}


def _lacking(rules: AuthenticationSettings, users: dict[str, PbxUser]) -> set[int]:
    if not requires_factor(rules, Kind.MYAPPS):
        return set()
    asked = PbxUser.objects.filter(pk__in=[user.pk for user in users.values()])
    return set(lacking(asked).values_list("pk", flat=True))
