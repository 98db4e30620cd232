"""Opening links without being asked, and using what is used up."""

from __future__ import annotations

import re

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser
from playwright.sync_api import Page, sync_playwright

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD
from tests.support.attacks import (
    CONTINUE,
    accept_by_link,
    decide_by_link,
    everything,
    last_page,
    link_of,
)
from tests.support.site import launch
from tests.support.streams import Stream, told
from verification.approval.choices import LoginState
from verification.approval.live import hub as hubs
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["head", "get", "options"])
@pytest.mark.parametrize("agent", ["Barracuda", "Microsoft Office", "curl/8"])
def test_prefetching_the_link_changes_nothing(
    held: LoginSession, method: str, agent: str
) -> None:
    before = everything()

    for _ in range(5):
        getattr(Browser(HTTP_USER_AGENT=agent), method)(link_of(held))

    assert everything() == before


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_no_other_method_decides(held: LoginSession, method: str) -> None:
    getattr(Browser(), method)(link_of(held))

    held.refresh_from_db()
    assert held.state == LoginState.PENDING


def test_the_links_page_does_nothing_by_script(held: LoginSession) -> None:
    """What runs in a scanner's browser is on the page: nothing that sends a form."""
    page = Browser().get(link_of(held)).content.decode()
    scripts = re.findall(r'<script[^>]*src="/static/([^"]+)"', page)

    assert scripts == ["pbxsite/preferences.js", "pbxsite/times.js"]
    assert not re.search(r"autofocus|onload|http-equiv=.refresh", page)


def test_a_link_works_once(held: LoginSession) -> None:
    accept_by_link(held)

    for decision in ("accept", "reject"):
        answer = decide_by_link(held, decision, approval_code(held))
        assert answer.status_code == 410
    held.refresh_from_db()
    assert held.state == LoginState.ACCEPTED


def test_a_login_is_continued_once(held: LoginSession, browser: Browser) -> None:
    copies = [browser, Browser(), Browser()]
    for copy in copies[1:]:
        copy.cookies = browser.cookies.copy()
    accept_by_link(held)

    ends = [last_page(copy.post(CONTINUE, follow=True)) for copy in copies]

    assert ends == ["/account/", "/login/", "/login/"]
    assert UserSession.objects.count() == 1
    assert AuditEvent.objects.filter(event=Event.LOGIN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_stream_follows_nothing_a_second_time(
    two_factor: AuthenticationSettings, user: PbxUser, hub: hubs.Hub
) -> None:
    browser = Browser()
    browser.post("/login/", {"login": "anna", "password": PASSWORD})
    stolen = Browser()
    stolen.cookies = browser.cookies.copy()
    accept_by_link(LoginSession.objects.get())
    browser.post("/login/waiting/continue/")
    ended = Browser()
    ended.cookies = browser.cookies.copy()
    browser.post("/logout/")

    async def story() -> None:
        assert await Stream(stolen).open() == 204
        assert await Stream(stolen, path="/account/events/").open() == 204
        assert await Stream(ended, path="/account/events/").open() == 204

    told(story())


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_browser_that_runs_scripts_on_the_link_changes_nothing(
    held: LoginSession, live_server: object
) -> None:
    before = everything()

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        page: Page = chromium.new_page()
        page.goto(f"{live_server.url}{link_of(held)}")  # type: ignore[attr-defined]
        page.wait_for_timeout(1500)
        chromium.close()

    assert everything() == before
