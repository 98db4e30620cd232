"""What open pages follow: a pending login, or a signed-in session."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.redis_access import login_word, user_word
from verification.sessions.lifecycle import stored_sessions


class Topic(ABC):
    """Rows that are read again whenever somebody publishes their word."""

    # The state of a topic whose rows are no longer there.
    gone: ClassVar[str]

    @property
    @abstractmethod
    def word(self) -> str: ...

    @classmethod
    @abstractmethod
    def states(cls, topics: Collection[Any], *, only_news: bool) -> dict[Any, str]:
        """Read the topics' states; with `only_news` those that need telling suffice."""

    @abstractmethod
    def event(self, state: str) -> str:
        """Return what the page is told, as a server-sent event."""

    @abstractmethod
    def is_last(self, state: str) -> bool: ...


@dataclass(frozen=True)
class PendingLogin(Topic):
    public_id: UUID
    gone = "expired"

    @property
    def word(self) -> str:
        return login_word(self.public_id)

    @classmethod
    def states(
        cls, topics: Collection[PendingLogin], *, only_news: bool
    ) -> dict[PendingLogin, str]:
        """Only logins that are over are news: of many that wait few are."""
        rows = LoginSession.objects.over() if only_news else LoginSession.objects.all()
        logins = rows.filter(public_id__in={topic.public_id for topic in topics})
        return {cls(login.public_id): login.status for login in logins}

    def event(self, state: str) -> str:
        return f"event: state\ndata: {state}\n\n"

    def is_last(self, state: str) -> bool:
        return state != LoginState.PENDING


@dataclass(frozen=True)
class SignedInSession(Topic):
    """A signed-in session; one of myApps also hears of logins to decide about."""

    user_pk: int
    session_key: str = field(repr=False)
    decides: bool
    gone = "ended"

    @property
    def word(self) -> str:
        return user_word(self.user_pk)

    @classmethod
    def states(
        cls, topics: Collection[SignedInSession], *, only_news: bool
    ) -> dict[SignedInSession, str]:
        keys = {topic.session_key for topic in topics}
        alive = stored_sessions().filter(session_key__in=keys)
        users = {topic.user_pk for topic in topics if topic.decides}
        pending = LoginSession.objects.pending().filter(user_id__in=users)
        # A user has one pending login at most.
        logins = dict(pending.values_list("user_id", "pk"))
        living = set(alive.values_list("session_key", flat=True))
        return {
            topic: topic.state(logins.get(topic.user_pk))
            if topic.session_key in living
            else cls.gone
            for topic in topics
        }

    def state(self, login_pk: int | None) -> str:
        logins = [login_pk] if login_pk and self.decides else []
        return json.dumps({"pending": len(logins), "logins": logins})

    def event(self, state: str) -> str:
        if self.is_last(state):
            return "event: ended\ndata: {}\n\n"
        return f"event: approvals\ndata: {state}\n\n"

    def is_last(self, state: str) -> bool:
        return state == self.gone
