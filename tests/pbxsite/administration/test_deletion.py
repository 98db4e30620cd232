"""Before something is deleted, the page says how much goes with it."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser
from django.utils import translation

from authconfig.clients.models import ClientApplication
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD
from tests.support.html import Page
from tests.support.openid import Party
from verification.mail.models import OutgoingEmail

USERS, GROUPS = "/admin/users/pbxuser/", "/admin/auth/group/"
CLIENTS = "/admin/clients/clientapplication/"


def told(response: Any) -> dict[str, str]:
    counts = dict(response.context["model_count"])
    text = response.content.decode()
    assert "This cannot be undone." in text
    assert all(f": {count}" in text for count in counts.values())
    return {str(name): str(count) for name, count in counts.items()}


@pytest.fixture
def owner(user: PbxUser, mail: OutgoingEmail) -> PbxUser:
    """Anna with a login that waits for its mail, a session and a second factor."""
    Authenticator.objects.create(user=user, type="totp", data={"secret": "s"})
    return user


def test_page_of_a_user_says_what_goes(admin: Browser, owner: PbxUser) -> None:
    expected = {
        "PBX users": "1",
        "Logins that wait for approval": "1",
        "Second factors, recovery codes among them": "1",
        "E-mails that are not sent yet, and will not be": "1",
    }

    one = admin.get(f"{USERS}{owner.pk}/delete/")
    chosen = {"action": "delete_selected", "_selected_action": [owner.pk]}
    many = admin.post(USERS, chosen)

    assert told(one) == expected
    assert told(many) == expected
    assert PbxUser.objects.filter(pk=owner.pk).exists()


def test_sessions_are_told_until_they_end(
    admin: Browser, signed_in: Browser, user: PbxUser
) -> None:
    assert told(admin.get(f"{USERS}{user.pk}/delete/")) == {
        "PBX users": "1",
        "Sessions, which end at once": "1",
    }


@pytest.mark.database
def test_of_many_users_some_are_named_and_none_is_read_further(
    admin: Browser, django_assert_max_num_queries: Any
) -> None:
    PbxUser.objects.bulk_create(PbxUser(name=f"user{n:03}") for n in range(90))
    keys = PbxUser.objects.filter(name__startswith="user").values_list("pk", flat=True)

    with django_assert_max_num_queries(25):
        answer = admin.post(
            USERS, {"action": "delete_selected", "_selected_action": list(keys)}
        )

    assert told(answer) == {"PBX users": "90"}
    named = [
        t
        for t in Page(answer.content.decode()).texts("leading-relaxed")
        if "user0" in t
    ]
    assert "user019" in named[0]
    assert "and 70 more" in named[0]
    assert "user020" not in named[0]


def test_group_says_who_loses_its_rights(admin: Browser) -> None:
    group = Group.objects.create(name="Desk")
    group.permissions.set(Permission.objects.all()[:3])
    for name in ("ben", "cleo"):
        PbxUser.objects.create_user(name, PASSWORD).groups.add(group)

    answer = admin.get(f"{GROUPS}{group.pk}/delete/")

    assert told(answer) == {
        "groups": "1",
        "Administrators who lose the group's rights": "2",
    }


def test_client_says_that_its_secret_goes(admin: Browser, party: Party) -> None:
    client = ClientApplication.objects.get(openid__isnull=False)

    assert told(admin.get(f"{CLIENTS}{client.pk}/delete/")) == {
        "client applications": "1",
        "Secrets, which stop working at once": "1",
    }


@pytest.mark.database
def test_what_is_said_to_go_is_gone(admin: Browser, owner: PbxUser) -> None:
    admin.post(f"{USERS}{owner.pk}/delete/", {"post": "yes"})

    assert not PbxUser.objects.filter(pk=owner.pk).exists()
    assert not Authenticator.objects.exists()
    assert not OutgoingEmail.objects.filter(user=owner.pk).exists()


def test_removing_second_factors_counts_those_not_chosen(
    admin: Browser, owner: PbxUser
) -> None:
    chosen = Authenticator.objects.get(user=owner)
    Authenticator.objects.create(user=owner, type="recovery_codes", data={})
    action = {"action": "remove_all_of_users", "_selected_action": chosen.pk}

    text = admin.post("/admin/mfa/authenticator/", action).content.decode()

    assert "2 second factors go, recovery codes among them." in text
    assert "This cannot be undone." in text
    assert Authenticator.objects.count() == 2


@translation.override("en")
def test_the_way_to_it_is_told_in_german(admin: Browser, user: PbxUser) -> None:
    german = {"headers": {"Accept-Language": "de"}}
    page = admin.get(f"{USERS}{user.pk}/change/", **german)  # type: ignore[arg-type]
    asked = admin.get(f"{USERS}{user.pk}/delete/", **german)  # type: ignore[arg-type]

    assert Page(page.content.decode()).text(href=f"{USERS}{user.pk}/delete/") == (
        "Löschen"
    )
    assert asked.context["title"] == "anna löschen?"
