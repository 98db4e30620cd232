"""Account security, and the logins to decide about on every page of a session."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser
from django.urls import reverse

from authconfig.clients.models import ClientApplication
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.html import Page
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.sessions.choices import Approver

pytestmark = pytest.mark.django_db
FRAGMENT = {"X-Fragment": "approvals"}


@pytest.fixture
def existing(start: Starter, configure: SettingsSetter) -> Browser:
    """Anna's browser, signed in to myApps since before two-factor was switched on."""
    browser = Browser()
    start(browser)
    configure(two_factor=True, smtp_server="127.0.0.1", verification_link="https://x/")
    return browser


@pytest.fixture
def waiting(existing: Browser, start: Starter) -> LoginSession:
    start(Browser(), HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0")
    return LoginSession.objects.get()


def decide(
    browser: Browser, login: LoginSession, decision: str, **data: str
) -> tuple[int, str]:
    address = reverse("verification:decide_here", args=[login.pk])
    headers = FRAGMENT if data.pop("fragment", "") else {}
    posted = {"decision": decision, **data}
    response = browser.post(address, posted, headers=headers)
    return response.status_code, getattr(response, "url", response.content.decode())


def test_pages_show_where_the_login_comes_from(
    existing: Browser, waiting: LoginSession
) -> None:
    for path in ("/account/", "/account/approvals/", "/account/rejected/"):
        page = existing.get(path).content.decode()
        assert len(re.findall(r'<form[^>]*class="approval[ "]', page)) == 1, path
        for fact in ("Firefox on Linux", "127.0.0.1", "<time "):
            assert fact in page, (path, fact)
        assert approval_code(waiting) not in page, path


def test_pages_of_the_admin_show_it_too(
    admin_client_myapps: Browser, two_factor: AuthenticationSettings
) -> None:
    Browser().post("/login/", {"login": "admin", "password": PASSWORD})

    for path in ("/admin/", "/admin/users/pbxuser/"):
        page = admin_client_myapps.get(path).content.decode()
        assert len(re.findall(r'<form[^>]*class="approval[ "]', page)) == 1, path


def test_without_a_login_pages_show_nothing_to_decide(existing: Browser) -> None:
    page = existing.get("/account/").content.decode()

    assert 'id="approvals"' in page
    assert 'name="decision"' not in page


def test_on_account_security_the_digits_can_be_typed_at_once(
    existing: Browser, waiting: LoginSession
) -> None:
    assert '<details class="approval-accept" open>' in _page(existing, "/account/")
    assert '<details class="approval-accept">' in _page(existing, "/account/rejected/")


def _page(browser: Browser, path: str) -> str:
    return browser.get(path).content.decode()


def test_a_visitor_is_shown_neither_logins_nor_a_stream(waiting: LoginSession) -> None:
    assert 'id="approvals"' not in _page(Browser(), "/login/")
    assert Browser().get("/account/approvals/").status_code == 302


def test_accepting_leads_back_to_where_one_was(
    existing: Browser, waiting: LoginSession
) -> None:
    code = approval_code(waiting)
    outcome = decide(existing, waiting, "accept", code=code, next="/account/rejected/")

    waiting.refresh_from_db()
    assert outcome == (302, "/account/rejected/")
    assert (waiting.state, waiting.approver) == (
        LoginState.ACCEPTED,
        Approver.UNAPPROVED,
    )


@pytest.mark.parametrize(
    "wanted", ["https://evil.test/", "//evil.test", "/\\evil.test"]
)
def test_accepting_leads_to_no_other_site(
    existing: Browser, waiting: LoginSession, wanted: str
) -> None:
    code = approval_code(waiting)

    assert decide(existing, waiting, "accept", code=code, next=wanted)[1] == "/account/"


def test_rejecting_leads_to_what_to_do_now(
    existing: Browser, waiting: LoginSession
) -> None:
    assert decide(existing, waiting, "reject") == (302, "/account/rejected/")
    waiting.refresh_from_db()
    assert waiting.status == "rejected"


@pytest.mark.parametrize(
    ("decision", "words"),
    [("accept", "You accepted the login"), ("reject", "What to do now")],
)
def test_beside_a_pages_own_business_a_decision_is_answered_in_place(
    existing: Browser, waiting: LoginSession, decision: str, words: str
) -> None:
    code = approval_code(waiting)
    status, page = decide(existing, waiting, decision, code=code, fragment="yes")

    assert status == 200
    assert words in page
    assert "<html" not in page
    assert 'name="decision"' not in page


def test_a_wrong_code_is_answered_in_place(
    existing: Browser, waiting: LoginSession
) -> None:
    wrong = f"{(int(approval_code(waiting)) + 1) % 10_000:04d}"

    _status, page = decide(existing, waiting, "accept", code=wrong, fragment="yes")
    assert "2 tries are left" in page
    assert '<details class="approval-accept" open>' in page

    status, page = decide(existing, waiting, "accept", code=wrong)
    assert status == 200
    assert "1 try is left" in page


def test_a_login_that_was_decided_elsewhere_is_said_to_be_over(
    existing: Browser, waiting: LoginSession
) -> None:
    decide(existing, waiting, "reject")

    assert decide(existing, waiting, "reject")[0] == 410
    assert "over already" in decide(existing, waiting, "reject", fragment="yes")[1]


def test_the_login_is_not_shown_any_more_once_it_is_decided(
    existing: Browser, waiting: LoginSession
) -> None:
    decide(existing, waiting, "accept", code=approval_code(waiting))

    assert 'name="decision"' not in _page(existing, "/account/")


def test_a_mypbx_page_shows_no_login(
    waiting: LoginSession, start: Starter, user: PbxUser
) -> None:
    mypbx = Browser()
    start(mypbx, path="/mypbx/login/")

    for path in ("/account/", "/account/approvals/"):
        assert 'name="decision"' not in _page(mypbx, path)
    assert mypbx.get("/account/rejected/").status_code == 403


def test_a_session_shows_the_clients_that_it_opens_as_tiles(
    browser: Browser, start: Starter
) -> None:
    for kind in ("myapps", "mypbx"):
        url = f"https://{kind}.example.com/"
        ClientApplication.objects.create(
            name=f"Chat {kind}", slug=f"chat-{kind}", kind=kind, start_url=url
        )
    for path, kind in (("/login/", "myapps"), ("/mypbx/login/", "mypbx")):
        start(browser, path=path)

        page = Page(browser.get("/account/").content.decode())

        tiles = [e for e in page.elements if e[1].get("class") == "tile"]
        assert [(t, a["href"], words) for t, a, words in tiles] == [
            ("a", f"https://{kind}.example.com/", ["Chat", kind])
        ]


def test_clients_without_a_start_have_no_tile(browser: Browser, start: Starter) -> None:
    start(browser)

    assert "tile" not in browser.get("/account/").content.decode()
