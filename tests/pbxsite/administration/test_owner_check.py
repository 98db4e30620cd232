"""Users' pages in the admin ask an old login who it is, and lose nothing meanwhile."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from authconfig.choices import Event
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.pbxsite.administration.access.test_lists import FACTORS, act
from tests.pbxsite.administration.users.test_identities import connected, disconnect
from tests.pbxsite.administration.users.test_import_pages import confirm, upload
from tests.pbxsite.administration.users.test_users import LIST, change, page
from tests.verification.sessions.test_reauthentication import OAUTH2

pytestmark = pytest.mark.django_db
CONFIRM = "/account/confirm/"
NEW = "another battery"
ADD = f"{LIST}add/"


def later(minutes: float = 16) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(minutes=minutes))


def text(answer: HttpResponse) -> str:
    return html.unescape(answer.content.decode())


def password_page(user: PbxUser) -> str:
    return reverse("admin:auth_user_password_change", args=[user.pk])


def set_password(browser: Browser, user: PbxUser, **more: str) -> HttpResponse:
    new = dict.fromkeys(("password1", "password2"), NEW)
    return browser.post(password_page(user), new | more)


def add_user(browser: Browser, **more: str) -> HttpResponse:
    new = dict.fromkeys(("password1", "password2"), NEW)
    return browser.post(ADD, {"name": "fritz", "usable_password": "true"} | new | more)


def right() -> Permission:
    return Permission.objects.get(codename="view_pbxuser")


def changes() -> list[str]:
    found = AuditEvent.objects.filter(event=Event.USER_CHANGED)
    return list(found.values_list("detail", flat=True))


def has_new_password(user: PbxUser) -> bool:
    user.refresh_from_db()
    return user.check_password(NEW)


@pytest.mark.parametrize("own", [True, False], ids=["own", "other"])
def test_no_old_session_sets_a_password_without_the_administrators(
    admin_client_myapps: Browser, administrator: PbxUser, user: PbxUser, own: object
) -> None:
    whose = administrator if own else user
    with later():
        refused = set_password(admin_client_myapps, whose)
        assert "Enter your password, then save." in text(refused)
        wrong = set_password(admin_client_myapps, whose, own_password="wrong")
        assert "This is not your password." in text(wrong)
        assert not has_new_password(whose)

        set_password(admin_client_myapps, whose, own_password=PASSWORD)

        assert has_new_password(whose)
        assert NEW not in str(dict(admin_client_myapps.session))


def test_the_password_page_asks_an_old_login_at_once(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    fresh = text(admin_client_myapps.get(password_page(user)))
    with later():
        old = text(admin_client_myapps.get(password_page(user)))

    assert 'name="own_password"' not in fresh
    # In each of the two forms: for a new password, and to remove it.
    assert old.count('name="own_password"') == 2


def test_no_old_session_removes_a_password(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    remove = {"usable_password": "false", "unset-password": ""}
    with later():
        admin_client_myapps.post(password_page(user), remove)
        user.refresh_from_db()
        assert user.has_usable_password()

        confirmed = remove | {"own_password": PASSWORD}
        admin_client_myapps.post(password_page(user), confirmed)

    user.refresh_from_db()
    assert not user.has_usable_password()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", lambda: "annette"),
        ("email", lambda: "mine@example.com"),
        ("is_staff", lambda: "on"),
        ("groups", lambda: Group.objects.get().pk),
        ("user_permissions", lambda: right().pk),
    ],
)
def test_no_old_session_changes_who_gets_in(
    admin_client_myapps: Browser, user: PbxUser, field: str, value: Callable[[], Any]
) -> None:
    values = {field: value()}
    with later():
        refused = change(admin_client_myapps, user, **values)
        assert "Enter your password, then save." in text(refused)
        assert not changes()

        change(admin_client_myapps, user, own_password=PASSWORD, **values)

    (told,) = changes()
    assert told.startswith(field)
    assert "own_password" not in LogEntry.objects.get().change_message


def test_to_deactivate_asks_nothing_and_to_activate_asks_an_old_session(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        change(admin_client_myapps, user, is_active="")
        user.refresh_from_db()
        assert not user.is_active

        refused = change(admin_client_myapps, user, is_active="on")
        assert "Enter your password, then save." in text(refused)
        both = change(admin_client_myapps, user, email="mine@example.com")
        assert "Enter your password, then save." in text(both)

    assert len(changes()) == 1


def test_strangers_keep_no_administrator_from_proving_himself(
    admin_client_myapps: Browser, user: PbxUser, start: Starter
) -> None:
    with later():
        for number in range(10):
            stranger = Browser(REMOTE_ADDR="192.0.2.9")
            start(stranger, "admin", f"guess {number}")
        admin_client_myapps.defaults["REMOTE_ADDR"] = "192.0.2.7"
        set_password(admin_client_myapps, user, own_password=PASSWORD)

    assert has_new_password(user)


def test_what_was_typed_stays_on_the_page_that_asks(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        asked = text(
            change(
                admin_client_myapps,
                user,
                long_name="Anna Bergmann",
                email="new@example.com",
                own_password="not the one",
            )
        )

    assert 'value="Anna Bergmann"' in asked
    assert 'value="new@example.com"' in asked
    assert "not the one" not in asked


def test_a_proof_counts_for_the_next_changes_too(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        change(admin_client_myapps, user, email="b@example.com", own_password=PASSWORD)
        change(admin_client_myapps, user, email="c@example.com")

    assert len(changes()) == 2


def test_what_lets_nobody_in_is_saved_at_any_age(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        change(admin_client_myapps, user, long_name="Anna Bergmann", language="de")

    assert len(changes()) == 1


def test_a_fresh_login_is_asked_nothing(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    assert "own_password" not in text(admin_client_myapps.get(page(user)))

    change(admin_client_myapps, user, email="new@example.com", is_staff="on")
    set_password(admin_client_myapps, user)

    assert len(changes()) == 1
    assert has_new_password(user)


def test_who_may_only_look_is_asked_nothing(user: PbxUser, start: Starter) -> None:
    looker = PbxUser.objects.create_user("looker", PASSWORD, is_staff=True)
    looker.user_permissions.add(right())
    browser = Browser()
    start(browser, "looker")

    with later():
        assert "own_password" not in text(browser.get(page(user)))


def test_where_no_password_is_taken_one_logs_in_again_in_another_tab(
    admin_client_myapps: Browser, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2)
    with later():
        for shown in (page(user), password_page(user), ADD):
            html = text(admin_client_myapps.get(shown))
            assert f'href="/login/again/?next={quote(shown, safe="")}"' in html
            assert 'target="_blank"' in html
        refused = change(admin_client_myapps, user, email="new@example.com")
        assert "Log in again, then save." in text(refused)
        assert "Log in again, then save." in text(
            set_password(admin_client_myapps, user)
        )
        assert "Log in again, then save." in text(add_user(admin_client_myapps))

    assert not changes()
    assert not has_new_password(user)


def test_guesses_at_the_own_password_are_limited(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        for number in range(10):
            set_password(admin_client_myapps, user, own_password=f"guess {number}")
        refused = set_password(admin_client_myapps, user, own_password=PASSWORD)

    assert "Too many" in text(refused)
    assert not has_new_password(user)


def test_an_old_session_imports_after_the_password_and_uploads_but_once(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        preview = upload(admin_client_myapps, "anna,Anna,mine@example.com,,1\n")
        asked = confirm(admin_client_myapps, preview)
        assert asked.redirect_chain[0][0].startswith(CONFIRM)
        assert not changes()

        answer = {"password": PASSWORD, "next": f"{LIST}process_import/"}
        admin_client_myapps.post(CONFIRM, answer)

    assert len(changes()) == 1


def test_no_old_session_adds_a_user(admin_client_myapps: Browser) -> None:
    assert "own_password" not in text(admin_client_myapps.get(ADD))
    with later():
        assert 'name="own_password"' in text(admin_client_myapps.get(ADD))
        refused = add_user(admin_client_myapps)
        assert "Enter your password, then save." in text(refused)
        assert not PbxUser.objects.filter(name="fritz").exists()

        add_user(admin_client_myapps, own_password=PASSWORD)

    assert PbxUser.objects.get(name="fritz").check_password(NEW)


def test_who_does_not_know_the_password_may_log_in_again(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    with later():
        for shown in (page(user), password_page(user), ADD):
            html = admin_client_myapps.get(shown).content.decode()
            assert 'name="own_password"' in html
            assert f'<a href="/login/again/?next={quote(shown, safe="")}"' in html


def test_a_user_without_a_password_gets_none_and_the_page_says_why(
    admin_client_myapps: Browser, configure: SettingsSetter
) -> None:
    bare = PbxUser.objects.create_user("fritz")
    configure(**OAUTH2)
    with later():
        refused = text(set_password(admin_client_myapps, bare))

    assert refused.count("Log in again, then save.") == 1


def test_an_import_is_uploaded_again_after_a_new_login(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    # Whoever logs in again comes back to the page that he confirmed the file to.
    back = admin_client_myapps.get(f"{LIST}process_import/", follow=True)

    assert back.redirect_chain == [(f"{LIST}import/", 302)]
    assert "Please upload the file again." in text(back)


def test_no_old_session_disconnects_an_account(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    path = disconnect(connected(user))
    with later():
        asked = admin_client_myapps.post(path)
        assert asked.url.startswith(CONFIRM)
        assert ProviderIdentity.objects.exists()

        admin_client_myapps.post(CONFIRM, {"password": PASSWORD, "next": path})

    assert not ProviderIdentity.objects.exists()


def test_no_old_session_removes_second_factors(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    factor = Authenticator.objects.create(user=user, type="totp", data={"secret": "s"})
    with later():
        act(admin_client_myapps, FACTORS, "remove_all_of_users", factor)
        assert Authenticator.objects.exists()

        answer = {"password": PASSWORD, "next": FACTORS}
        admin_client_myapps.post(CONFIRM, answer)

    assert not Authenticator.objects.exists()
