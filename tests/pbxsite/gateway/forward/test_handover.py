"""From the login to the client, and from the client to the login."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import AuthenticationType
from authconfig.clients.models import ClientApplication
from pbxsite.gateway.forward.lookups import look_up
from pbxsite.gateway.forward.requests import Ticket
from pbxsite.gateway.forward.tokens import Pass, cookie_name, read_cookie, state_name
from tests.conftest import SettingsSetter, Starter
from tests.support.html import Page

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"
APPS, HOST = "https://apps.example.com", "apps.example.com"
WANTED = f"{APPS}/voicemail/7?a=b"
LOGIN, ENTER = "/.pbx-auth/apps/login/", "/.pbx-auth/apps/enter/"
# What the proxy in front of the client says.
THERE = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": HOST}


@pytest.fixture(autouse=True)
def apps() -> ClientApplication:
    return ClientApplication.objects.create(
        name="Apps", slug="apps", start_url=f"{APPS}/", return_urls=f"{APPS}/voicemail/"
    )


@pytest.fixture
def at_client() -> Browser:
    """The same person's browser, as the client's host sees it: with other cookies."""
    return Browser()


def begin(at_client: Browser, wanted: str = WANTED) -> str:
    """Return where the client's host sends the browser, on the site."""
    response = at_client.get(LOGIN, {"return": wanted}, **THERE)
    assert response.status_code == 302
    assert response["Location"].startswith(f"{SITE}/clients/apps/")
    return response["Location"].removeprefix(SITE)


def led_on(response: HttpResponse) -> str:
    """Return where the site's page leads on to."""
    assert response.status_code == 200
    page = Page(response.content.decode())
    (link,) = [a["href"] for t, a, _ in page.elements if a.get("id") == "lead-on"]
    refreshed = [a["content"] for t, a, _ in page.elements if a.get("http-equiv")]
    assert refreshed == [f"0; url={link}"]
    return link


def code_for(browser: Browser, at_client: Browser) -> str:
    entry = led_on(browser.get(begin(at_client)))
    assert entry.startswith(f"{APPS}{ENTER}?")
    return parse_qs(urlsplit(entry).query)["code"][0]


def enter(at_client: Browser, code: str, **query: str) -> HttpResponse:
    return at_client.get(ENTER, {"code": code, "return": WANTED} | query, **THERE)


def test_a_code_becomes_a_cookie_of_the_clients_own_host(
    signed_in: Browser, at_client: Browser
) -> None:
    response = enter(at_client, code_for(signed_in, at_client))

    assert (response.status_code, response["Location"]) == (302, WANTED)
    cookie = at_client.cookies[cookie_name("apps")]
    session = UserSession.objects.get()
    assert read_cookie(cookie.value) == Pass(session.pk, "apps", HOST)
    assert session.session_key not in cookie.value
    assert (cookie["domain"], cookie["path"], cookie["max-age"]) == ("", "/", "")
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert "pbx_session" not in at_client.cookies
    ticket = Ticket("apps", "", cookie.value, HOST)
    assert look_up([ticket])[ticket].status == 200


def test_behind_https_only_the_very_host_can_set_the_cookies(
    settings: Settings, signed_in: Browser, at_client: Browser
) -> None:
    settings.HTTPS = True

    enter(at_client, code_for(signed_in, at_client))

    for name in ("__Host-pbx_state_apps", "__Host-pbx_client_apps"):
        assert at_client.cookies[name]["secure"]


def test_a_code_works_once(signed_in: Browser, at_client: Browser) -> None:
    code = code_for(signed_in, at_client)

    locations = [enter(at_client, code)["Location"] for _ in range(2)]

    assert locations[0] == WANTED
    assert locations[1].startswith(f"{SITE}/clients/apps/failed/?")


def test_a_code_is_over_after_a_minute(signed_in: Browser, at_client: Browser) -> None:
    code = code_for(signed_in, at_client)

    with time_machine.travel(timezone.now() + timedelta(seconds=62)):
        enter(at_client, code)

    assert cookie_name("apps") not in at_client.cookies


def test_a_code_works_only_in_the_browser_that_asked(
    signed_in: Browser, at_client: Browser
) -> None:
    """Else strangers could have their victim work in the strangers' account."""
    victim, without = Browser(), Browser()
    begin(victim)

    for other in (victim, without):
        enter(other, code_for(signed_in, at_client))
        assert cookie_name("apps") not in other.cookies


@pytest.mark.parametrize("change", ["slug", "host", "forged"])
def test_a_code_is_for_its_client_and_its_host(
    signed_in: Browser, at_client: Browser, change: str
) -> None:
    code, there = code_for(signed_in, at_client), dict(THERE)
    path, wanted = ENTER, WANTED
    ClientApplication.objects.create(name="B", slug="b", return_urls=APPS)
    if change == "slug":
        path = "/.pbx-auth/b/enter/"
        at_client.cookies[state_name("b")] = at_client.cookies[state_name("apps")].value
    elif change == "host":
        ClientApplication.objects.update(return_urls="https://b.example.com/")
        wanted = "https://b.example.com/"
        there["HTTP_X_FORWARDED_HOST"] = "b.example.com"
    else:
        code = code[:-1] + ("a" if code[-1] != "a" else "b")

    at_client.get(path, {"code": code, "return": wanted}, **there)

    assert not [name for name in at_client.cookies if "pbx_client" in name]


def test_two_tabs_that_ask_at_once_both_get_in(
    signed_in: Browser, at_client: Browser
) -> None:
    codes = [code_for(signed_in, at_client) for _ in range(2)]

    assert [enter(at_client, code)["Location"] for code in codes] == [WANTED, WANTED]


def test_a_code_of_a_session_that_ended_opens_nothing(
    signed_in: Browser, at_client: Browser
) -> None:
    code = code_for(signed_in, at_client)
    signed_in.post("/logout/")

    enter(at_client, code)

    cookie = at_client.cookies[cookie_name("apps")].value
    ticket = Ticket("apps", "", cookie, HOST)
    assert look_up([ticket])[ticket].status == 401


def test_a_stranger_logs_in_and_goes_on_to_where_he_wanted(
    browser: Browser, at_client: Browser, start: Starter
) -> None:
    opening = begin(at_client)
    login = browser.get(opening)
    assert login["Location"] == f"/login/?next={quote(opening, safe='/')}"

    response = start(browser, path=login["Location"])

    assert response["Location"] == opening
    assert led_on(browser.get(opening)).startswith(f"{APPS}{ENTER}?code=")


def test_a_mypbx_session_logs_in_anew_for_a_myapps_client(
    browser: Browser, at_client: Browser, start: Starter
) -> None:
    start(browser, path="/mypbx/login/")
    key, opening = browser.session.session_key, begin(at_client)

    login = browser.get(opening)
    assert login["Location"].startswith("/login/?next=")
    assert "ends that session" in browser.get(login["Location"]).content.decode()
    start(browser, path=login["Location"])

    assert browser.session.session_key != key
    assert browser.session["kind"] == "myapps"
    assert not UserSession.objects.filter(session_key=key).exists()


def test_a_mypbx_client_has_its_own_login(
    browser: Browser, start: Starter, apps: ClientApplication
) -> None:
    ClientApplication.objects.filter(pk=apps.pk).update(kind="mypbx")
    start(browser)

    login = browser.get("/clients/apps/open/")

    assert login["Location"] == "/mypbx/login/?next=/clients/apps/open/"


def test_a_client_on_the_sites_own_host_needs_no_code(
    signed_in: Browser, apps: ClientApplication
) -> None:
    wanted = "https://127.0.0.1:9443/voicemail/"
    ClientApplication.objects.filter(pk=apps.pk).update(return_urls=wanted)
    query = {"return": wanted, "state": "x"}

    assert led_on(signed_in.get("/clients/apps/open/", query)) == wanted


def test_a_client_without_a_start_leads_to_the_account(
    signed_in: Browser, apps: ClientApplication
) -> None:
    ClientApplication.objects.filter(pk=apps.pk).update(start_url="")

    assert signed_in.get("/clients/apps/open/")["Location"] == "/account/"


@pytest.mark.parametrize(
    ("there", "wanted", "words"),
    [
        (THERE, f"{APPS}/admin/", f"Asked for was {APPS}/."),
        (THERE, "https://evil.example/", f"Asked for was {APPS}/."),
        ({}, WANTED, "X-Forwarded-Host are missing"),
        (
            THERE | {"HTTP_X_FORWARDED_HOST": "b.example.com"},
            WANTED,
            "Asked for was https://b.example.com/.",
        ),
    ],
)
@pytest.mark.parametrize("path", [LOGIN, ENTER])
def test_what_is_not_allowed_is_explained_to_the_administrator(
    at_client: Browser, path: str, there: dict[str, str], wanted: str, words: str
) -> None:
    response = at_client.get(path, {"return": wanted}, **there)
    page = at_client.get(response["Location"])

    assert page.status_code == 403
    assert words in page.content.decode()


def test_whoever_comes_too_late_can_try_again(at_client: Browser) -> None:
    page = at_client.get(enter(at_client, "old")["Location"])

    assert page.status_code == 410
    assert f'href="{WANTED}"' in page.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("path", [LOGIN, ENTER, "/clients/apps/open/"])
def test_nothing_is_posted_to_a_hop(browser: Browser, path: str, method: str) -> None:
    assert getattr(browser, method)(path).status_code == 405


def test_a_kind_that_the_policy_closes_leads_nobody_round(
    browser: Browser,
    start: Starter,
    configure: SettingsSetter,
    apps: ClientApplication,
) -> None:
    ClientApplication.objects.filter(pk=apps.pk).update(kind="mypbx")
    start(browser, path="/mypbx/login/")
    configure(
        authentication_type=AuthenticationType.OAUTH2_ONLY,
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://idp.example/",
        oauth2_client_id="pbx",
    )

    page = browser.get("/clients/apps/open/", {"return": WANTED})

    assert page.status_code == 403
    assert "“OAuth2 only”" in page.content.decode()
    assert APPS not in page.content.decode()


def test_a_client_that_does_not_take_the_login_leads_nobody_round_for_ever(
    signed_in: Browser,
) -> None:
    statuses = [
        signed_in.get("/clients/apps/open/", {"return": WANTED}).status_code
        for _ in range(25)
    ]

    assert statuses == [200] * 20 + [508] * 5


@pytest.mark.parametrize(
    ("path", "other"), [("/login/", "myPBX"), ("/mypbx/login/", "myApps")]
)
def test_the_login_page_says_that_it_ends_the_session_of_the_other_kind(
    browser: Browser, start: Starter, path: str, other: str
) -> None:
    start(browser, path={"/login/": "/mypbx/login/", "/mypbx/login/": "/login/"}[path])

    page = browser.get(path).content.decode()

    assert f"You are logged in to {other} in this browser." in page
