"""Every address of the site, and who gets in there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import URLResolver, get_resolver

from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, Starter

pytestmark = pytest.mark.django_db

# A new address fails until somebody has decided who may go there.
PUBLIC = {
    "login/oauth2/",
    "login/oauth2/callback/",
    "login/",
    "mypbx/login/",
    "mypbx/login/again/",
    "logout/",
    "login/again/",
    "login/rejected/end-sessions/",
    "login/rescue/",
    # The link of the mail opens it, and it logs nobody in.
    "account/password/set/",
    "account/password/set/done/",
    "login/forgot/",
    "login/forgot/sent/",
    "mypbx/login/forgot/",
    "login/inactive/",
    "login/factor/",
    "login/factor/without/",
    "login/waiting/",
    "login/waiting/continue/",
    "login/waiting/cancel/",
    "login/waiting/send-again/",
    "PBX0/session.xml",
    # A client shows the address to a user who has yet to log in.
    "PBX0/APPCLIENT/login/<uuid:public_id>/",
    "PBX0/APPCLIENT/login/done/",
    # Asks for its bearer key by itself.
    "PBX0/voicemail.xml",
    "scim/v2/",
    "scim/v2/<path:path>",
    # Asks for what the OpenID provider has signed.
    "login/oauth2/logout/",
    "admin/login/",
    # They keep a language and a scheme in the browser, and nothing else.
    "preferences/",
    "livez",
    "readyz",
    # They refuse whoever is neither an operator nor has the key.
    "metrics",
    "operators/allowed/",
    # They lead to the login of the client's own kind.
    "clients/<slug:slug>/open/",
    "clients/<slug:slug>/failed/",
    # On a client's host, where the site's session cookie does not go.
    ".pbx-auth/<slug:slug>/login/",
    ".pbx-auth/<slug:slug>/enter/",
    # They ask for a login, or a client's secret, by themselves.
    ".well-known/openid-configuration",
    "openid/authorize",
    "openid/consent",
    "openid/introspect",
    "openid/keys",
    "openid/logout",
    "openid/revoke",
    "openid/token",
    "openid/userinfo",
    # On this machine and in embedded mode alone.
    "mailbox/",
    "mailbox/<str:name>/",
    "mailbox/<str:name>/html/",
}
ANY_SESSION = {
    "",
    "account/",
    # Empty for a myPBX session, which every page of the site includes it for.
    "account/approvals/",
    "account/sessions/<int:pk>/end/",
}
MYAPPS = {
    "account/confirm/",
    "account/approvals/<int:pk>/",
    "account/password/",
    "account/rejected/",
    "account/sessions/end-others/",
    "account/voicemail/<uuid:public_id>/",
    "account/voicemail/<uuid:public_id>/sound/",
    "account/voicemail/<uuid:public_id>/delete/",
    "account/factors/",
    "account/factors/needed/",
    "account/factors/confirm/",
    "account/factors/app/add/",
    "account/factors/app/remove/",
    "account/factors/passkeys/",
    "account/factors/passkeys/add/",
    "account/factors/passkeys/confirm/",
    "account/factors/passkeys/<int:pk>/edit/",
    "account/factors/passkeys/<int:pk>/remove/",
    "account/factors/codes/",
    "account/factors/codes/new/",
    "account/factors/codes/download/",
}
SAMPLES = {"public_id": "00000000-0000-4000-8000-000000000000"}
METHODS = ("get", "post")


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, route)
        else:
            yield route


ROUTES = sorted(set(routes(get_resolver())))
ADMIN = [r for r in ROUTES if r.startswith("admin/") and r != "admin/login/"]


def part_of(route: str) -> str:
    """Return the administration's part that an address belongs to."""
    return route.split("/")[1]


def address(route: str) -> str:
    route = re.sub(r"\(\?P<app_label>.*?\)", "authconfig", route)
    route = re.sub(r"\(\?P<url>.*?\)", "nowhere", route).replace("^", "")
    route = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: SAMPLES.get(m[1], "1"), route)
    return "/" + route.rstrip("$")


def answers(browser: Browser, route: str) -> list[HttpResponse]:
    return [getattr(browser, method)(address(route)) for method in METHODS]


def asks_for_a_login(response: HttpResponse) -> bool:
    location = response.headers.get("Location", "")
    return location.startswith(("/login/?next=", "/admin/login/?next="))


def is_shut(route: str, response: HttpResponse) -> bool:
    """Django leads a session without rights that wants to log out to the index."""
    to_index = response.headers.get("Location") == "/admin/"
    return asks_for_a_login(response) or (route == "admin/logout/" and to_index)


def is_kept_nowhere(route: str) -> bool:
    return route.startswith(("account/", "login/", "mypbx/", "PBX0/"))


@pytest.fixture
def mypbx(start: Starter, administrator: PbxUser) -> Browser:
    """An administrator's myPBX session: all rights, and no second factor."""
    browser = Browser()
    start(browser, "admin", path="/mypbx/login/")
    return browser


@pytest.fixture
def myapps(start: Starter) -> Browser:
    browser = Browser()
    start(browser)
    return browser


def test_every_address_is_of_one_class() -> None:
    known = PUBLIC | ANY_SESSION | MYAPPS | set(ADMIN)

    assert set(ROUTES) == known
    assert len(known) == sum(map(len, (PUBLIC, ANY_SESSION, MYAPPS, ADMIN)))


@pytest.mark.parametrize("route", sorted(PUBLIC - {"admin/login/"}))
def test_public_pages_ask_for_no_login(browser: Browser, route: str) -> None:
    assert not any(map(asks_for_a_login, answers(browser, route)))


def test_every_other_page_asks_for_a_login(browser: Browser) -> None:
    for route in sorted(ANY_SESSION | MYAPPS | set(ADMIN)):
        assert all(map(asks_for_a_login, answers(browser, route))), route


@pytest.mark.parametrize("route", sorted(r for r in ROUTES if is_kept_nowhere(r)))
def test_no_page_of_logins_links_and_accounts_is_kept(
    myapps: Browser, route: str
) -> None:
    for answer in answers(myapps, route):
        if answer.status_code == 200:
            assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("route", sorted(ANY_SESSION))
def test_a_mypbx_session_sees_itself(mypbx: Browser, route: str) -> None:
    statuses = {response.status_code for response in answers(mypbx, route)}

    assert statuses & {200, 302, 404}
    assert 403 not in statuses


def test_a_mypbx_session_opens_nothing_of_myapps(mypbx: Browser) -> None:
    for route in sorted(MYAPPS):
        statuses = {response.status_code for response in answers(mypbx, route)}

        assert statuses <= {403, 405}, route
        assert 403 in statuses, route


@pytest.mark.parametrize("part", sorted({part_of(route) for route in ADMIN}))
def test_the_administration_opens_to_administrators_of_myapps_alone(
    mypbx: Browser, myapps: Browser, admin_client_myapps: Browser, part: str
) -> None:
    for route in (route for route in ADMIN if part_of(route) == part):
        for browser in (mypbx, myapps):
            shut = [is_shut(route, answer) for answer in answers(browser, route)]
            assert all(shut), route
        assert not asks_for_a_login(admin_client_myapps.get(address(route))), route


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("query", ["", "?next=/admin/users/pbxuser/"])
@pytest.mark.parametrize("state", ["browser", "mypbx", "admin_client_myapps"])
def test_the_admins_login_is_always_our_login_page(
    request: pytest.FixtureRequest,
    administrator: PbxUser,
    state: str,
    query: str,
    method: str,
) -> None:
    visitor: Browser = request.getfixturevalue(state)
    before = visitor.cookies.get("pbx_session")
    credentials = {"username": "admin", "password": PASSWORD, "next": "/admin/"}

    response = getattr(visitor, method)(f"/admin/login/{query}", credentials)

    assert response.status_code == 302
    assert response.url.startswith("/login/?next=/admin/")
    assert visitor.cookies.get("pbx_session") == before


@pytest.mark.parametrize("method", METHODS)
def test_the_admins_login_is_closed_to_users_who_are_signed_in(
    myapps: Browser, administrator: PbxUser, method: str
) -> None:
    credentials = {"username": "admin", "password": PASSWORD}

    response = getattr(myapps, method)("/admin/login/", credentials)

    assert response.status_code == 403
    assert 'name="password"' not in response.content.decode()


def test_a_login_by_way_of_the_admin_ends_there(
    administrator: PbxUser, browser: Browser
) -> None:
    page = browser.get("/admin/users/pbxuser/", follow=True)
    response = browser.post(
        page.redirect_chain[-1][0], {"login": "admin", "password": PASSWORD}
    )

    assert response.url == "/admin/users/pbxuser/"
    assert browser.get(response.url).status_code == 200


@pytest.mark.parametrize("page", ["password_change/", "password_change/done/"])
def test_the_admin_leaves_passwords_to_account_security(
    admin_client_myapps: Browser, administrator: PbxUser, page: str
) -> None:
    key = admin_client_myapps.session.session_key
    words = {
        "old_password": PASSWORD,
        "new_password1": "another long password",
        "new_password2": "another long password",
    }

    response = admin_client_myapps.post(f"/admin/{page}", words)

    administrator.refresh_from_db()
    assert (response.status_code, response.url) == (302, "/account/")
    assert administrator.check_password(PASSWORD)
    assert admin_client_myapps.session.session_key == key
