"""The failed logins on a user's page, and unlocking."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD
from tests.support.browsers import sign_in
from verification.sessions import tries
from verification.sessions.choices import Guessed, Source

pytestmark = pytest.mark.django_db


def page(user: PbxUser) -> str:
    return f"/admin/users/pbxuser/{user.pk}/change/"


def unlock(user: PbxUser) -> str:
    return f"/admin/users/pbxuser/{user.pk}/unlock/"


def fail(user: PbxUser, times: int = 2) -> None:
    for _ in range(times):
        tries.add_failure(user, Guessed.APP_CODE, Source.ELSEWHERE)


def test_the_users_page_shows_failures_and_offers_to_unlock(
    admin: Browser, user: PbxUser
) -> None:
    before = admin.get(page(user)).content.decode()
    fail(user)

    after = admin.get(page(user)).content.decode()

    assert "None since the last success." in before
    assert unlock(user) not in before
    words = "Code of the authenticator app: 2 in a row from unknown addresses"
    assert words in after
    assert unlock(user) in after


def test_unlocking_asks_first_and_is_recorded(
    admin: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    fail(user)

    assert "Unlock anna?" in admin.get(unlock(user)).content.decode()
    assert user.failure_counts.exists()
    assert admin.post(unlock(user)).url == page(user)  # type: ignore[attr-defined]

    assert not user.failure_counts.exists()
    event = AuditEvent.objects.get(event=Event.USER_CHANGED)
    assert (event.user, event.actor, event.detail) == (user, administrator, "unlocked")


@pytest.mark.parametrize("right", ["view_pbxuser", "change_pbxuser"])
def test_an_administrator_of_some_rights_unlocks_no_other(
    user: PbxUser, administrator: PbxUser, right: str
) -> None:
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename=right))
    browser = sign_in(helper)

    assert browser.post(unlock(administrator)).status_code == 403
    allowed = browser.post(unlock(user)).status_code == 302
    assert allowed == (right == "change_pbxuser")


def test_an_old_login_is_asked_again(admin: Browser, user: PbxUser) -> None:
    session = admin.session
    session["began_at"] = 0
    session.save()
    fail(user)

    assert "/account/confirm/" in admin.post(unlock(user)).url  # type: ignore[attr-defined]
    assert user.failure_counts.exists()
