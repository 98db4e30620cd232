"""What happens at the same moment, with PostgreSQL's locks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid import keys
from pbxsite.gateway.openid.clients import forget
from pbxsite.gateway.openid.models import SigningKey, Subject
from tests.conftest import Starter
from tests.support.openid import Party, make_party

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def at_once(*works: Callable[[], object]) -> list[object]:
    def closing(work: Callable[[], object]) -> object:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(closing, works))


def test_a_code_is_used_once(
    user: PbxUser, start: Starter, browser: Browser, pem: str
) -> None:
    SigningKey.objects.create(pem=pem)
    party: Party = make_party()
    start(browser)
    Subject.objects.create(user=user)

    for _round in range(5):
        code = party.code(browser)
        use = partial(status_of, partial(party.token, code=code))
        answers = at_once(*[use] * 4)

        assert sorted(answers) == [200, 400, 400, 400]  # type: ignore[type-var]
        # RFC 6749, 4.1.2: one of the four may have been a thief.
        assert not Token.objects.exists()


@pytest.mark.long
def test_a_session_ends_however_often_a_client_asks_meanwhile(
    user: PbxUser, start: Starter, browser: Browser, pem: str
) -> None:
    SigningKey.objects.create(pem=pem)
    party: Party = make_party()
    Subject.objects.create(user=user)

    for _round in range(10):
        start(browser)
        value = party.tokens(browser)["refresh_token"]
        refresh = partial(status_of, partial(party.refresh, value))
        open_client = partial(status_of, partial(browser.get, party.asked()))
        end = partial(end_sessions, [user])
        answers = at_once(refresh, open_client, end, refresh, open_client, refresh)

        assert answers.pop(2) == 1
        assert set(answers) <= {200, 302, 400}
        assert not UserSession.objects.exists()
        assert not Token.objects.exists()


@pytest.mark.long
def test_a_client_is_deleted_however_often_it_asks_meanwhile(
    user: PbxUser, start: Starter, browser: Browser, pem: str
) -> None:
    SigningKey.objects.create(pem=pem)
    Subject.objects.create(user=user)
    start(browser)

    for number in range(5):
        party: Party = make_party(f"chat-{number}")
        value = party.tokens(browser)["refresh_token"]
        begun = Event()
        ask = partial(ask_on, partial(party.refresh, value), begun)
        at_once(ask, ask, partial(forget_later, party, begun), ask, ask)

        assert not RegisteredClient.objects.exists()
        assert not Token.objects.exists()


def ask_on(ask: Callable[[], HttpResponse], begun: Event) -> None:
    for _time in range(8):
        assert ask().status_code in {200, 400, 401, 429}
        begun.set()


def forget_later(party: Party, begun: Event) -> None:
    assert begun.wait(timeout=30)
    forget(party.openid.application)


def status_of(ask: Callable[[], HttpResponse]) -> int:
    return int(ask().status_code)


def test_one_key_is_made() -> None:
    made = at_once(*[lambda: keys.published().count()] * 4)

    assert made == [1, 1, 1, 1]
    assert SigningKey.objects.count() == 1
