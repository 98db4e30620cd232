"""Anna, of whom every table holds something, in words that nobody else has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import Token
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event, Origin
from authconfig.oauth2.models import ProviderIdentity
from authconfig.sync.models import (
    ScimRequest,
    ScimUser,
    SyncedUser,
    SyncItem,
    SyncRun,
)
from authconfig.users import audit
from authconfig.users.models import KeptPassword, PbxUser, SettingChange
from pbxsite.administration.alarms.models import Alarm, Call
from pbxsite.gateway.myapps.models import BrowserLogin, ClientSession
from pbxsite.gateway.openid.models import Grant, GrantedToken, Subject, Visit
from pbxsite.people.held import every_table
from verification.approval.models import LoginMail, LoginSession
from verification.login.models import RescueLink
from verification.mail.models import (
    AccountTrial,
    AccountTrialStep,
    OutgoingEmail,
    SendingPause,
)
from verification.password_links.models import (
    ForgottenRequest,
    InvitationRun,
    LinkMail,
    PasswordLink,
    Uninvited,
)
from verification.sessions.models import (
    FactorBinding,
    FactorMail,
    FailureCount,
    KnownAddress,
    ProviderLogin,
)
from verification.voicemail import recordings
from verification.voicemail.models import KeptRecording, Voicemail

NAME, LONG_NAME, EMAIL = "anna.xyzzy", "Anna Xyzzy", "a.xyzzy@example.com"
EARLIER = "xyzzy-before"
ADDRESS, BROWSER = "192.0.2.77", "Xyzzy/1.0"
HERE = Origin(ADDRESS, BROWSER)
ADMINISTRATORS = Origin("198.51.100.5", "Firefox")
NOW = timezone.now()
# What names Anna, in small letters.
MARKS = ("xyzzy", ADDRESS)


def everything_kept() -> str:
    """Return all text that the database holds, the contents of sessions included."""
    told = []
    for table in every_table():
        for row in table._default_manager.all():
            values = [getattr(row, f.attname) for f in table._meta.concrete_fields]
            told += [f"{table._meta.label}: {value}" for value in values]
            if isinstance(row, Session):
                told.append(f"session: {row.get_decoded()}")
    return "\n".join(told)


def what_names_her() -> list[str]:
    lines = everything_kept().splitlines()
    return [line for line in lines if any(m in line.casefold() for m in MARKS)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, settings: Settings) -> Path:
    options = settings.STORAGES["recordings"]["OPTIONS"] | {"location": str(tmp_path)}
    changed = settings.STORAGES["recordings"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"recordings": changed}
    return tmp_path


@pytest.fixture
def anna(administrator: PbxUser) -> PbxUser:
    anna = PbxUser.objects.create_user(
        NAME, "correct horse battery", long_name=LONG_NAME, email=EMAIL, number="77"
    )
    anna.groups.add(Group.objects.get_or_create(name="Operators")[0])
    anna.user_permissions.add(Permission.objects.all()[0])
    _sign_in(anna)
    _log_in(anna)
    _be_called(anna)
    _act(anna)
    _be_told_of(anna, administrator)
    return anna


def _sign_in(anna: PbxUser) -> None:
    Session.objects.create(session_key="xyzzy" * 6, expire_date=NOW + timedelta(days=1))
    session = UserSession.objects.create(
        user=anna,
        ip=ADDRESS,
        user_agent=BROWSER,
        session_key="xyzzy" * 6,
        data={"kind": "myapps"},
    )
    ClientSession.objects.create(
        session=session, public_id="0" * 32, password="p", auth_hash="x"
    )
    BrowserLogin.objects.create(
        user=anna, user_agent=BROWSER, address=ADDRESS, expires_at=NOW, subject="xyzzy"
    )
    KeptPassword.objects.create(user=anna, password="p", bound_to="x")
    ProviderLogin.objects.create(
        session=session, issuer="https://i", subject="xyzzy", next_check_at=NOW
    )
    SyncedUser.objects.create(user=anna, identity="xyzzy")
    ScimUser.objects.create(
        user=anna, user_name=NAME, user_key=NAME, resource={"displayName": LONG_NAME}
    )
    ScimUser.objects.create(user_name=NAME, user_key="another", deleted_at=NOW)
    ScimRequest.objects.create(path=f"/Users?filter={NAME}", status=200)
    run = SyncRun.objects.create(trigger="page", actor=anna)
    SyncItem.objects.create(run=run, change="added", name=NAME, identity="xyzzy")
    SyncItem.objects.create(run=run, change="renamed", name="x", identity="xyzzy")
    client = RegisteredClient.objects.create(name="Wiki", owner=None)
    Subject.objects.create(user=anna)
    grant = Grant.objects.create(
        session=session, user=anna, client=client, code_hash="c", authenticated_at=NOW
    )
    GrantedToken.objects.create(grant=grant, hash="h")
    Token.objects.create(user=anna, client=client, type="at", hash="h", data={})
    subject = anna.openid_subject.value
    Visit.objects.create(session=session, client=client, subject=subject)
    ProviderIdentity.objects.create(user=anna, issuer="https://i", subject="xyzzy")


def _log_in(anna: PbxUser) -> None:
    factor = Authenticator.objects.create(user=anna, type="totp", data={"secret": "s"})
    FactorBinding.objects.create(factor=factor)
    login = LoginSession.objects.create(
        user=anna,
        kind="myapps",
        method="pbx",
        address=ADDRESS,
        user_agent=BROWSER,
        factor=factor,
        auth_hash="x",
        expires_at=NOW + timedelta(minutes=10),
    )
    LoginMail.objects.create(mail=_mail(anna, "approval"), login=login, link_number=1)
    FactorMail.objects.create(
        mail=_mail(anna, "factor"), change="added", address=ADDRESS, user_agent=BROWSER
    )
    RescueLink.objects.create(user=anna)
    KnownAddress.objects.create(user=anna, kind="myapps", address=ADDRESS)
    FailureCount.objects.create(user=anna, guessed="password", source="elsewhere")
    ForgottenRequest.objects.create(user=anna)
    run = InvitationRun.objects.create()
    Uninvited.objects.create(run=run, user=anna, obstacle="inactive")
    link = PasswordLink.objects.create(
        user=anna, purpose="forgotten", address=EMAIL, auth_hash="x", expires_at=NOW
    )
    LinkMail.objects.create(mail=_mail(anna, "forgotten"), link=link)


def _mail(anna: PbxUser | None, kind: str, **facts: Any) -> OutgoingEmail:
    return OutgoingEmail.objects.create(
        kind=kind,
        user=anna,
        recipient=EMAIL,
        expires_at=NOW + timedelta(days=1),
        words=f"550 <{EMAIL}>: nobody",
        **facts,
    )


def _be_called(anna: PbxUser) -> None:
    file = recordings.keep(ContentFile(b"sound"), ".wav")
    kept = KeptRecording.objects.create(
        user=anna,
        content_type="audio/x-wav",
        file=recordings.keep(ContentFile(b"sealed"), ".kept"),
        size=6,
        key="key",
        kept_until=NOW + timedelta(days=14),
    )
    Voicemail.objects.create(
        mail=_mail(anna, "voicemail"),
        content_type="audio/x-wav",
        recording=file,
        request_digest="d",
        oversized_at=NOW,
        kept=kept,
    )


def _act(anna: PbxUser) -> None:
    """Let her have been an administrator, too."""
    InvitationRun.objects.create(actor=anna, address=ADDRESS, user_agent=BROWSER)
    SendingPause.objects.create(actor=anna)
    SettingChange.objects.create(field="smtp_server", after="mx", actor_name=NAME)
    SettingChange.objects.create(field="smtp_server", before="mx", actor_name=EARLIER)
    SettingChange.objects.create(field="smtp_email_address", before=EMAIL)
    trial = AccountTrial.objects.create(
        requested_by=anna,
        recipient=EMAIL,
        server="mx",
        port=25,
        security="none",
        email_address="pbx@example.com",
        fingerprint="f",
    )
    AccountTrialStep.objects.create(
        test=trial, stage="rcpt_to", state="failed", words=f"550 {EMAIL}"
    )
    LogEntry.objects.log_actions(anna.pk, [Group.objects.all()[0]], CHANGE, "")
    audit.record(Event.SETTING_CHANGED, user=None, actor=anna, origin=HERE, detail="x")


def _be_told_of(anna: PbxUser, administrator: PbxUser) -> None:
    audit.record(Event.LOGIN, user=anna, origin=HERE, kind="myapps", detail="email")
    audit.record(Event.LOGIN, user=anna, user_name=EARLIER, origin=HERE)
    audit.record(
        Event.USER_CHANGED,
        user=anna,
        actor=administrator,
        origin=ADMINISTRATORS,
        detail=f"name: {EARLIER} → {NAME}",
    )
    audit.record(
        Event.NETLOGON_TESTED,
        user=administrator,
        actor=administrator,
        origin=ADMINISTRATORS,
        detail=f"{NAME}: rejected",
    )
    audit.record(
        Event.AUDIT_EXPORTED,
        user=None,
        actor=administrator,
        origin=ADMINISTRATORS,
        detail=f"q={NAME}&event__exact=login",
    )
    audit.record(
        Event.SETTING_CHANGED,
        user=None,
        actor=administrator,
        origin=ADMINISTRATORS,
        detail=f"smtp_email_address: “” → “{EMAIL}”",
    )
    LogEntry.objects.log_actions(administrator.pk, [anna], CHANGE, "")
    _mail(None, "alarm", state="queued")
    alarm = Alarm.objects.create(kind="smtp", sentence=f"550 <{EMAIL}>")
    Call.objects.create(alarm=alarm, body=f'{{"sentence": "550 <{EMAIL}>"}}')


@pytest.fixture
def files(anna: PbxUser, place: Path) -> list[Path]:
    return sorted(place.iterdir())
