"""What connections follow through the hub: a browser, a waiting login, a session."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import methods_for
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps.models import BrowserLogin, BrowserState
from verification.approval.live import hub as hubs
from verification.approval.live.topics import Topic
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.redis_access import login_word, user_word
from verification.sessions.lifecycle import live_sessions, note_use
from verification.sessions.user_agents import own_name_of_client

# Names that clients hear of users and of browsers' sessions are made from these.
USERS = uuid.UUID("5a5cf0a4-7a5c-4b0f-9a52-3d6b6f3a2b10")
SESSIONS = uuid.UUID("c2a1a5a0-0f63-4c55-8f0e-7d2b7e0a9f31")
KEPT_ALIVE_EVERY_SECONDS = 3600.0
Found = dict[str, Any]


class Followed(Topic):
    """What no page follows: it is told as it is."""

    def event(self, state: str) -> str:
        return state

    def is_last(self, state: str) -> bool:
        return state == self.gone


@dataclass(frozen=True)
class WaitingBrowser(Followed):
    """A login that goes on in a browser; its state is that of the row."""

    public_id: uuid.UUID = field(repr=False)
    gone = "gone"

    @property
    def word(self) -> str:
        return login_word(self.public_id)

    @classmethod
    def states(
        cls, topics: Collection[WaitingBrowser], *, only_news: bool
    ) -> dict[WaitingBrowser, str]:
        rows = BrowserLogin.objects.live()
        if only_news:
            rows = rows.filter(state__in=[BrowserState.SHOWN, BrowserState.FAILED])
        found = rows.filter(public_id__in={topic.public_id for topic in topics})
        return {cls(each.public_id): each.state for each in found}


@dataclass(frozen=True)
class FollowedSession(Followed):
    """A client's session: its state is what the client is told of, as JSON."""

    user_pk: int
    session_key: str = field(repr=False)
    method: str
    gone = "ended"

    @property
    def word(self) -> str:
        return user_word(self.user_pk)

    @classmethod
    def states(
        cls, topics: Collection[FollowedSession], *, only_news: bool
    ) -> dict[FollowedSession, str]:
        rules = current_rules()
        allowed = methods_for(rules, Kind.MYAPPS)
        pks = {topic.user_pk for topic in topics}
        users = _users(pks)
        sessions, keys = _sessions(pks)
        note_use(topic.session_key for topic in topics if topic.session_key in keys)
        logins = _logins(pks, with_codes=rules.myapps_approve_by_comparing)
        states = {}
        for topic in topics:
            user, pk = users.get(topic.user_pk), topic.user_pk
            lives = user and topic.session_key in keys and topic.method in allowed
            told = {"user": user, "sessions": sessions[pk] | logins[pk]}
            states[topic] = json.dumps(told, sort_keys=True) if lives else cls.gone
        return states


def _users(pks: Iterable[int]) -> dict[int, Found]:
    active = PbxUser.objects.filter(pk__in=pks, is_active=True)
    return {user.pk: user_facts(user) for user in active}


def user_facts(user: PbxUser) -> Found:
    """Return what a client is told of its user, but for the domain."""
    return {
        "sip": user.name,
        "guid": uuid.uuid5(USERS, str(user.pk)).hex,
        "dn": user.get_full_name(),
        "num": user.number,
        "email": user.email,
        "onboarded": True,
    }


def _sessions(pks: Iterable[int]) -> tuple[defaultdict[int, Found], set[str]]:
    """Return each user's sessions by the names that clients hear, and all keys."""
    rows = (
        live_sessions()
        .filter(user_id__in=pks)
        .values_list(
            "user_id",
            "pk",
            "session_key",
            "user_agent",
            "created_at",
            "client_session__public_id",
        )
    )
    found: defaultdict[int, Found] = defaultdict(dict)
    keys = set()
    for user_pk, pk, key, user_agent, created_at, public_id in rows:
        name = public_id or session_name(pk)
        found[user_pk][name] = _told(user_agent, created_at, waits=False)
        keys.add(key)
    return found, keys


def session_name(pk: int) -> str:
    return uuid.uuid5(SESSIONS, str(pk)).hex


def _logins(pks: Iterable[int], *, with_codes: bool) -> defaultdict[int, Found]:
    """Return the logins that wait, with their codes where these may be compared."""
    found: defaultdict[int, Found] = defaultdict(dict)
    for login in LoginSession.objects.pending().filter(user_id__in=pks):
        told = _told(login.user_agent, login.created_at, waits=True)
        if with_codes:
            told["code"] = int(approval_code(login))
        found[login.user_id][login.public_id.hex] = told
    return found


def _told(user_agent: str, at: Any, *, waits: bool) -> Found:
    return {
        "userAgent": own_name_of_client(user_agent),
        "timestamp": int(at.timestamp() * 1000),
        "needsAuthorization": waits,
    }


def differences(known: Found, found: Found, own: str, domain: str) -> list[Found]:
    """Return the messages that lead from one state of a session to another.

    `own` is the name of the session that is told; its first state updates no user.
    """
    told: list[Found] = []
    if known and known["user"] != found["user"]:
        told.append({"mt": "UpdateUser", "user": {"domain": domain, **found["user"]}})
    before, now = known.get("sessions", {}), found["sessions"]
    told += [
        {"mt": "SessionDeleted", "id": name} for name in before.keys() - now.keys()
    ]
    for name, facts in now.items():
        if before.get(name) != facts:
            mt = "SessionUpdated" if name in before else "SessionAdded"
            info = {"id": name, "current": name == own, **facts}
            told.append({"mt": mt, "id": name, "info": info})
    return told


async def states_of(topic: Topic) -> AsyncGenerator[str, None]:
    """Yield the topic's states as they change; "" now and then, without news."""
    newest = hubs.hub.join(topic)
    try:
        # Read after joining, or a change between the two would be lost.
        found = await hubs.states({topic})
        state, told = found.get(topic, topic.gone), ""
        while True:
            if state != told:
                yield state
                told = state
            try:
                async with asyncio.timeout(KEPT_ALIVE_EVERY_SECONDS):
                    state = await newest.get()
            except TimeoutError:
                yield ""
    finally:
        hubs.hub.leave(topic, newest)


async def until(topic: Topic, is_wanted: Callable[[str], bool]) -> str:
    """Wait for a state; that of a topic that is gone is wanted too."""
    async with aclosing(states_of(topic)) as states:
        async for state in states:
            if state and (is_wanted(state) or state == topic.gone):
                return state
    raise AssertionError
