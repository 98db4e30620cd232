"""The application's page in the admin: addresses, and a secret shown once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from allauth.idp.oidc.models import Client as RegisteredClient
from django.test import Client as Browser
from django.utils import timezone

from authconfig.clients.choices import AsksBy
from authconfig.clients.models import ClientApplication
from authconfig.users.models import AuditEvent
from pbxsite.gateway.openid.models import OpenIdClient
from pbxsite.gateway.openid.redirect_uris import validate_redirect_uris
from tests.support.html import Page
from tests.support.openid import CALLBACK, Party, make_party

LIST = "/admin/clients/clientapplication/"
FIELDS = {
    "name": "Chat",
    "slug": "chat",
    "kind": "myapps",
    "icon": "chat",
    "asks_by": "openid",
}
ONE_MORE = {"openid-TOTAL_FORMS": "1", "openid-INITIAL_FORMS": "0"}
GOOD = [
    "https://apps.example.com/callback",
    "https://apps.example.com:8443/a/b?x=1",
    "http://127.0.0.1:3000/callback",
    "com.example.app:/callback",
    "com.example.app://callback",
]
BAD = [
    "http://apps.example.com/callback",
    "https://*.example.com/callback",
    "https://apps.example.com/callback#x",
    "https://apps.example.com/a/../b",
    "https://user@apps.example.com/",
    "javascript:alert(1)",
    "app:/callback",
    "apps.example.com/callback",
    "com.example.app:/call back",
]


def page_of(slug: str) -> str:
    return f"{LIST}{ClientApplication.objects.get(slug=slug).pk}/change/"


def secret_of(browser: Browser, party: Party) -> str:
    page = browser.post(f"{LIST}{party.openid.application.pk}/secret/")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    return Page(page.content.decode()).text(id="client-secret")


def test_an_application_is_added_and_asks_by_openid_connect(
    admin_client_myapps: Browser,
) -> None:
    added = admin_client_myapps.post(f"{LIST}add/", FIELDS)
    assert added["Location"] == page_of("chat")

    addresses = f"  {CALLBACK} \n\n https://apps.example.com/second\n"
    words = {"openid-0-redirect_uris": addresses, "openid-0-logout_uris": ""}
    saved = admin_client_myapps.post(page_of("chat"), FIELDS | ONE_MORE | words)

    assert saved.status_code == 302, Page(saved.content.decode()).texts("text-red-600")
    openid = OpenIdClient.objects.get()
    assert openid.redirect_uris == f"{CALLBACK}\nhttps://apps.example.com/second"
    assert openid.client.get_redirect_uris() == openid.redirect_uris.splitlines()
    assert AuditEvent.objects.filter(detail__contains=CALLBACK).exists()


def test_the_page_says_what_the_client_needs(
    admin_client_myapps: Browser, party: Party
) -> None:
    page = admin_client_myapps.get(page_of("voicemail")).content.decode()

    assert party.client_id in page
    assert "http://127.0.0.1:8000/.well-known/openid-configuration" in page
    assert "Make a new secret" in page
    assert str(party.secret) not in page


def test_who_asks_by_forward_authentication_alone_sees_nothing_of_it(
    admin_client_myapps: Browser,
) -> None:
    page = admin_client_myapps.get(page_of("myapps")).content.decode()

    assert "redirect URIs" not in page


def test_a_new_secret_is_shown_once_and_the_old_one_is_over(
    admin_client_myapps: Browser, anna: Browser, party: Party
) -> None:
    old = party.secret

    party.secret = secret_of(admin_client_myapps, party)

    assert party.token(code=party.code(anna)).status_code == 200
    refused = party.token(code=party.code(anna), client_secret=old)
    assert refused.json()["error"] == "invalid_client"
    stored = RegisteredClient.objects.values_list("secret", flat=True).get()
    assert party.secret not in stored
    page = admin_client_myapps.get(page_of("voicemail")).content.decode()
    assert party.secret not in page
    assert AuditEvent.objects.filter(detail="client voicemail: a new secret").exists()


def test_a_secret_is_made_by_the_owner_of_the_session_alone(
    admin_client_myapps: Browser, party: Party
) -> None:
    address = f"{LIST}{party.openid.application.pk}/secret/"
    assert b"stops working at once" in admin_client_myapps.get(address).content

    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        asked = admin_client_myapps.post(address)

    assert asked.status_code == 302
    assert asked["Location"].startswith("/account/confirm/")


def test_a_public_client_has_no_secret(
    admin_client_myapps: Browser, anna: Browser, party: Party
) -> None:
    openid = party.openid
    words = {
        "openid-TOTAL_FORMS": "1",
        "openid-INITIAL_FORMS": "1",
        "openid-0-id": openid.pk,
        "openid-0-application": openid.application.pk,
        "openid-0-redirect_uris": CALLBACK,
        "openid-0-is_public": "on",
    }
    fields = FIELDS | {"name": "Voicemail", "slug": "voicemail", "is_own": "on"}
    saved = admin_client_myapps.post(page_of("voicemail"), fields | words)
    assert saved.status_code == 302

    address = f"{LIST}{openid.application.pk}/secret/"
    assert admin_client_myapps.post(address).status_code == 404
    assert party.token(code=party.code(anna)).json()["error"] == "invalid_client"
    party.secret = None
    assert "refresh_token" not in party.tokens(anna)


def test_a_deleted_application_leaves_no_client(
    admin_client_myapps: Browser, party: Party
) -> None:
    address = f"{LIST}{party.openid.application.pk}/delete/"

    assert admin_client_myapps.post(address, {"post": "yes"}).status_code == 302

    assert not RegisteredClient.objects.exists()


def test_a_new_name_is_what_users_read(
    admin_client_myapps: Browser, anna: Browser, party: Party
) -> None:
    fields = FIELDS | {"name": "Mailbox", "slug": "voicemail"}
    words = {
        "openid-TOTAL_FORMS": "1",
        "openid-INITIAL_FORMS": "1",
        "openid-0-id": party.openid.pk,
        "openid-0-application": party.openid.application.pk,
        "openid-0-redirect_uris": CALLBACK,
    }

    admin_client_myapps.post(page_of("voicemail"), fields | words)

    assert b"Mailbox?" in anna.get(party.asked()).content
    assert RegisteredClient.objects.get().name == "Mailbox"


@pytest.mark.parametrize("line", GOOD)
def test_a_redirect_uri_may_be(line: str) -> None:
    validate_redirect_uris(line)


@pytest.mark.parametrize("line", BAD)
def test_a_redirect_uri_may_not_be(
    line: str, admin_client_myapps: Browser, party: Party
) -> None:
    ClientApplication.objects.create(name="X", slug="x", asks_by=AsksBy.BOTH)
    words = {"openid-0-redirect_uris": f"{CALLBACK}\n{line}"}
    fields = FIELDS | {"name": "X", "slug": "x"}

    page = admin_client_myapps.post(page_of("x"), fields | ONE_MORE | words)

    assert page.status_code == 200
    assert "Line 2, “" in page.content.decode()


def test_two_clients_share_nothing(anna: Browser, party: Party) -> None:
    other = make_party("chat")

    assert other.client_id != party.client_id
    assert other.secret != party.secret


@pytest.mark.parametrize("model", ["client", "token"])
def test_allauths_rows_are_edited_by_nobody(
    admin_client_myapps: Browser, model: str
) -> None:
    page = admin_client_myapps.get(f"/admin/allauth_idp_oidc/{model}/")

    assert page.status_code == 404
