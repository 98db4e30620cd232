"""The OAuth2 accounts on a user's page, and disconnecting one."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.browsers import sign_in

pytestmark = pytest.mark.django_db
ISSUER = "https://login.example.com/tenant"


def connected(user: PbxUser, subject: str = "<1>") -> ProviderIdentity:
    return ProviderIdentity.objects.create(user=user, issuer=ISSUER, subject=subject)


def page(user: PbxUser) -> str:
    return f"/admin/users/pbxuser/{user.pk}/change/"


def disconnect(identity: ProviderIdentity) -> str:
    user = f"/admin/users/pbxuser/{identity.user_id}"
    return f"{user}/oauth2/{identity.pk}/disconnect/"


def test_the_users_page_shows_the_account(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    assert (
        "None. The first login" in admin_client_myapps.get(page(user)).content.decode()
    )
    identity = connected(user)

    shown = admin_client_myapps.get(page(user)).content.decode()

    assert f"&lt;1&gt; ({ISSUER})" in shown
    assert "&lt;span" not in shown
    assert disconnect(identity) in shown


def test_disconnecting_asks_first_and_is_recorded(
    admin_client_myapps: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    identity = connected(user)

    question = admin_client_myapps.get(disconnect(identity))
    assert "Disconnect this OAuth2 account from anna?" in question.content.decode()
    assert ProviderIdentity.objects.exists()
    answer = admin_client_myapps.post(disconnect(identity))

    assert answer.url == page(user)  # type: ignore[attr-defined]
    assert not ProviderIdentity.objects.exists()
    event = AuditEvent.objects.get(event=Event.IDENTITY_UNBOUND)
    assert (event.user, event.actor) == (user, administrator)
    assert event.detail == f"{ISSUER} <1>"
    assert event.address == "127.0.0.1"


def test_an_account_goes_by_its_own_users_page_alone(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    other = PbxUser.objects.create_user("bert")
    path = disconnect(connected(user)).replace(f"/{user.pk}/", f"/{other.pk}/", 1)

    assert admin_client_myapps.post(path).status_code == 404
    assert ProviderIdentity.objects.exists()


@pytest.mark.parametrize("right", ["view_pbxuser", "change_pbxuser"])
def test_an_administrator_of_some_rights_stays_below_the_others(
    user: PbxUser, administrator: PbxUser, right: str
) -> None:
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename=right))
    browser = Browser()
    browser.force_login(helper)
    session = browser.session
    session["kind"] = "myapps"
    session["began_at"] = time.time()
    session.save()

    assert browser.post(disconnect(connected(administrator))).status_code == 403
    allowed = browser.post(disconnect(connected(user, "2"))).status_code == 302
    assert allowed == (right == "change_pbxuser")


def test_the_last_administrators_account_stays_where_nothing_else_lets_in(
    admin_client_myapps: Browser, administrator: PbxUser, configure: SettingsSetter
) -> None:
    configure(
        authentication_type="oauth2_only",
        oauth2_provider_name="Windows",
        oauth2_well_known_url=f"{ISSUER}/.well-known/openid-configuration",
        oauth2_client_id="pbx",
    )
    identity = connected(administrator)

    refused = admin_client_myapps.post(disconnect(identity), follow=True)
    assert "nobody could administer the site" in refused.content.decode()
    assert ProviderIdentity.objects.filter(pk=identity.pk).exists()

    other = PbxUser.objects.create_superuser("other")
    connected(other, "2")
    admin_client_myapps.post(disconnect(identity))
    assert ProviderIdentity.objects.get().user == other


def test_it_stays_as_well_where_its_administrator_has_no_pbx_password(
    administrator: PbxUser, configure: SettingsSetter
) -> None:
    configure(
        authentication_type="pbx_and_oauth2",
        oauth2_provider_name="Windows",
        oauth2_well_known_url=f"{ISSUER}/.well-known/openid-configuration",
        oauth2_client_id="pbx",
    )
    PbxUser.objects.filter(pk=administrator.pk).update(password="!")
    browser = sign_in(PbxUser.objects.get(pk=administrator.pk))
    identity = connected(administrator)

    refused = browser.post(disconnect(identity), follow=True).content.decode()
    assert "No other administrator can log in with the present settings" in refused
    assert "Only OAuth2 is allowed" not in refused
    assert ProviderIdentity.objects.filter(pk=identity.pk).exists()

    PbxUser.objects.create_superuser("other", PASSWORD)
    browser.post(disconnect(identity))
    assert not ProviderIdentity.objects.exists()


def test_an_account_of_a_former_provider_may_always_go(
    admin_client_myapps: Browser, administrator: PbxUser, configure: SettingsSetter
) -> None:
    configure(
        authentication_type="oauth2_only",
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://new.example/.well-known/openid-configuration",
        oauth2_client_id="pbx",
    )

    admin_client_myapps.post(disconnect(connected(administrator)))

    assert not ProviderIdentity.objects.exists()
