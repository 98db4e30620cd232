"""Making browsers do what their users do not want, and leading them elsewhere."""

from __future__ import annotations

import re
from itertools import product
from urllib.parse import quote

import pytest
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from tests.pbxsite.test_urls import METHODS, PUBLIC, ROUTES, address
from tests.support.attacks import (
    link_in,
)
from tests.support.openid import Party
from tests.support.smtp_servers import Server
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.mail import sending
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db
ELSEWHERE = "https://evil.test/"


# They take a key, secret or token of their own, and never a browser's session.
KEYED = {
    "PBX0/voicemail.xml",
    "login/oauth2/logout/",
    "openid/introspect",
    "openid/revoke",
    "openid/token",
    "openid/userinfo",
    "scim/v2/",
    "scim/v2/<path:path>",
}
# Clients may post what they may also get (OpenID Connect Core, 3.1.2.1, and
# RP-Initiated Logout, 2): a page that asks is all that comes of it.
LIKE_A_GET = {"openid/authorize", "openid/logout"}
# Their forms in another tab lead whoever is signed in by now on, and log nobody in.
LEADS_ON = {
    *("login/", "login/again/", "login/oauth2/"),
    *("mypbx/login/", "mypbx/login/again/"),
}


# What the pages and endpoints that need no session read of a request.
WORDS = (
    *("next", "id", "return", "host", "state", "code", "iss", "error", "token"),
    *("client_id", "client_secret", "redirect_uri", "post_logout_redirect_uri"),
    *("grant_type", "refresh_token", "code_verifier", "id_token_hint", "asked"),
    *("login", "password", "credential", "decision", "user", "caller", "time"),
)


@pytest.mark.database
@pytest.mark.parametrize("value", ["a\0b", "9" * 400], ids=["NUL", "large"])
def test_nothing_that_a_stranger_sends_makes_a_page_fail(
    party: Party, value: str
) -> None:
    for route in sorted(PUBLIC):
        for method in METHODS:
            asked = getattr(Browser(), method)
            answer = asked(address(route), dict.fromkeys(WORDS, value))
            assert answer.status_code < 500, (route, method)


def test_every_post_asks_for_the_csrf_token(start: Starter, user: PbxUser) -> None:
    PbxUser.objects.update(is_staff=True, is_superuser=True)
    strict = Browser(enforce_csrf_checks=True)
    lenient = Browser()
    start(lenient)
    strict.cookies = lenient.cookies

    for route in ROUTES:
        answer = strict.post(address(route))
        if route in KEYED:
            assert answer.status_code in (400, 401), route
            continue
        if route in LIKE_A_GET:
            assert answer.status_code == 302, route
            assert answer["Location"] == f"{address(route)}?", route
            continue
        if route in LEADS_ON:
            page = address(route.replace("oauth2/", ""))
            assert answer["Location"] == f"{page}?next=", route
            continue
        used = [template.name for template in answer.templates]
        assert used[:1] == ["403_csrf.html"], (route, answer.status_code)
    assert strict.get("/account/").status_code == 200


def test_no_other_site_logs_its_visitor_out(start: Starter) -> None:
    browser = Browser(enforce_csrf_checks=True)
    lenient = Browser()
    start(lenient)
    browser.cookies = lenient.cookies

    for token in ("", "made-up"):
        said = {"action": "logout", "csrfmiddlewaretoken": token}
        browser.post("/openid/logout", said)

    assert browser.get("/account/").status_code == 200


def test_no_page_stands_in_a_frame(
    admin_client_myapps: Browser, browser: Browser
) -> None:
    for route, visitor in product(ROUTES, (browser, admin_client_myapps)):
        answer = visitor.get(address(route))
        assert answer["X-Frame-Options"] == "DENY", route
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], route


@pytest.mark.parametrize(
    "wanted",
    [
        ELSEWHERE,
        "//evil.test/",
        "/\\evil.test",
        "https:evil.test",
        "javascript:alert(1)",
    ],
)
def test_nothing_leads_to_another_site(
    start: Starter,
    configure: SettingsSetter,
    two_factor: AuthenticationSettings,
    wanted: str,
) -> None:
    query = f"?next={quote(wanted)}"
    configure(two_factor=False)
    existing = Browser()
    answers = [start(existing, path=f"/login/{query}")]
    answers += [existing.get(f"/login/{query}")]
    answers += [start(existing, path=f"/login/again/{query}")]
    confirmed = {"password": PASSWORD, "next": wanted}
    answers += [existing.post(f"/account/confirm/{query}", confirmed)]
    configure(two_factor=True)
    waiting = Browser()
    answers += [start(waiting, path=f"/login/{query}")]
    login = LoginSession.objects.get()
    decision = {"decision": "accept", "code": approval_code(login), "next": wanted}
    answers += [existing.post(f"/account/approvals/{login.pk}/", decision)]
    answers += [waiting.post(f"/login/waiting/continue/{query}")]
    answers += [existing.post(f"/logout/{query}", {"next": wanted})]

    for answer in answers:
        assert answer.status_code == 302
        assert re.match(r"/(?![/\\])", answer.url), answer.url  # type: ignore[attr-defined]
        assert "evil" not in answer.url  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_FORWARDED_HOST": "evil.test"},
        {"HTTP_HOST": "localhost", "HTTP_FORWARDED": "host=evil.test"},
        {"HTTP_X_FORWARDED_SERVER": "evil.test", "HTTP_X_HOST": "evil.test"},
    ],
)
def test_a_forged_host_stands_in_no_link(
    server: Server, start: Starter, headers: dict[str, str]
) -> None:
    start(Browser(), **headers)
    sending.deliver_due()

    [mail] = server.mails
    assert link_in(mail).startswith(f"{LINK}?id=")
    assert b"evil" not in mail.content


def test_an_unknown_host_is_no_site_of_ours(start: Starter, server: Server) -> None:
    assert start(Browser(), HTTP_HOST="evil.test").status_code == 400
    assert not OutgoingEmail.objects.exists()
