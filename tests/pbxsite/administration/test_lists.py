"""The lists of the administration tell what their columns and filters tell, no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Field, Model
from django.test import Client as Browser
from django.test import RequestFactory

from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, Starter
from verification.approval.models import LoginSession

# What a list's address may hold beside its search, order and page.
ANSWERED = {
    "pbxuser": {
        "is_active__exact",
        "is_active__isnull",
        "is_staff__exact",
        "is_staff__isnull",
        "email_address",
        "factor",
    },
    "auditevent": {
        "event__exact",
        "event__isnull",
        "client__exact",
        "method__exact",
        "method__isnull",
        "at_from",
        "at_to",
    },
    "loginsession": {"state", "client__exact"},
    "outgoingemail": {
        "state__exact",
        "state__isnull",
        "kind__exact",
        "kind__isnull",
    },
    "usersession": {"client"},
    "authenticator": {"type__exact", "type__isnull"},
    "clientapplication": {
        "kind__exact",
        "kind__isnull",
        "asks_by__exact",
        "asks_by__isnull",
    },
}
# Its "list" is a page of its own, which reads no query.
LISTED = {m for m in admin.site._registry if m.__name__ != "AuthenticationSettings"}


def questions(model: type[Model]) -> Iterator[str]:
    """Every column of the table, and of those beside it, asked in every way."""
    for field in model._meta.get_fields(include_hidden=True):
        yield field.name
        lookups = field.get_lookups() if isinstance(field, Field) else {}
        yield from (f"{field.name}__{lookup}" for lookup in lookups)
        if field.related_model and isinstance(field.related_model, type):
            names = [other.name for other in field.related_model._meta.get_fields()]
            yield from (f"{field.name}__{name}" for name in names)
    yield from ("pk", "data__kind", "data__secret__startswith", "made_up")


@pytest.mark.database
@pytest.mark.parametrize("model", sorted(LISTED, key=str))
def test_a_list_answers_to_its_filters_alone(
    administrator: PbxUser, model: type[Model]
) -> None:
    request = RequestFactory().get("/")
    request.user = administrator
    asked = admin.site.get_model_admin(model)
    every = {
        *questions(model),
        *(name for names in ANSWERED.values() for name in names),
    }

    answered = {name for name in every if asked.lookup_allowed(name, "a", request)}

    assert answered == ANSWERED.get(model._meta.model_name or "", set())


@pytest.fixture
def viewer(db: None) -> Browser:
    """An administrator who may see everything and change nothing."""
    viewer = PbxUser.objects.create_user("viewer", PASSWORD, is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view"))
    signed_in = Browser()
    signed_in.post("/login/", {"login": "viewer", "password": PASSWORD})
    return signed_in


@pytest.mark.database
@pytest.mark.parametrize(
    "asked",
    [
        "usersessions/usersession/?session_key__startswith=a",
        "usersessions/usersession/?session_key__gt=a&client=myapps",
        "usersessions/usersession/?_popup=1&_to_field=session_key",
        "mfa/authenticator/?data__secret__startswith=a",
        "approval/loginsession/?auth_hash__startswith=a",
        "approval/loginsession/?public_id__startswith=a",
        "approval/loginsession/?_to_field=public_id",
        "users/auditevent/?proof__startswith=a",
        "users/auditevent/export/?proof__startswith=a",
        "users/pbxuser/?password__startswith=a",
        "auth/group/?name__startswith=a",
    ],
)
def test_no_address_asks_a_column_letter_by_letter(viewer: Browser, asked: str) -> None:
    assert viewer.get(f"/admin/{asked}").status_code == 400


@pytest.mark.database
def test_no_page_is_found_by_a_session_s_key(
    viewer: Browser, start: Starter, browser: Browser
) -> None:
    start(browser)
    key = browser.session.session_key

    address = f"/admin/usersessions/usersession/{key}/change/?_to_field=session_key"

    assert viewer.get(address).status_code == 400


def test_no_order_follows_what_a_list_does_not_show() -> None:
    secret = {
        UserSession: {"session_key", "data"},
        Authenticator: {"data"},
        LoginSession: {"auth_hash", "public_id", "link_number"},
    }
    for model, names in secret.items():
        listed = admin.site.get_model_admin(model)
        columns = [getattr(listed, str(name), None) for name in listed.list_display]
        orders = {getattr(column, "admin_order_field", None) for column in columns}
        assert not names & {*orders, *map(str, listed.list_display)}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/admin/mail/outgoingemail/", "No e-mail was sent yet."),
        ("/admin/approval/loginsession/", "No login has waited for approval."),
        ("/admin/mfa/authenticator/", "Nobody has added a passkey"),
        ("/admin/users/pbxuser/?q=nobody", "Nothing matches this search"),
    ],
)
def test_an_empty_list_says_what_would_be_there(
    admin: Browser, path: str, words: str
) -> None:
    html = admin.get(path).content.decode()

    assert words in html
    assert "Create a new item" not in html


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/admin/users/auditevent/", "Audit log"),
        ("/admin/usersessions/usersession/", "Signed-in sessions"),
        ("/admin/mfa/authenticator/", "Second factors"),
        ("/admin/mail/outgoingemail/", "Outgoing e-mails"),
    ],
)
def test_a_list_has_the_name_that_the_menu_calls_it_by(
    admin: Browser, path: str, name: str
) -> None:
    html = admin.get(path).content.decode()

    title = re.search(r"<title>\s*(.*?)\s*</title>", html, re.DOTALL)
    assert title
    assert title[1].startswith(f"{name} |")
    heading = re.search(r"<h1.*?</h1>", html, re.DOTALL)
    assert heading
    assert " ".join(re.sub(r"<[^>]*>", " ", heading[0]).split()) == name
