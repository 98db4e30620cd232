"""The page of a user: what they can do, what there is of them, and what can be done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.pbxsite.administration.entry.conftest import give_factor
from tests.support.browsers import sign_in
from tests.support.html import Page
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
HERE = {"HTTP_USER_AGENT": FIREFOX, "REMOTE_ADDR": "192.0.2.9"}
ACTS = ("end-all", "reset-factors", "deactivate")


def url(user: PbxUser, act: str = "change") -> str:
    return f"/admin/users/pbxuser/{user.pk}/{act}/"


def cards(browser: Browser, user: PbxUser) -> dict[str, str]:
    """Return the words of each card by its title."""
    page = Page(browser.get(url(user)).content.decode())
    titles, texts = page.texts("card-title"), page.texts("hub-card")
    return {
        t: text.removeprefix(t).strip() for t, text in zip(titles, texts, strict=True)
    }


@pytest.fixture
def helper(db: None) -> Browser:
    """An administrator who may change users, and nothing else."""
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    rights = Permission.objects.filter(content_type__model="pbxuser")
    helper.user_permissions.set(rights)
    return sign_in(helper)


def test_it_says_what_the_user_can_do(admin: Browser, user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(password="!none")

    said = cards(admin, user)["Is a login possible?"]

    assert "myApps no: the PBX password is not set" in said
    assert "myPBX no: the PBX password is not set" in said


def test_it_tells_where_the_user_is_signed_in(
    admin: Browser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser, **HERE)

    said = cards(admin, user)

    assert "Firefox on Linux" in said["Signed-in sessions"]
    assert "192.0.2.9" in said["Signed-in sessions"]
    assert "Logged in" in said["Last events"]
    assert "192.0.2.9" in said["Last events"]
    assert "Firefox on Linux" in said["Last events"]
    assert said["Second factors"] == "None."
    assert said["Waiting logins"] == "No login waits for an approval."
    assert said["E-mails"] == "None was sent."


def test_it_tells_of_logins_that_wait_and_of_mails(
    admin: Browser, held: LoginSession, mail: OutgoingEmail
) -> None:
    said = cards(admin, held.user)

    assert "myApps · 127.0.0.1" in said["Waiting logins"]
    assert "anna@example.com" in said["E-mails"]
    html = admin.get(url(held.user)).content.decode()
    assert str(held.public_id) not in html


def test_it_tells_of_factors_and_whether_they_count(
    admin: Browser, user: PbxUser
) -> None:
    give_factor(user, "email")

    assert "Authenticator app approved by: E-mail link" in " ".join(
        cards(admin, user)["Second factors"].split()
    )


def test_who_may_only_change_users_sees_no_more(helper: Browser, user: PbxUser) -> None:
    assert list(cards(helper, user)) == ["Is a login possible?"]
    page = Page(helper.get(url(user)).content.decode())
    assert page.find(href=url(user, "deactivate"))
    for act in ("end-all", "reset-factors"):
        assert not page.find(href=url(user, act))
        assert helper.post(url(user, act)).status_code == 403


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_done_to_who_is_above(
    helper: Browser, administrator: PbxUser, act: str
) -> None:
    assert helper.post(url(administrator, act)).status_code == 403
    administrator.refresh_from_db()
    assert administrator.is_active


@pytest.mark.parametrize("act", ACTS)
def test_each_action_asks_first(
    admin: Browser, user: PbxUser, start: Starter, browser: Browser, act: str
) -> None:
    start(browser)
    give_factor(user)

    html = admin.get(url(user, act)).content.decode()

    assert "anna?" in html
    assert "Go back" in html
    user.refresh_from_db()
    assert user.is_active
    assert Authenticator.objects.exists()
    assert browser.get("/account/").status_code == 200


@pytest.mark.database
def test_all_sessions_and_waiting_logins_end(
    admin: Browser,
    administrator: PbxUser,
    held: LoginSession,
    configure: SettingsSetter,
    start: Starter,
) -> None:
    configure(two_factor=False)
    signed_in = Browser()
    start(signed_in)

    html = admin.post(url(held.user, "end-all"), follow=True).content.decode()

    assert "1 session ended." in html
    assert signed_in.get("/account/").status_code == 302
    held.refresh_from_db()
    assert held.state == LoginState.REJECTED
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert (event.user, event.actor) == (held.user, administrator)


def test_the_own_session_goes_on(administrator: PbxUser, start: Starter) -> None:
    here, there = Browser(), Browser()
    for browser in (here, there):
        start(browser, login="admin")

    here.post(url(administrator, "end-all"))

    assert here.get("/admin/").status_code == 200
    assert there.get("/account/").status_code == 302


def test_factors_are_reset_and_the_user_is_told(
    admin: Browser, administrator: PbxUser, user: PbxUser, two_factor: Any
) -> None:
    give_factor(user)

    admin.post(url(user, "reset-factors"))

    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(event=Event.FACTOR_REMOVED)
    assert (event.user, event.actor) == (user, administrator)
    assert OutgoingEmail.objects.get().recipient == "anna@example.com"


def test_of_a_user_without_factors_none_is_said_to_be_removed(
    admin: Browser, user: PbxUser
) -> None:
    page = admin.post(url(user, "reset-factors"), follow=True).content.decode()

    assert "The user had no second factor." in page
    assert not OutgoingEmail.objects.exists()


@pytest.mark.usefixtures("two_factor")
def test_the_question_says_who_cannot_log_in_without_the_factor(
    admin: Browser, user: PbxUser
) -> None:
    give_factor(user, "email")
    question = admin.get(url(user, "reset-factors")).content.decode()
    assert "Then the user cannot" not in question
    PbxUser.objects.filter(pk=user.pk).update(email="")

    question = admin.get(url(user, "reset-factors")).content.decode()

    assert "Then the user cannot log in to myApps: nothing can approve" in question


@pytest.mark.database
def test_a_user_is_deactivated_with_all_sessions(
    admin: Browser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser)

    html = admin.post(url(user, "deactivate"), follow=True).content.decode()

    assert "The user was deactivated, and 1 session ended." in html
    user.refresh_from_db()
    assert not user.is_active
    assert not UserSession.objects.filter(user=user).exists()
    event = AuditEvent.objects.get(event=Event.USER_CHANGED)
    assert event.detail == "is_active: on → off"
    assert not Page(html).find(href=url(user, "deactivate"))


def test_nobody_deactivates_themselves(admin: Browser, administrator: PbxUser) -> None:
    page = Page(admin.get(url(administrator)).content.decode())
    assert not page.find(href=url(administrator, "deactivate"))

    html = admin.post(url(administrator, "deactivate"), follow=True).content.decode()

    assert "You cannot deactivate yourself." in html
    administrator.refresh_from_db()
    assert administrator.is_active


@pytest.mark.usefixtures("administrator")
def test_the_last_administrator_stays(helper: Browser, user: PbxUser) -> None:
    """Whoever asks may be able to do no more than to change users."""
    other = PbxUser.objects.create_superuser("other", PASSWORD)
    PbxUser.objects.exclude(pk=other.pk).filter(is_superuser=True).update(
        password="!none"
    )
    boss = sign_in(PbxUser.objects.create_superuser("boss", None))

    html = boss.post(url(other, "deactivate"), follow=True).content.decode()

    assert "nobody could administer the site any more" in html
    other.refresh_from_db()
    assert other.is_active


def test_a_long_history_costs_no_more_queries(
    admin: Browser, user: PbxUser, django_assert_max_num_queries: Any
) -> None:
    AuthenticationSettings.load()
    AuditEvent.objects.bulk_create(
        AuditEvent(event=Event.LOGIN, user=user, user_name="anna") for _ in range(500)
    )

    with django_assert_max_num_queries(30):
        assert admin.get(url(user)).status_code == 200


def test_the_last_login_is_told_by_the_sites_clock(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(
        last_login=datetime(2026, 11, 29, 23, 22, 22, tzinfo=UTC)
    )

    page = admin_client_myapps.get(f"/admin/users/pbxuser/{user.pk}/change/")

    assert "2026-11-29 23:22:22 UTC" in page.content.decode()
