"""Making and revoking a machine's key on the pages: the voicemail key, the SCIM key."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.sync.models import ScimKey
from authconfig.users.bearer_keys import BearerKey
from authconfig.users.models import AuditEvent, PbxUser
from tests.support.html import Page
from verification.voicemail.models import VoicemailKey

SETTINGS = "/admin/authconfig/authenticationsettings/"
SCIM = f"{SETTINGS}users-by-scim/"


@dataclass(frozen=True)
class Door:
    page: str
    folder: str
    pattern: str
    key: type[BearerKey]
    made: Event
    revoked: Event

    @property
    def make(self) -> str:
        return f"{self.folder}make/"

    @property
    def revoke(self) -> str:
        return f"{self.folder}revoke/"


DOORS = {
    "voicemail": Door(
        SETTINGS,
        f"{SETTINGS}voicemail-key/",
        r"pbxvm_[\w-]{43}",
        VoicemailKey,
        Event.VOICEMAIL_KEY_MADE,
        Event.VOICEMAIL_KEY_REVOKED,
    ),
    "scim": Door(
        SCIM,
        f"{SCIM}key/",
        r"pbxscim_[\w-]{43}",
        ScimKey,
        Event.SCIM_KEY_MADE,
        Event.SCIM_KEY_REVOKED,
    ),
}
Make = Callable[[], str]


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


@pytest.fixture
def make(admin_client_myapps: Browser, door: Door) -> Make:
    """Make a key as the page has it; return what it shows."""

    def post() -> str:
        asked = {"present": present(admin_client_myapps, door.make)}
        response = admin_client_myapps.post(door.make, asked)
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"]
        (key,) = set(re.findall(door.pattern, response.content.decode()))
        return str(key)

    return post


def present(browser: Browser, path: str) -> str:
    (field,) = Page(browser.get(path).content.decode()).find(name="present")
    return field["value"]


def told(event: Event) -> list[str]:
    events = AuditEvent.objects.filter(event=event).select_related("actor")
    return [f"{e.actor} {e.address}" for e in events]


def test_a_key_is_made_and_shown_once(
    admin_client_myapps: Browser, administrator: PbxUser, door: Door, make: Make
) -> None:
    before = admin_client_myapps.get(door.page).content.decode()
    assert door.make in before
    assert door.revoke not in before

    key = make()

    assert door.key.is_right(key)
    page = admin_client_myapps.get(door.page).content.decode()
    assert door.make in page
    assert door.revoke in page
    assert key not in page
    assert told(door.made) == ["admin 127.0.0.1"]


def test_opening_the_pages_changes_nothing(
    admin_client_myapps: Browser, door: Door, make: Make
) -> None:
    key = make()

    for path in (door.make, door.revoke):
        assert admin_client_myapps.get(path).status_code == 200

    assert door.key.is_right(key)


def test_a_page_that_is_sent_twice_makes_no_second_key(
    admin_client_myapps: Browser, door: Door, make: Make
) -> None:
    asked = present(admin_client_myapps, door.make)
    key = make()

    for path in (door.make, door.revoke):
        response = admin_client_myapps.post(path, {"present": asked}, follow=True)
        assert "changed meanwhile" in response.content.decode()
        assert response.redirect_chain[-1][0] == door.page

    assert door.key.is_right(key)


def test_a_new_key_says_what_ends_and_ends_it(
    admin_client_myapps: Browser, door: Door, make: Make
) -> None:
    older = make()
    assert "stops working" in admin_client_myapps.get(door.make).content.decode()

    newer = make()

    assert [door.key.is_right(key) for key in (older, newer)] == [False, True]


def test_a_key_is_revoked(admin_client_myapps: Browser, door: Door, make: Make) -> None:
    key = make()
    asked = {"present": present(admin_client_myapps, door.revoke)}

    response = admin_client_myapps.post(door.revoke, asked, follow=True)

    assert "is revoked" in response.content.decode()
    assert not door.key.is_right(key)
    assert told(door.revoked) == ["admin 127.0.0.1"]


@pytest.mark.parametrize("way", ["make", "revoke"])
def test_an_old_login_is_asked_again(
    admin_client_myapps: Browser, door: Door, way: str
) -> None:
    session = admin_client_myapps.session
    session["began_at"] = time.time() - 3600
    session.save()

    response = admin_client_myapps.post(f"{door.folder}{way}/", {"present": ""})

    assert response.status_code == 302
    assert "/account/confirm/" in response["Location"]
    assert door.key.current() is None


@pytest.mark.parametrize("way", ["make", "revoke"])
def test_nobody_else_makes_a_key(user: PbxUser, door: Door, way: str) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Browser()
    browser.force_login(user)
    session = browser.session
    session.update({"kind": "myapps", "began_at": time.time()})
    session.save()
    path = f"{door.folder}{way}/"

    assert browser.post(path, {"present": ""}).status_code == 403
    assert Browser().get(path).status_code == 302
