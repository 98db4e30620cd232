"""Guessing on and on, and guessing to keep the owner out."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from authconfig.models import AuthenticationSettings
from tests.conftest import Starter
from tests.support.attacks import accept_by_link
from verification.approval.models import LoginSession
from verification.sessions.models import FailureCount, KnownAddress

pytestmark = pytest.mark.django_db
OFFICE, STRANGER = "192.0.2.7", "198.51.100.9"


def log_in(start: Starter, address: str) -> Browser:
    browser = Browser(REMOTE_ADDR=address)
    start(browser)
    accept_by_link(LoginSession.objects.pending().get())
    assert browser.post("/login/waiting/continue/").url == "/account/"
    return browser


def guess(start: Starter, address: str = STRANGER) -> list[int]:
    tries = range(11)
    browser = Browser(REMOTE_ADDR=address)
    return [start(browser, password=f"guess {n}").status_code for n in tries]


def test_a_known_address_stays_known_after_logout(
    two_factor: AuthenticationSettings, start: Starter
) -> None:
    log_in(start, OFFICE).post("/logout/")

    assert guess(start)[-1] == 429
    assert start(Browser(REMOTE_ADDR=OFFICE)).url == "/login/waiting/"


def test_the_right_password_alone_makes_no_address_known(
    two_factor: AuthenticationSettings, start: Starter
) -> None:
    start(Browser(REMOTE_ADDR=STRANGER))
    start(Browser(REMOTE_ADDR=STRANGER), path="/mypbx/login/")

    assert not KnownAddress.objects.filter(kind="myapps").exists()


def test_after_a_rejection_the_owner_goes_on_where_they_were_before(
    two_factor: AuthenticationSettings, start: Starter
) -> None:
    owner = log_in(start, OFFICE)
    start(Browser(REMOTE_ADDR=STRANGER))
    pending = LoginSession.objects.pending().get()
    owner.post(f"/account/approvals/{pending.pk}/", {"decision": "reject"})
    owner.post("/logout/")

    assert start(Browser(REMOTE_ADDR=STRANGER)).status_code == 429
    assert start(Browser(REMOTE_ADDR=OFFICE)).url == "/login/waiting/"


@pytest.mark.long
def test_a_hundred_guesses_are_the_end_however_slowly_they_come(
    start: Starter,
) -> None:
    now, opened = timezone.now(), []
    for day in range(10):
        with time_machine.travel(now + timedelta(days=day), tick=False):
            cache.clear()
            opened += guess(start)[:10]
    with time_machine.travel(now + timedelta(days=11)):
        cache.clear()
        answer = start(Browser(REMOTE_ADDR=STRANGER))

    assert opened == [200] * 100
    assert FailureCount.objects.get().in_row == 101
    assert answer.status_code == 429


@pytest.mark.long
def test_many_addresses_have_the_same_hundred_guesses(start: Starter) -> None:
    for number in range(100):
        start(Browser(REMOTE_ADDR=f"203.0.113.{number}"), password=f"guess {number}")
        cache.clear()

    assert start(Browser(REMOTE_ADDR=STRANGER)).status_code == 429


@pytest.mark.parametrize(
    "header",
    [{"X-Requested-With": "XMLHttpRequest"}, {"Accept": "application/json"}],
    ids=["script", "JSON"],
)
def test_a_script_is_answered_as_a_browser_is(
    start: Starter, header: dict[str, str]
) -> None:
    browser = Browser(headers=header)

    answers = [start(browser, password=f"guess {n}") for n in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert not any("guess" in answer.content.decode() for answer in answers)
