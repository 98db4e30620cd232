from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser
from django.utils import translation

from authconfig.users.models import PbxUser
from pbxsite.administration.users.rights import rights

GROUPS = "/admin/auth/group/"
LANGUAGES = [
    ("en", "PBX users: see", "Signed-in sessions: change"),
    ("de", "PBX-Benutzer: ansehen", "Aktive Sitzungen: ändern"),
]


@pytest.mark.parametrize(("language", "seen", "ended"), LANGUAGES)
def test_rights_are_named_in_the_administrators_language(
    admin_client_myapps: Browser, user: PbxUser, language: str, seen: str, ended: str
) -> None:
    for path in (f"/admin/users/pbxuser/{user.pk}/change/", f"{GROUPS}add/"):
        with translation.override(language):
            response = admin_client_myapps.get(path, HTTP_ACCEPT_LANGUAGE=language)

        page = response.content.decode()
        assert seen in page
        assert ended in page
        assert "Can " not in page


def test_no_right_is_offered_that_opens_nothing(db: None) -> None:
    offered = set(rights().values_list("codename", flat=True))

    assert {"view_pbxuser", "change_authenticationsettings"} <= offered
    assert not {"view_session", "add_contenttype", "view_logentry"} & offered


def test_group_keeps_the_rights_that_were_ticked(admin_client_myapps: Browser) -> None:
    right = Permission.objects.get(codename="view_pbxuser")

    admin_client_myapps.post(
        f"{GROUPS}add/", {"name": "Service desk", "permissions": [right.pk]}
    )

    assert list(Group.objects.get(name="Service desk").permissions.all()) == [right]


def test_lists_that_the_site_writes_itself_offer_only_what_they_can(db: None) -> None:
    offered = set(rights().values_list("codename", flat=True))

    assert {right for right in offered if right.endswith("_auditevent")} == {
        "view_auditevent"
    }
    assert {right for right in offered if right.endswith("_loginsession")} == {
        "view_loginsession",
        "change_loginsession",
    }


def test_rights_stand_in_the_order_of_the_menu_and_begin_with_seeing(db: None) -> None:
    offered = list(rights().values_list("codename", flat=True))

    assert [right for right in offered if right.endswith("_pbxuser")] == [
        f"{action}_pbxuser" for action in ("view", "add", "change", "delete")
    ]
    seen = [right for right in offered if right.startswith("view_")]
    assert seen[:3] == [
        "view_clientapplication",
        "view_pbxuser",
        "view_group",
    ]
    assert seen[-1] == "view_auditevent"
