"""Groups of rights: who changes them, and what the audit log tells of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.users.rights import rights
from tests.conftest import PASSWORD

GROUPS = "/admin/auth/group/"
USERS = "/admin/users/pbxuser/"


@pytest.fixture
def desk(db: None) -> Group:
    desk = Group.objects.create(name="Service desk")
    desk.permissions.set(Permission.objects.filter(content_type__model="group"))
    return desk


@pytest.fixture
def member(desk: Group) -> Browser:
    """An administrator whose group has every right over groups."""
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    helper.groups.add(desk)
    signed_in = Browser()
    signed_in.post("/login/", {"login": "helper", "password": PASSWORD})
    return signed_in


def told() -> list[str]:
    events = AuditEvent.objects.exclude(event=Event.LOGIN).order_by("pk")
    return list(events.values_list("detail", flat=True))


def test_nobody_gives_the_own_group_more_rights(member: Browser, desk: Group) -> None:
    before = set(desk.permissions.all())
    every = [right.pk for right in rights()]

    answers = [
        member.post(f"{GROUPS}{desk.pk}/change/", {"name": "X", "permissions": every}),
        member.post(f"{GROUPS}add/", {"name": "X", "permissions": every}),
        member.post(f"{GROUPS}{desk.pk}/delete/", {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert set(Group.objects.get(name="Service desk").permissions.all()) == before
    assert member.get(f"{GROUPS}{desk.pk}/change/").status_code == 200


def test_a_selection_of_groups_is_deleted_by_no_member(
    member: Browser, desk: Group
) -> None:
    words = {"action": "delete_selected", "_selected_action": desk.pk, "post": "yes"}

    member.post(GROUPS, words)

    assert Group.objects.filter(pk=desk.pk).exists()


def test_the_rights_over_groups_are_not_offered(db: None) -> None:
    offered = set(rights().values_list("codename", flat=True))

    assert {r for r in offered if r.endswith("_group")} == {"view_group"}


def test_what_becomes_of_a_group_is_in_the_audit_log(
    admin_client_myapps: Browser, administrator: PbxUser
) -> None:
    see, add = (
        Permission.objects.get(codename=f"{action}_pbxuser")
        for action in ("view", "add")
    )
    admin_client_myapps.post(
        f"{GROUPS}add/", {"name": "Service desk", "permissions": [see.pk]}
    )
    page = f"{GROUPS}{Group.objects.get(name='Service desk').pk}/"
    changed = {"name": "Help desk", "permissions": [add.pk]}
    for _time in range(2):
        admin_client_myapps.post(f"{page}change/", changed)
    admin_client_myapps.post(f"{page}delete/", {"post": "yes"})

    assert told() == [
        "group Service desk: added, permissions: +users.view_pbxuser",
        "group Help desk: name: Service desk → Help desk, permissions:"
        " +users.add_pbxuser -users.view_pbxuser",
        "group Help desk: deleted",
    ]
    assert AuditEvent.objects.filter(actor=administrator).count() == 3


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_old_login_is_asked_who_it_is_first(
    admin_client_myapps: Browser, desk: Group, method: str
) -> None:
    page = f"{GROUPS}{desk.pk}/change/"

    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        asked = getattr(admin_client_myapps, method)(page, {"name": "Help desk"})

        assert asked.url.startswith("/account/confirm/?next=")
        desk.refresh_from_db()
        assert desk.name == "Service desk"
        admin_client_myapps.post(asked.url, {"password": PASSWORD})
        assert admin_client_myapps.get(page).status_code == 200


def test_an_old_login_still_sees_groups(member: Browser, desk: Group) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        page = member.get(f"{GROUPS}{desk.pk}/change/")

    assert page.status_code == 200


@pytest.mark.database
def test_selected_groups_that_are_deleted_are_in_the_audit_log(
    admin_client_myapps: Browser, desk: Group
) -> None:
    words = {"action": "delete_selected", "_selected_action": desk.pk, "post": "yes"}

    admin_client_myapps.post(GROUPS, words)

    assert told() == ["group Service desk: deleted"]


def test_a_user_s_groups_and_rights_are_in_the_audit_log_by_name(
    admin_client_myapps: Browser, user: PbxUser, desk: Group
) -> None:
    user.groups.add(Group.objects.get(name="Operators"))
    right = Permission.objects.get(codename="view_pbxuser")
    posted = {
        "name": user.name,
        "long_name": user.long_name,
        "email": user.email,
        "language": user.language,
        "is_active": "on",
        "groups": [desk.pk],
        "user_permissions": [right.pk],
    }

    answer = admin_client_myapps.post(f"{USERS}{user.pk}/change/", posted)

    assert answer.status_code == 302
    assert told() == [
        "groups: +Service desk -Operators, user_permissions: +users.view_pbxuser"
    ]


def test_the_right_that_amounts_to_all_says_so(admin_client_myapps: Browser) -> None:
    page = admin_client_myapps.get(f"{GROUPS}add/").content.decode()

    assert "change, which amounts to all rights" in page
