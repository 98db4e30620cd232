from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.clients.choices import AsksBy, Icon
from authconfig.clients.models import ClientApplication
from authconfig.users.models import AuditEvent

pytestmark = pytest.mark.django_db
ADMIN = "/admin/clients/clientapplication/"
CHAT = {
    "name": "Chat",
    "slug": "chat",
    "kind": "myapps",
    "icon": "chat",
    "start_url": "https://chat.example.com/",
    "return_urls": " https://chat.example.com/ \r\n\r\nhttps://old.example.com/chat/",
    "asks_by": "both",
}


@pytest.mark.database
def test_two_clients_are_there_from_the_start() -> None:
    found = ClientApplication.objects.values_list("slug", "name", "kind", "is_own")

    assert set(found) == {
        ("myapps", "myApps", "myapps", True),
        ("mypbx", "myPBX", "mypbx", True),
    }


def test_added_client_keeps_one_address_in_a_line(admin_client_myapps: Browser) -> None:
    response = admin_client_myapps.post(f"{ADMIN}add/", CHAT)

    assert response.status_code == 302
    chat = ClientApplication.objects.get(slug="chat")
    assert chat.return_urls.splitlines() == [
        "https://chat.example.com/",
        "https://old.example.com/chat/",
    ]
    told = AuditEvent.objects.get(event=Event.SETTING_CHANGED).detail
    assert told.startswith("client chat: name: “” → “Chat”")


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("slug", "Chat", "Use lower-case letters a to z"),
        ("slug", "chat/../x", "Use lower-case letters a to z"),
        ("slug", "myapps", "Another client has this short name."),
        ("start_url", "javascript:alert(1)", "Enter the whole address"),
        ("start_url", "http://chat.example.com/", "Begin the address with https"),
        ("return_urls", "https://a.example/\nchat", "Line 2, “chat”: Enter the whole"),
        ("return_urls", "https://bücher.example/", "Write the host name in ASCII"),
        ("return_urls", "https://a.example/x/../", "Write the host name in ASCII"),
        ("return_urls", "https://a.example/?x=1", "Remove the part from “?” on"),
        ("return_urls", "https://u:p@a.example/", "Remove the user name"),
    ],
)
def test_refusal_names_the_fault_and_the_remedy(
    admin_client_myapps: Browser, field: str, value: str, fault: str
) -> None:
    response = admin_client_myapps.post(f"{ADMIN}add/", CHAT | {field: value})

    assert fault in response.content.decode()
    assert not ClientApplication.objects.filter(name="Chat").exists()


def test_page_calls_a_client_by_its_very_name(admin_client_myapps: Browser) -> None:
    myapps = ClientApplication.objects.get(slug="myapps")
    page = admin_client_myapps.get(f"{ADMIN}{myapps.pk}/change/").content.decode()

    assert ">myApps</a>" in page
    assert "MyApps" not in page


def test_myapps_keeps_its_kind_and_its_short_name(admin_client_myapps: Browser) -> None:
    myapps = ClientApplication.objects.get(slug="myapps")
    changed = CHAT | {"name": "Our apps", "kind": "mypbx", "slug": "other"}

    admin_client_myapps.post(f"{ADMIN}{myapps.pk}/change/", changed)

    myapps.refresh_from_db()
    assert (myapps.name, myapps.slug, myapps.kind) == ("Our apps", "myapps", "myapps")


@pytest.mark.parametrize(("slug", "kept"), [("myapps", True), ("chat", False)])
def test_only_added_clients_are_deleted(
    admin_client_myapps: Browser, slug: str, kept: bool
) -> None:
    ClientApplication.objects.create(name="Chat", slug="chat")
    client = ClientApplication.objects.get(slug=slug)
    action = {"action": "delete_selected", "_selected_action": client.pk, "post": "yes"}

    admin_client_myapps.post(f"{ADMIN}{client.pk}/delete/", {"post": "yes"})
    admin_client_myapps.post(ADMIN, action)

    assert ClientApplication.objects.filter(slug=slug).exists() is kept


@pytest.mark.database
def test_client_asks_in_one_way_or_in_both() -> None:
    ClientApplication.objects.create(name="Chat", slug="chat", asks_by=AsksBy.BOTH)

    asking = ClientApplication.objects.asking_by(AsksBy.OPENID)

    assert [client.slug for client in asking] == ["chat"]
    assert asking.get().asks(AsksBy.FORWARD_AUTH)


@pytest.mark.parametrize("icon", Icon.values)
def test_each_icon_is_drawn(icon: str) -> None:
    assert Path(settings.BASE_DIR, "templates", "icons", f"{icon}.svg").exists()
