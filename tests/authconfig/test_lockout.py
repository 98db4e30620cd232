"""No setting is saved that leaves no administrator a way in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.utils import timezone

from authconfig import policy
from authconfig.choices import AuthenticationType, Event, Method
from authconfig.clients.choices import Kind
from authconfig.directory.netlogon_trial import try_netlogon
from authconfig.lockout import (
    PROOF_TTL,
    lockout_by,
    needs_identity,
    needs_password,
)
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users import audit
from authconfig.users.audit import proof_of
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.directory import WINDOWS_PASSWORD, Directory

pytestmark = pytest.mark.django_db
NETLOGON = {"netlogon_domain": "ad.example.com", "netlogon_servers": "dc1.example.com"}
ISSUER = "https://idp.example"
OAUTH2 = {
    "oauth2_provider_name": "Windows",
    "oauth2_well_known_url": f"{ISSUER}/.well-known/openid-configuration",
    "oauth2_client_id": "pbx",
}


def rules(**values: Any) -> AuthenticationSettings:
    return AuthenticationSettings(**values)


def netlogon_only(**values: Any) -> AuthenticationSettings:
    return rules(**({"authentication_type": "netlogon_only"} | NETLOGON | values))


def lockout_fault(
    old: AuthenticationSettings, new: AuthenticationSettings, user: PbxUser | None
) -> str:
    refused = lockout_by(old, new, user)
    return refused.text if refused else ""


def logged_in(
    user: PbxUser, settings: AuthenticationSettings, method: Method = Method.NETLOGON
) -> AuditEvent:
    return audit.record(
        Event.LOGIN,
        user=user,
        kind=Kind.MYAPPS,
        method=method,
        proof=proof_of(settings, method),
    )


def connected(user: PbxUser, subject: str = "1") -> ProviderIdentity:
    return ProviderIdentity.objects.create(
        user=user, issuer=f"{ISSUER}/", subject=subject
    )


def without_password(user: PbxUser) -> None:
    user.set_unusable_password()
    user.save()


def test_windows_passwords_alone_ask_for_a_login_with_one(
    administrator: PbxUser,
) -> None:
    fault = lockout_fault(rules(), netlogon_only(), administrator)

    assert "You have not logged in with “Windows password”" in fault


def test_a_login_with_these_settings_is_proof(administrator: PbxUser) -> None:
    logged_in(administrator, netlogon_only())

    assert lockout_fault(rules(), netlogon_only(), administrator) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"netlogon_servers": "dc2.example.com"},
        {"netlogon_domain": "other.example.com"},
        {"netlogon_group": "cn=staff"},
        {"netlogon_user_filter": "(cn=%(user)s)"},
        {"netlogon_security": "starttls"},
        {"netlogon_bind_password": "another"},
    ],
)
def test_a_login_with_other_settings_is_none(
    administrator: PbxUser, change: dict[str, str]
) -> None:
    logged_in(administrator, netlogon_only())

    changed = netlogon_only(**change)

    assert lockout_fault(rules(), changed, administrator)
    assert lockout_fault(netlogon_only(), changed, administrator)


def test_a_proof_is_of_this_administrator_and_fresh(
    administrator: PbxUser, user: PbxUser
) -> None:
    other = logged_in(user, netlogon_only())
    assert lockout_fault(rules(), netlogon_only(), administrator)
    other.delete()
    old = logged_in(administrator, netlogon_only())
    past = timezone.now() - PROOF_TTL - timedelta(seconds=1)
    AuditEvent.objects.filter(pk=old.pk).update(at=past)

    assert lockout_fault(rules(), netlogon_only(), administrator)


def test_what_changes_no_login_is_not_asked_about(administrator: PbxUser) -> None:
    new = netlogon_only(smtp_sender_name="PBX", oauth2_client_id="pbx")

    assert lockout_fault(netlogon_only(), new, administrator) == ""


@pytest.mark.parametrize(
    ("name", "password", "is_proof"),
    [
        ("anna", WINDOWS_PASSWORD, True),
        ("anna", "", False),
        ("bert", WINDOWS_PASSWORD, False),
    ],
)
def test_a_test_with_ones_own_name_and_password_is_proof(
    user: PbxUser, directory: Directory, name: str, password: str, is_proof: bool
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    new = rules(**directory.settings(authentication_type="netlogon_only"))

    try_netlogon(new, name, password, lambda _step: None, actor=user)

    assert (lockout_fault(rules(), new, user) == "") is is_proof


def test_a_real_login_is_proof(
    netlogon: SettingsSetter, user: PbxUser, browser: Browser
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    now = netlogon(authentication_type="pbx_and_netlogon")

    browser.post("/login/", {"login": "anna", "password": WINDOWS_PASSWORD})

    new = netlogon()
    assert lockout_fault(now, new, user) == ""


def test_two_factor_needs_an_administrator_with_an_address(
    administrator: PbxUser,
) -> None:
    new = rules(two_factor=True)
    assert lockout_fault(rules(), new, administrator) == ""
    PbxUser.objects.update(email="")

    refused = lockout_by(rules(), new, administrator)

    assert refused
    assert refused.field == "two_factor"
    assert "(admin), none has an e-mail address" in refused.text


def test_pbx_passwords_need_an_administrator_with_one(administrator: PbxUser) -> None:
    administrator.set_unusable_password()
    administrator.save()

    fault = lockout_fault(netlogon_only(), rules(), administrator)

    assert fault == "No administrator has a PBX password. Set one first."


def test_two_factor_needs_an_address_of_whom_windows_passwords_let_in(
    administrator: PbxUser, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=administrator.pk).update(email="")
    logged_in(administrator, netlogon_only())

    new = netlogon_only(two_factor=True)

    assert "(admin), none has" in lockout_fault(netlogon_only(), new, administrator)


def test_a_windows_password_lets_in_beside_pbx_passwords(
    administrator: PbxUser,
) -> None:
    administrator.set_unusable_password()
    administrator.save()
    old = netlogon_only(authentication_type="pbx_and_netlogon")
    new = netlogon_only(authentication_type="pbx_and_netlogon", pbx_domain="b.example")
    assert "No administrator has a PBX password" in lockout_fault(
        old, new, administrator
    )

    logged_in(administrator, new)

    assert lockout_fault(old, new, administrator) == ""


def test_only_who_may_mend_the_settings_counts(
    administrator: PbxUser, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=administrator.pk).update(is_active=False)
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    assert lockout_fault(netlogon_only(), rules(), None)

    right = Permission.objects.get(codename="change_authenticationsettings")
    user.user_permissions.add(right)

    assert lockout_fault(netlogon_only(), rules(), None) == ""


def test_an_account_at_the_provider_has_to_be_connected(administrator: PbxUser) -> None:
    new = rules(authentication_type="oauth2_only", **OAUTH2)
    logged_in(administrator, new, Method.OAUTH2)
    assert "is not connected" in lockout_fault(rules(), new, administrator)

    connected(administrator)

    assert lockout_fault(rules(), new, administrator) == ""


def test_a_domain_must_not_take_every_administrators_name(
    administrator: PbxUser,
) -> None:
    PbxUser.objects.filter(pk=administrator.pk).update(
        name="admin@example.com", name_key="admin@example.com"
    )

    refused = lockout_by(rules(), rules(pbx_domain="example.com"), administrator)

    assert refused
    assert refused.field == "pbx_domain"
    assert "takes “admin@example.com” for the user “admin”" in refused.text
    assert lockout_by(rules(), rules(pbx_domain="other.example"), administrator) is None


@pytest.fixture
def pbx_and_oauth2(configure: SettingsSetter) -> AuthenticationSettings:
    return configure(authentication_type="pbx_and_oauth2", **OAUTH2)


@pytest.mark.parametrize("has_logged_in", [True, False])
def test_an_account_stays_where_its_administrator_has_no_pbx_password(
    pbx_and_oauth2: AuthenticationSettings, administrator: PbxUser, has_logged_in: bool
) -> None:
    own = connected(administrator)
    without_password(administrator)
    if has_logged_in:
        logged_in(administrator, pbx_and_oauth2, Method.OAUTH2)

    assert needs_identity(own)


def test_an_account_may_go_where_its_administrator_has_a_pbx_password(
    pbx_and_oauth2: AuthenticationSettings, administrator: PbxUser
) -> None:
    own = connected(administrator)
    logged_in(administrator, pbx_and_oauth2, Method.OAUTH2)

    assert not needs_identity(own)
    assert not needs_password(administrator)


@pytest.mark.usefixtures("pbx_and_oauth2")
def test_a_pbx_password_stays_where_the_account_is_gone(administrator: PbxUser) -> None:
    assert needs_password(administrator)


@pytest.mark.parametrize("method", [Method.PASSWORD, Method.OAUTH2])
def test_an_account_may_go_where_another_administrator_can_log_in(
    pbx_and_oauth2: AuthenticationSettings, administrator: PbxUser, method: Method
) -> None:
    own = connected(administrator)
    without_password(administrator)
    logged_in(administrator, pbx_and_oauth2, Method.OAUTH2)
    other = PbxUser.objects.create_superuser("other", "a password of theirs")
    if method is Method.OAUTH2:
        without_password(other)
        connected(other, "2")
        assert needs_identity(own)
        logged_in(other, pbx_and_oauth2, Method.OAUTH2)

    assert not needs_identity(own)


def test_an_account_stays_where_the_other_administrator_has_no_address(
    two_factor: AuthenticationSettings,
    configure: SettingsSetter,
    administrator: PbxUser,
) -> None:
    now = configure(authentication_type="pbx_and_oauth2", **OAUTH2)
    own = connected(administrator)
    without_password(administrator)
    logged_in(administrator, now, Method.OAUTH2)
    PbxUser.objects.create_superuser("other", "a password of theirs")

    assert now.two_factor
    assert needs_identity(own)


def test_an_account_of_a_plain_user_may_always_go(
    pbx_and_oauth2: AuthenticationSettings, user: PbxUser
) -> None:
    assert not needs_identity(connected(user))


@pytest.fixture
def netlogon_and_oauth2(monkeypatch: pytest.MonkeyPatch) -> AuthenticationSettings:
    """Rules of a type that the original does not have."""
    row = {
        Kind.MYAPPS: (Method.NETLOGON, Method.OAUTH2),
        Kind.MYPBX: (Method.NETLOGON,),
    }
    monkeypatch.setitem(policy.TABLE, AuthenticationType.OAUTH2_ONLY, row)
    return rules(authentication_type="oauth2_only", **NETLOGON, **OAUTH2)


def test_each_method_has_its_own_reason(
    netlogon_and_oauth2: AuthenticationSettings, administrator: PbxUser
) -> None:
    new = netlogon_and_oauth2

    neither = lockout_fault(rules(), new, administrator)
    assert "logged in with “Windows password”" in neither
    assert "logged in with “OAuth2”" in neither
    logged_in(administrator, new, Method.OAUTH2)

    fault = lockout_fault(rules(), new, administrator)
    assert "logged in with “Windows password”" in fault
    assert "logged in with “OAuth2”" not in fault
    assert "Your account at the provider is not connected" in fault
    connected(administrator)
    assert lockout_fault(rules(), new, administrator) == ""


def test_any_method_of_the_type_is_proof(
    netlogon_and_oauth2: AuthenticationSettings, administrator: PbxUser
) -> None:
    logged_in(administrator, netlogon_and_oauth2, Method.NETLOGON)

    assert lockout_fault(rules(), netlogon_and_oauth2, administrator) == ""
