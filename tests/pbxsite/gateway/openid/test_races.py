"""What happens at the same moment, with PostgreSQL's locks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from pbxsite.gateway.openid import keys
from pbxsite.gateway.openid.models import SigningKey, Subject
from tests.conftest import Starter
from tests.support.openid import Party, make_party

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def at_once(count: int, work: object) -> list[object]:
    def closing(_number: int) -> object:
        try:
            return work()  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(closing, range(count)))


def test_a_code_is_used_once(
    user: PbxUser, start: Starter, browser: Browser, pem: str
) -> None:
    SigningKey.objects.create(pem=pem)
    party: Party = make_party()
    start(browser)
    Subject.objects.create(user=user)

    for _round in range(5):
        code = party.code(browser)
        answers = at_once(4, lambda: party.token(code=code).status_code)  # noqa: B023

        assert sorted(answers) == [200, 400, 400, 400]  # type: ignore[type-var]


def test_one_key_is_made() -> None:
    made = at_once(4, lambda: keys.published().count())

    assert made == [1, 1, 1, 1]
    assert SigningKey.objects.count() == 1
