"""A client application's page asks an old session before it lets somebody in."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.clients.models import ClientApplication
from pbxsite.gateway.openid.models import OpenIdClient
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.openid import AFTER_LOGOUT, CALLBACK, Party
from tests.verification.sessions.test_reauthentication import OAUTH2

pytestmark = pytest.mark.django_db
LIST = "/admin/clients/clientapplication/"
EVIL = "https://evil.example/callback"
ASKED = "Enter your password, then save."
CHANGES = {
    "kind": "mypbx",
    "start_url": EVIL,
    "return_urls": EVIL,
    "asks_by": "forward_auth",
    "is_own": "on",
    "tells_groups": "on",
    "app_password": "another",
    "openid-0-redirect_uris": f"{CALLBACK}\n{EVIL}",
    "openid-0-logout_uris": EVIL,
    "openid-0-back_channel_uri": EVIL,
    "openid-0-is_public": "on",
    "openid-0-without_pkce": "on",
    "openid-0-checks_tokens": "on",
}


@pytest.fixture
def old(admin: Browser, party: Party) -> Any:
    ClientApplication.objects.filter(slug="voicemail").update(is_own=False)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        yield admin


def page() -> str:
    return f"{LIST}{ClientApplication.objects.get(slug='voicemail').pk}/change/"


def save(browser: Browser, **changes: str) -> HttpResponse:
    """Post the page as it is shown, with these changes."""
    application = ClientApplication.objects.get(slug="voicemail")
    openid = OpenIdClient.objects.get()
    shown = {
        "name": application.name,
        "kind": application.kind,
        "icon": application.icon,
        "start_url": application.start_url,
        "return_urls": application.return_urls.replace("\n", "\r\n"),
        "asks_by": application.asks_by,
        "openid-TOTAL_FORMS": "1",
        "openid-INITIAL_FORMS": "1",
        "openid-0-id": str(openid.pk),
        "openid-0-application": str(application.pk),
        # Browsers send these line ends.
        "openid-0-redirect_uris": openid.redirect_uris.replace("\n", "\r\n"),
        "openid-0-logout_uris": openid.logout_uris.replace("\n", "\r\n"),
    }
    return browser.post(page(), shown | changes)


def text(answer: HttpResponse) -> str:
    return html.unescape(answer.content.decode())


def stored() -> list[Any]:
    tables = (ClientApplication, OpenIdClient)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.parametrize("name", CHANGES)
def test_no_old_session_changes_where_codes_go(old: Browser, name: str) -> None:
    before, change = stored(), {name: CHANGES[name]}

    assert ASKED in text(save(old, **change))
    assert "not your password" in text(save(old, **change, own_password="wrong"))
    assert stored() == before

    assert save(old, **change, own_password=PASSWORD).status_code == 302
    assert stored() != before


def test_what_was_typed_stays_and_one_password_is_enough(old: Browser) -> None:
    changes = {"return_urls": EVIL, "openid-0-logout_uris": EVIL}
    refused = text(save(old, **changes))
    assert refused.count(EVIL) == 2
    assert refused.count(ASKED) == 1

    assert save(old, **changes, own_password=PASSWORD).status_code == 302


@pytest.mark.parametrize("change", [{}, {"name": "Mailbox"}, {"icon": "chat"}])
def test_what_lets_nobody_in_is_saved_at_any_age(
    old: Browser, change: dict[str, str]
) -> None:
    two = f"{CALLBACK}\nhttps://apps.example.com/second"
    OpenIdClient.objects.update(redirect_uris=two)
    ClientApplication.objects.filter(slug="voicemail").update(return_urls=two)

    assert save(old, **change).status_code == 302


REFUSED = {
    "no redirect URI": ({"openid-0-redirect_uris": ""}, "Enter a redirect URI"),
    "a public client without PKCE": (
        {"openid-0-is_public": "on", "openid-0-without_pkce": "on"},
        "untick “without PKCE”",
    ),
    "a public client that checks tokens": (
        {"openid-0-is_public": "on", "openid-0-checks_tokens": "on"},
        "A public client checks no tokens",
    ),
    "a back-channel without TLS": (
        {"openid-0-back_channel_uri": "http://chat.example.com/"},
        "Begin the address with https",
    ),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_contradicts_itself_is_refused_in_words(
    changes: dict[str, str], words: str, admin: Browser, party: Party
) -> None:
    before = stored()

    assert words in text(save(admin, **changes))

    assert stored() == before


def test_a_client_that_checks_tokens_is_saved_without_redirect_uris(
    admin: Browser, party: Party
) -> None:
    changes = {"openid-0-redirect_uris": "", "openid-0-checks_tokens": "on"}

    assert save(admin, **changes).status_code == 302
    assert OpenIdClient.objects.get().checks_tokens


def test_no_old_session_adds_a_client(old: Browser) -> None:
    new = {"name": "Chat", "slug": "chat", "kind": "myapps", "icon": "chat"}
    new |= {"asks_by": "forward_auth"}
    assert 'name="own_password"' in text(old.get(f"{LIST}add/"))

    assert ASKED in text(old.post(f"{LIST}add/", new))
    assert not ClientApplication.objects.filter(slug="chat").exists()
    old.post(f"{LIST}add/", new | {"own_password": PASSWORD})

    assert ClientApplication.objects.filter(slug="chat").exists()


def test_a_fresh_login_is_asked_nothing(admin: Browser, party: Party) -> None:
    assert "own_password" not in text(admin.get(page()))

    assert save(admin, return_urls=EVIL).status_code == 302


def test_where_no_password_is_taken_one_logs_in_again(
    old: Browser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2)

    assert "/login/again/?next=" in text(old.get(page()))
    assert "Log in again, then save." in text(save(old, return_urls=EVIL))
    assert "Log in again, then save." in text(
        save(old, **{"openid-0-logout_uris": AFTER_LOGOUT + "2"})
    )


def test_a_client_that_is_deleted_asks_nothing(old: Browser) -> None:
    assert (
        old.post(page().replace("change", "delete"), {"post": "yes"}).status_code == 302
    )
