"""What an old session may do in the administration: each page, action and field.

A new one fails here until somebody has decided whether it lets somebody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.admin import ModelAdmin
from django.contrib.admin import site as admin_site
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.clients.models import ClientApplication
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import PbxUser
from pbxsite.administration.lists import ReadOnlyAdmin
from pbxsite.administration.owner_check import AskingForm
from pbxsite.administration.users.rights import MANY
from pbxsite.gateway.openid.models import OpenIdClient
from tests.pbxsite.administration.users.test_identities import connected
from tests.pbxsite.test_urls import ADMIN
from tests.support.openid import Party
from verification.mail.models import OutgoingEmail

registry = admin_site._registry
FIRST, IN_ITS_FORM, NOT_AT_ALL = "first", "in its form", "not at all"
# A list, and the pages of a row that tell of it or delete it: that lets nobody in.
READING = ("", *(f"<path:object_id>/{part}" for part in ("", "history/", "delete/")))
WRITING = ("add/", "<path:object_id>/change/")
SETTINGS = "admin/authconfig/authenticationsettings/"
SYNC = f"{SETTINGS}users-from-directory/"
SCIM = f"{SETTINGS}users-by-scim/"
USERS = "admin/users/pbxuser/"
CLIENTS = "admin/clients/clientapplication/"
GROUPS = "admin/auth/group/"
ASKING = {
    f"{SETTINGS}": IN_ITS_FORM,
    f"{USERS}add/": IN_ITS_FORM,
    f"{USERS}<path:object_id>/change/": IN_ITS_FORM,
    f"{USERS}<id>/password/": IN_ITS_FORM,
    f"{CLIENTS}add/": IN_ITS_FORM,
    f"{CLIENTS}<path:object_id>/change/": IN_ITS_FORM,
    f"{CLIENTS}<int:pk>/secret/": FIRST,
    f"{GROUPS}add/": FIRST,
    f"{GROUPS}<path:object_id>/change/": FIRST,
    f"{USERS}<int:user_pk>/oauth2/<int:pk>/disconnect/": FIRST,
    f"{USERS}<int:pk>/unlock/": FIRST,
    f"{USERS}<int:pk>/end-all/": FIRST,
    f"{USERS}<int:pk>/reset-factors/": FIRST,
    f"{USERS}<int:pk>/deactivate/": FIRST,
    f"{USERS}<int:pk>/export-data/": FIRST,
    f"{USERS}<int:pk>/erase/": FIRST,
    f"{USERS}<int:pk>/leave-directory/": FIRST,
    f"{SYNC}begin/": FIRST,
    f"{SYNC}<uuid:public_id>/confirm/": FIRST,
    f"{SCIM}begin/": FIRST,
    f"{SCIM}key/make/": FIRST,
    f"{SCIM}key/revoke/": FIRST,
    f"{USERS}process_import/": FIRST,
    f"{USERS}<int:pk>/invite/": FIRST,
    f"{USERS}<int:pk>/generate/": FIRST,
    f"{USERS}invite/": FIRST,
    f"{SETTINGS}voicemail-key/make/": FIRST,
    f"{SETTINGS}voicemail-key/revoke/": FIRST,
    "admin/oauth2/test/connect/": FIRST,
    "admin/smtp-oauth2/authorize/": IN_ITS_FORM,
}
# They show, try or pause something; the settings' own change leads to their page.
HARMLESS = {
    "admin/",
    "admin/jsi18n/",
    "admin/search/",
    "admin/password_change/",
    "admin/password_change/done/",
    "admin/autocomplete/",
    "admin/r/<path:content_type_id>/<path:object_id>/",
    "admin/(?P<url>.*)$",
    "admin/oauth2/test/",
    # It takes the answer to what its browser was asked before.
    "admin/smtp-oauth2/callback/",
    "admin/queue/",
    "admin/queue/live/",
    "admin/queue/act/",
    f"{SETTINGS}add/",
    f"{SETTINGS}<path:object_id>/change/",
    f"{SETTINGS}preview/",
    *(f"{SYNC}{part}" for part in ("", "<uuid:public_id>/")),
    *(f"{SYNC}<uuid:public_id>/{part}/" for part in ("live", "csv")),
    SCIM,
    f"{SETTINGS}send-test/",
    f"{SETTINGS}send-test/<uuid:public_id>/",
    f"{SETTINGS}test-netlogon/",
    f"{SETTINGS}test-oauth2/",
    *(f"{SETTINGS}test-alarm-{part}/" for part in ("mail", "webhook")),
    f"{USERS}import/",
    f"{USERS}invitations/<uuid:public_id>/",
    f"{USERS}invitations/<uuid:public_id>/live/",
    *(f"{USERS}access/{part}" for part in ("", "csv/", "json/")),
    f"{USERS}export/",
    f"{USERS}template/",
    "admin/users/auditevent/export/",
}
# Ending, rejecting, deleting and sending again let nobody in.
ACTIONS = {
    "delete_selected": NOT_AT_ALL,
    "retry_selected": NOT_AT_ALL,
    "cancel_selected": NOT_AT_ALL,
    "reject_selected": NOT_AT_ALL,
    "end_selected": NOT_AT_ALL,
    "remove_all_of_users": FIRST,
    "invite_selected": FIRST,
}
ADDRESSES = {"start_url", "return_urls"}
FIELDS = {
    PbxUser: {"name", "email", "is_active", "is_staff", "is_superuser", *MANY},
    ClientApplication: {
        *("kind", "asks_by", "is_own", "tells_groups", "app_password"),
        *ADDRESSES,
    },
    OpenIdClient: {
        "redirect_uris",
        "logout_uris",
        "is_public",
        "without_pkce",
        "checks_tokens",
        "back_channel_uri",
    },
}


@pytest.fixture
def old(
    admin: Browser, party: Party, user: PbxUser, mail: OutgoingEmail
) -> Iterator[Browser]:
    """The administrator's session, 16 minutes old, with a row in each table."""
    Authenticator.objects.create(user=user, type="totp", data={"secret": "s"})
    connected(user)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        yield admin


def lists() -> Iterator[tuple[str, ModelAdmin]]:
    for model, shown in registry.items():
        yield f"admin/{model._meta.app_label}/{model._meta.model_name}/", shown


def row_of(shown: ModelAdmin) -> Any:
    """Return the newest row's key; an empty list asks what a full one does."""
    return getattr(shown.model.objects.order_by("pk").last(), "pk", 1)


def expected() -> dict[str, str]:
    """Return every route of the administration with what it asks an old session."""
    known = dict.fromkeys(HARMLESS, NOT_AT_ALL)
    for path, shown in lists():
        parts = (*READING, *WRITING) if isinstance(shown, ReadOnlyAdmin) else READING
        known |= dict.fromkeys((f"{path}{part}" for part in parts), NOT_AT_ALL)
    return known | ASKING


def asked(route: str, pks: dict[str, Any]) -> str:
    """Return an address of the route, of a row that exists."""
    path = "/".join(route.split("/")[:3]) + "/"
    named = {"user_pk": pks[USERS], "public_id": uuid4(), "url": "nowhere"}
    if "oauth2" in route:
        named["pk"] = ProviderIdentity.objects.get().pk
    route = re.sub(r"\(\?P<url>.*?\)\$", "<url>", route)
    return "/" + re.sub(
        r"<(?:\w+:)?(\w+)>", lambda m: str(named.get(m[1], pks.get(path, 1))), route
    )


def asks(*answers: HttpResponse) -> str:
    if any(
        a.headers.get("Location", "").startswith("/account/confirm/") for a in answers
    ):
        return FIRST
    shown = b"".join(answer.content for answer in answers)
    return IN_ITS_FORM if b'name="own_password"' in shown else NOT_AT_ALL


def test_each_page_asks_an_old_session_what_is_written_here(old: Browser) -> None:
    pks = {path: row_of(shown) for path, shown in lists()}
    found = {}
    for route in ADMIN:
        # Logging out would end the session; an application's name is a list of lists.
        if route != "admin/logout/" and "app_label" not in route:
            address = asked(route, pks)
            found[route] = asks(old.get(address), old.post(address, {}))

    assert found == expected()


def test_each_action_asks_an_old_session_what_is_written_here(old: Browser) -> None:
    found = {}
    for path, shown in lists():
        request = old.get(f"/{path}").wsgi_request
        for name in shown.get_actions(request):
            chosen = {"_selected_action": row_of(shown)}
            words = {"action": name, "confirmed": "yes"}
            found[name] = asks(old.post(f"/{path}", words | chosen))

    assert found == ACTIONS


def test_each_field_that_decides_who_gets_in_is_written_here(old: Browser) -> None:
    found = {}
    for path, shown in lists():
        page = old.get(f"/{path}{row_of(shown)}/change/", follow=True)
        form = page.context.get("adminform") and page.context["adminform"].form
        if isinstance(form, AskingForm):
            found[shown.model] = form.deciding(form.fields)
            for beside in page.context["inline_admin_formsets"]:
                (first,) = beside.formset.forms
                found[beside.formset.model] = first.deciding(first.fields) - {
                    "id",
                    "application",
                }

    assert found == FIELDS
