from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.db.models.signals import pre_save
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, Starter
from tests.support.browsers import sign_in

LIST = "/admin/users/pbxuser/"
AUDIT = "/admin/users/auditevent/"
FACTS = {"long_name": "Anna Berg", "email": "anna@example.com", "number": ""}


@pytest.fixture
def helper(db: None) -> PbxUser:
    """An administrator of some rights: those over users."""
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    rights = Permission.objects.filter(content_type__model="pbxuser")
    helper.user_permissions.set(rights)
    return helper


def page(user: PbxUser) -> str:
    return f"{LIST}{user.pk}/change/"


def change(browser: Browser, user: PbxUser, **values: str) -> HttpResponse:
    """Post the form as it is shown, with these values instead."""
    shown = {
        "name": user.name,
        "long_name": user.long_name,
        "email": user.email,
        "number": user.number,
        "language": user.language,
        "is_active": "on" if user.is_active else "",
        "is_staff": "on" if user.is_staff else "",
        "is_superuser": "on" if user.is_superuser else "",
    }
    posted = {name: value for name, value in (shown | values).items() if value}
    return browser.post(page(user), posted)


def told(event: Event = Event.USER_CHANGED) -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(event=event).order_by("pk")
    return list(events.values_list("user_name", "detail"))


def test_a_user_is_added_with_a_password(admin_client_myapps: Browser) -> None:
    passwords = dict.fromkeys(("password1", "password2"), PASSWORD)

    admin_client_myapps.post(
        f"{LIST}add/", {"name": "fritz", "usable_password": "true"} | passwords
    )

    assert PbxUser.objects.get(name="fritz").check_password(PASSWORD)
    assert told() == [("fritz", "added")]


def test_a_user_may_be_added_without_a_password(admin_client_myapps: Browser) -> None:
    admin_client_myapps.post(
        f"{LIST}add/", {"name": "fritz", "usable_password": "false"}
    )

    assert not PbxUser.objects.get(name="fritz").has_usable_password()


def test_a_user_is_named_by_what_can_be_seen(admin_client_myapps: Browser) -> None:
    admin_client_myapps.post(
        f"{LIST}add/", {"name": "fr\u200bitz\u200e", "usable_password": "false"}
    )

    assert PbxUser.objects.get(name="fritz")


def test_a_weak_password_is_refused(admin_client_myapps: Browser) -> None:
    answer = admin_client_myapps.post(
        f"{LIST}add/",
        {"name": "fritz", "usable_password": "true"}
        | dict.fromkeys(("password1", "password2"), "short"),
    )

    assert "too short" in answer.content.decode()
    assert not PbxUser.objects.filter(name="fritz").exists()


@pytest.mark.database
@pytest.mark.parametrize("name", ["ANNA", "\uff21nna", "an\u200bna", "anna\u00ad"])
def test_a_name_that_differs_in_spelling_alone_is_refused(
    admin_client_myapps: Browser, user: PbxUser, name: str
) -> None:
    answer = admin_client_myapps.post(
        f"{LIST}add/", {"name": name, "usable_password": "false"}
    )

    assert "exists already" in answer.content.decode()


def test_a_change_is_in_the_audit_log_with_both_values(
    admin_client_myapps: Browser, administrator: PbxUser, user: PbxUser
) -> None:
    change(admin_client_myapps, user, email="new@example.com", is_staff="on")

    event = AuditEvent.objects.get(event=Event.USER_CHANGED)
    assert event.detail == (
        "email: anna@example.com → new@example.com, is_staff: off → on"
    )
    assert (event.actor, event.address) == (administrator, "127.0.0.1")


def test_saving_without_a_change_records_nothing(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    change(admin_client_myapps, user)

    assert not told()


def test_deactivating_ends_the_sessions_for_good(
    admin_client_myapps: Browser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser)
    assert browser.get("/account/").status_code == 200

    change(admin_client_myapps, user, is_active="")
    PbxUser.objects.update(is_active=True)

    assert browser.get("/account/").status_code == 302
    assert not UserSession.objects.filter(user=user).exists()


def test_the_form_says_that_deactivating_ends_sessions(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    html = admin_client_myapps.get(page(user)).content.decode()

    assert "their sessions end at once" in html


@pytest.mark.parametrize("field", ["is_active", "is_staff", "is_superuser"])
def test_nobody_ends_or_demotes_himself(
    admin_client_myapps: Browser, administrator: PbxUser, field: str
) -> None:
    answer = change(admin_client_myapps, administrator, **{field: ""})

    assert "Ask another administrator" in answer.content.decode()
    administrator.refresh_from_db()
    assert getattr(administrator, field)


def test_all_rights_are_for_administrators(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    answer = change(admin_client_myapps, user, is_superuser="on")

    assert "All rights are for administrators" in answer.content.decode()


def test_another_administrator_may_be_demoted(
    admin_client_myapps: Browser, helper: PbxUser
) -> None:
    change(admin_client_myapps, helper, is_staff="")

    helper.refresh_from_db()
    assert not helper.is_staff


def test_nobody_deletes_himself(
    admin_client_myapps: Browser, administrator: PbxUser
) -> None:
    url = f"{LIST}{administrator.pk}/delete/"

    assert admin_client_myapps.post(url, {"post": "yes"}).status_code == 403


@pytest.mark.database
def test_a_user_with_logins_and_mails_is_deleted_after_confirmation(
    admin_client_myapps: Browser, user: PbxUser, mail: Any
) -> None:
    url = f"{LIST}{user.pk}/delete/"
    assert "Are you sure" in admin_client_myapps.get(url).content.decode()

    admin_client_myapps.post(url, {"post": "yes"})

    assert not PbxUser.objects.filter(pk=user.pk).exists()
    assert told() == [("anna", "deleted")]


def test_selected_users_are_deleted_and_recorded(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    admin_client_myapps.post(
        LIST, {"action": "delete_selected", "_selected_action": user.pk, "post": "yes"}
    )

    assert told() == [("anna", "deleted")]


def test_a_password_that_is_set_ends_the_users_sessions(
    admin_client_myapps: Browser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser)

    admin_client_myapps.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        dict.fromkeys(("password1", "password2"), "another battery"),
    )

    assert not UserSession.objects.filter(user=user).exists()
    assert told(Event.PASSWORD_CHANGED) == [("anna", "set")]
    user.refresh_from_db()
    assert user.check_password("another battery")


def test_a_password_is_removed(admin_client_myapps: Browser, user: PbxUser) -> None:
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    assert "Remove the PBX password" in admin_client_myapps.get(url).content.decode()

    admin_client_myapps.post(url, {"usable_password": "false", "unset-password": ""})

    user.refresh_from_db()
    assert not user.has_usable_password()
    assert told(Event.PASSWORD_CHANGED) == [("anna", "removed")]


def test_setting_a_password_keeps_the_own_session_and_its_listing(
    administrator: PbxUser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser, login="admin")

    browser.post(
        reverse("admin:auth_user_password_change", args=[administrator.pk]),
        dict.fromkeys(("password1", "password2"), "another battery"),
    )

    assert browser.get(LIST).status_code == 200
    listed = UserSession.objects.get(user=administrator)
    assert listed.session_key == browser.session.session_key


def test_no_page_of_a_user_shows_a_hash(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    html = admin_client_myapps.get(page(user)).content.decode()

    assert user.password not in html
    assert "salt" not in html


def test_some_rights_give_no_way_to_all_of_them(
    helper: PbxUser, administrator: PbxUser, user: PbxUser
) -> None:
    browser = sign_in(helper)

    change(browser, helper, is_superuser="on")
    change(browser, user, is_staff="on", is_superuser="on")
    stolen = change(browser, administrator, email="mine@example.com")
    password = browser.get(
        reverse("admin:auth_user_password_change", args=[administrator.pk])
    )

    assert stolen.status_code == password.status_code == 403
    admins = PbxUser.objects.filter(is_superuser=True)
    assert [admin.email for admin in admins] == ["admin@example.com"]
    assert not PbxUser.objects.get(pk=user.pk).is_staff


@pytest.mark.database
def test_users_without_an_address_are_told_in_words_and_filtered(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    PbxUser.objects.create_user("bernd")

    listed = admin_client_myapps.get(LIST).content.decode()
    found = admin_client_myapps.get(LIST, {"email_address": "no-email"})

    assert listed.count("No e-mail address") == 1
    assert [each.name for each in found.context["cl"].result_list] == ["bernd"]


@pytest.mark.database
@pytest.mark.parametrize("words", ["ANN", "berg", "anna@ex", "4711"])
def test_users_are_found_by_name_address_and_number(
    admin_client_myapps: Browser, user: PbxUser, words: str
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(number="4711")

    found = admin_client_myapps.get(LIST, {"q": words}).context["cl"].result_list

    assert [each.name for each in found] == ["anna"]


@pytest.mark.database
def test_a_thousand_users_cost_no_more_queries(
    admin_client_myapps: Browser, django_assert_max_num_queries: Any
) -> None:
    PbxUser.objects.bulk_create(PbxUser(name=f"u{i}") for i in range(1000))

    with django_assert_max_num_queries(6):
        assert admin_client_myapps.get(LIST).status_code == 200


@pytest.mark.database
def test_a_thousand_events_cost_no_more_queries(
    admin_client_myapps: Browser,
    administrator: PbxUser,
    user: PbxUser,
    django_assert_max_num_queries: Any,
) -> None:
    AuditEvent.objects.bulk_create(
        AuditEvent(event=Event.LOGIN, user=user, actor=administrator)
        for _ in range(1000)
    )

    with django_assert_max_num_queries(6):
        assert admin_client_myapps.get(AUDIT).status_code == 200


@pytest.mark.database
def test_the_audit_log_is_read_filtered_and_never_written(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    event = AuditEvent.objects.create(
        event=Event.LOGIN,
        user_name="anna",
        kind=Kind.MYPBX,
        method=Method.NETLOGON,
        address="192.0.2.7",
        detail="by session",
    )
    AuditEvent.objects.create(event=Event.LOGOUT, user_name="bernd")
    queries = [
        {"q": "ann"},
        {"q": "192.0.2.7"},
        {"q": "by session"},
        {"event__exact": "login"},
        {"client__exact": "mypbx"},
        {"method__exact": "netlogon"},
    ]

    for query in queries:
        shown = admin_client_myapps.get(AUDIT, query).context["cl"].result_list
        assert [each.pk for each in shown] == [event.pk], query
    assert admin_client_myapps.get(f"{AUDIT}{event.pk}/change/").status_code == 200
    for path in ("add/", f"{event.pk}/delete/"):
        assert admin_client_myapps.get(AUDIT + path).status_code == 403
    assert admin_client_myapps.post(f"{AUDIT}{event.pk}/change/").status_code == 403


@pytest.mark.database
@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("2026-03-02", "2026-03-02", 1),
        ("2026-03-01", "", 1),
        ("", "2026-03-01", 0),
        ("2026-03-03", "", 0),
        ("nonsense", "", 1),
    ],
)
def test_the_audit_log_is_filtered_by_whole_days(
    admin_client_myapps: Browser, first: str, last: str, found: int
) -> None:
    at = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    AuditEvent.objects.create(event=Event.LOGIN, at=at)

    answer = admin_client_myapps.get(AUDIT, {"at_from": first, "at_to": last})

    assert len(answer.context["cl"].result_list) == found


@pytest.mark.parametrize("path", ["add/", "import/"])
def test_the_pages_of_users_open(admin_client_myapps: Browser, path: str) -> None:
    assert admin_client_myapps.get(LIST + path).status_code == 200


@pytest.mark.parametrize("path", ["auth/group/", "auth/group/add/"])
def test_the_pages_of_groups_open(admin_client_myapps: Browser, path: str) -> None:
    assert admin_client_myapps.get(f"/admin/{path}").status_code == 200


def test_who_is_deactivated_while_their_password_is_set_stays_out(
    admin: Browser, user: PbxUser
) -> None:
    def meanwhile(instance: PbxUser, **_: object) -> None:
        PbxUser.objects.filter(pk=instance.pk).update(is_active=False)

    pre_save.connect(meanwhile, PbxUser)
    try:
        passwords = dict.fromkeys(("password1", "password2"), "another battery")
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        admin.post(url, passwords | {"usable_password": "true"})
    finally:
        pre_save.disconnect(meanwhile, PbxUser)

    user.refresh_from_db()
    assert user.check_password("another battery")
    assert not user.is_active


def test_a_password_that_is_changed_while_the_page_is_saved_stays(
    admin: Browser, user: PbxUser
) -> None:
    """The page of a user holds no password, and must bring no older one back."""
    user.set_password("set by the user meanwhile")

    def meanwhile(instance: PbxUser, **_: object) -> None:
        PbxUser.objects.filter(pk=instance.pk).update(password=user.password)

    pre_save.connect(meanwhile, PbxUser)
    try:
        change(admin, user, long_name="Anna Maria Berg")
    finally:
        pre_save.disconnect(meanwhile, PbxUser)

    user.refresh_from_db()
    assert user.long_name == "Anna Maria Berg"
    assert user.check_password("set by the user meanwhile")
