"""The lists of the administration are short, and load no script in vain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import unfold
from django.template.loader import get_template
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.frame import FRAME, UNUSED
from tests.support.html import Page
from tests.support.theme import of_the_pinned_theme

USERS, AUDIT = "/admin/users/pbxuser/", "/admin/users/auditevent/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
# A quarter of what the theme's own tables took, of users and of events.
MOST_BYTES = {USERS: 437_000 // 4, AUDIT: 537_000 // 4}


@pytest.fixture
def hundred(administrator: PbxUser) -> None:
    PbxUser.objects.bulk_create(
        PbxUser(
            name=f"user{number:03}",
            long_name=f"Number {number} of the Users",
            email=f"user{number}@example.com",
            number=str(1000 + number),
            password="!none",
            last_login=timezone.now(),
        )
        for number in range(99)
    )
    AuditEvent.objects.bulk_create(
        AuditEvent(
            event=Event.LOGIN,
            user=user,
            user_name=user.name,
            actor=administrator,
            kind="myapps",
            method="pbx",
            address="192.0.2.1",
            user_agent=FIREFOX,
            detail="too many failures in a row",
        )
        for user in PbxUser.objects.all()
    )


@pytest.mark.usefixtures("hundred")
@pytest.mark.parametrize("path", MOST_BYTES)
@of_the_pinned_theme("the frame of others is longer, as it holds a list of all keys")
def test_a_list_of_a_hundred_rows_is_short(admin: Browser, path: str) -> None:
    page = admin.get(path)

    assert len(page.context["cl"].result_list) == 100
    assert len(page.content) <= MOST_BYTES[path]


@pytest.mark.parametrize(("path", "has_boxes"), [(USERS, True), (AUDIT, False)])
def test_the_script_of_actions_comes_with_boxes_to_tick(
    admin: Browser, path: str, *, has_boxes: bool
) -> None:
    audit.record(Event.LOGIN, user=None)

    html = admin.get(path).content.decode()

    assert ('id="action-toggle"' in html) is has_boxes
    assert ("admin/js/actions.js" in html) is has_boxes


def test_the_frame_is_the_themes_but_for_two_scripts() -> None:
    path = Path(unfold.__file__).parent / "templates" / FRAME
    theirs = path.read_text().splitlines()
    ours = get_template(FRAME).template.source.splitlines()  # type: ignore[attr-defined]

    left_out = [line for line in theirs if line not in ours]
    assert [line for line in theirs if line not in left_out] == ours
    assert len(left_out) == len(UNUSED)
    for line in left_out:
        assert re.fullmatch(r"\s*<script [^>]*></script>", line)


def test_what_a_row_shows_is_escaped(admin: Browser) -> None:
    PbxUser.objects.create(name="<b>x</b>", long_name='"><script>', password="!none")

    html = admin.get(USERS).content.decode()

    assert "<b>x" not in html
    assert '"><script>' not in html
    assert "&lt;b&gt;x" in html


def test_a_row_names_what_its_box_selects(admin: Browser, user: PbxUser) -> None:
    page = Page(admin.get(USERS).content.decode())

    (box,) = page.find(name="_selected_action", value=str(user.pk))
    assert box["aria-label"] == "Select anna"
    assert page.find(href=f"{USERS}{user.pk}/change/")


def test_the_way_back_keeps_the_filters(admin: Browser, user: PbxUser) -> None:
    page = Page(admin.get(USERS, {"q": "anna"}).content.decode())

    assert page.find(href=f"{USERS}{user.pk}/change/?_changelist_filters=q%3Danna")


def test_a_phone_is_told_what_a_cell_is(admin: Browser) -> None:
    page = Page(admin.get(USERS).content.decode())

    (cell,) = page.find(**{"data-label": "last login"})
    assert cell["class"] == "field-last_seen"
