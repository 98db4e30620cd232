from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import IntegrityError, connection
from django.db.models import CheckConstraint, UniqueConstraint
from django.utils import timezone

from authconfig.choices import AuthenticationType, Method
from authconfig.clients.models import ClientApplication
from authconfig.dependencies import DependencyState
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import uses
from authconfig.sync.choices import Change, Reason, RunState, Trigger
from authconfig.sync.models import (
    ScimKey,
    ScimUser,
    SyncedUser,
    SyncFieldStop,
    SyncItem,
    SyncPlace,
    SyncRun,
)
from authconfig.users.models import KeptPassword, PbxUser, SettingChange
from pbxsite.administration.alarms.choices import AlarmState, News
from pbxsite.administration.alarms.models import Alarm, AlarmMail
from pbxsite.administration.findings import AlarmKind
from pbxsite.metrics.models import Tally, TallyMark
from tests.support.settings_data import NETLOGON, OAUTH2
from verification.approval.choices import LoginState
from verification.approval.mails import APPROVAL
from verification.approval.models import LoginMail, LoginSession
from verification.mail.choices import MailState, SmtpStage
from verification.mail.models import (
    AccountTrial,
    AccountTrialStep,
    Heartbeat,
    OutgoingEmail,
    SendingPause,
)
from verification.mail.oauth2.models import KeptToken
from verification.password_links.choices import Purpose
from verification.password_links.models import (
    InvitationRun,
    PasswordLink,
    Uninvited,
)
from verification.sessions.choices import Guessed, Source
from verification.sessions.models import (
    FactorBinding,
    FactorMail,
    FailureCount,
    KnownAddress,
    ProviderLogin,
)
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import KeptRecording, Voicemail, VoicemailKey

pytestmark = pytest.mark.database

NOW = timezone.now()
OURS = ("authconfig.", "verification.", "pbxsite.metrics.", "pbxsite.administration.")


@dataclass(frozen=True)
class Rows:
    """One valid row of each table, and a second user."""

    user: PbxUser
    administrator: PbxUser
    login: LoginSession
    mail: OutgoingEmail
    trial: AccountTrial


@pytest.fixture
def rows(held: LoginSession, mail: OutgoingEmail, administrator: PbxUser) -> Rows:
    trial = AccountTrial.objects.create(
        recipient="a@b.example",
        server="localhost",
        port=25,
        security="none",
        email_address="pbx@example.com",
        password="secret",
        fingerprint="0" * 64,
    )
    AccountTrialStep.objects.create(test=trial, stage=SmtpStage.CONNECT, state="done")
    return Rows(held.user, administrator, held, mail, trial)


def settings(**values: object) -> Callable[[Rows], object]:
    return lambda _rows: AuthenticationSettings.objects.update(**values)


def login(**values: object) -> Callable[[Rows], object]:
    return lambda _rows: LoginSession.objects.update(**values)


def mail(**values: object) -> Callable[[Rows], object]:
    return lambda _rows: OutgoingEmail.objects.update(**values)


def account_trial(**values: object) -> Callable[[Rows], object]:
    return lambda _rows: AccountTrial.objects.update(**values)


def second_login(rows: Rows) -> None:
    LoginSession.objects.create(user=rows.user, expires_at=NOW + timedelta(minutes=9))


def another_mail(rows: Rows, kind: str = APPROVAL.name) -> OutgoingEmail:
    return OutgoingEmail.objects.create(
        kind=kind,
        user=rows.user,
        recipient="anna@example.com",
        expires_at=NOW + timedelta(minutes=9),
    )


def second_mail(rows: Rows) -> None:
    LoginMail.objects.create(mail=another_mail(rows), login=rows.login, link_number=1)


def second_step(rows: Rows) -> None:
    for _ in range(2):
        AccountTrialStep.objects.create(test=rows.trial, stage="tls", state="started")


def identity(**values: object) -> Callable[[Rows], object]:
    """Bind a second account beside the first, which is subject 1 of issuer "i"."""

    def break_it(rows: Rows) -> None:
        facts = {"user": rows.administrator, "issuer": "i", "subject": "2"} | values
        ProviderIdentity.objects.create(user=rows.user, issuer="i", subject="1")
        user = {"user": rows.user} if facts.pop("same_user", False) else {}
        ProviderIdentity.objects.create(**(facts | user))

    return break_it


def client(**values: object) -> Callable[[Rows], object]:
    facts = {"name": "Chat", "slug": "chat"} | values
    return lambda _rows: ClientApplication.objects.create(**facts)


def second_voicemail(rows: Rows) -> None:
    for _number in range(2):
        mail = another_mail(rows, VOICEMAIL.name)
        Voicemail.objects.create(mail=mail, idempotency_key="one")


def oversized(rows: Rows) -> None:
    mail = another_mail(rows, VOICEMAIL.name)
    Voicemail.objects.create(mail=mail, smaller="a.ogg")


def keyless(rows: Rows) -> None:
    KeptRecording.objects.create(user=rows.user, file="a", size=1, kept_until=NOW)


def binding(**values: object) -> Callable[[Rows], object]:
    def break_it(rows: Rows) -> None:
        factor = Authenticator.objects.create(user=rows.user, type="totp", data={})
        FactorBinding.objects.create(factor=factor, **values)

    return break_it


def factor_mail(rows: Rows) -> None:
    FactorMail.objects.create(mail=another_mail(rows), change="painted")


def second_tally(_rows: Rows) -> None:
    for _number in range(2):
        Tally.objects.create(series="mails", labels="a")


def dependency(kind: str, count: int) -> None:
    for _number in range(count):
        DependencyState.objects.create(kind=kind, name="a.example:25", is_up=True)


def known_address(count: int, **values: object) -> Callable[[Rows], object]:
    facts = {"kind": "myapps", "address": "192.0.2.7"} | values

    def break_it(rows: Rows) -> None:
        for _number in range(count):
            KnownAddress.objects.create(user=rows.user, **facts)

    return break_it


def failures(count: int, **values: object) -> Callable[[Rows], object]:
    facts = {"guessed": Guessed.PASSWORD, "source": Source.ELSEWHERE} | values

    def break_it(rows: Rows) -> None:
        for _number in range(count):
            FailureCount.objects.create(user=rows.user, **facts)

    return break_it


def password_link(count: int = 1, **values: object) -> Callable[[Rows], object]:
    facts = {"purpose": Purpose.FORGOTTEN} | values

    def break_it(rows: Rows) -> None:
        for _number in range(count):
            PasswordLink.objects.create(user=rows.user, **facts)

    return break_it


def alarm(**values: object) -> Callable[[Rows], object]:
    facts = {"kind": AlarmKind.SMTP, "sentence": "x", "link": "/"} | values
    return lambda _rows: Alarm.objects.create(**facts)


def second_alarm(rows: Rows) -> None:
    alarm()(rows)
    alarm()(rows)


def alarm_mail(news: News, *, has_alarm: bool) -> Callable[[Rows], object]:
    def break_it(rows: Rows) -> None:
        about = alarm()(rows) if has_alarm else None
        AlarmMail.objects.create(mail=rows.mail, news=news, alarm=about)

    return break_it


def synced(**values: object) -> Callable[[Rows], object]:
    facts = {"identity": "1"} | values
    return lambda rows: SyncedUser.objects.create(user=rows.user, **facts)


def two_of_one_entry(rows: Rows) -> None:
    synced()(rows)
    other = PbxUser.objects.create_user("other")
    SyncedUser.objects.create(user=other, identity="1")


def scim_user(key: str, **values: object) -> Callable[[Rows], object]:
    return lambda _rows: ScimUser.objects.create(user_key=key, **values)


def two_scim_users(**values: object) -> Callable[[Rows], object]:
    def break_it(_rows: Rows) -> None:
        for number in range(2):
            ScimUser.objects.create(**({"user_key": f"user{number}"} | values))

    return break_it


def provider_login(**values: object) -> Callable[[Rows], object]:
    facts = {"issuer": "https://provider.example", "subject": "1"} | values
    return lambda _rows: ProviderLogin.objects.create(**facts)


def sync_run(count: int = 1, **values: object) -> Callable[[Rows], object]:
    facts = {"trigger": Trigger.PAGE} | values

    def break_it(_rows: Rows) -> None:
        for _number in range(count):
            SyncRun.objects.create(**facts)

    return break_it


def sync_item(**values: object) -> Callable[[Rows], object]:
    facts = {"change": Change.ADDED, "name": "x", "identity": "1"} | values

    def break_it(_rows: Rows) -> None:
        run = SyncRun.objects.create(trigger=Trigger.PAGE)
        SyncItem.objects.create(run=run, **facts)

    return break_it


def field_stop(count: int = 1, **values: object) -> Callable[[Rows], object]:
    facts = {"field": "email", "kept": 1, "had": 1, "is_emptied": True} | values

    def break_it(_rows: Rows) -> None:
        run = SyncRun.objects.create(trigger=Trigger.PAGE)
        for _number in range(count):
            SyncFieldStop.objects.create(run=run, **facts)

    return break_it


def uninvited(rows: Rows) -> None:
    run = InvitationRun.objects.create()
    Uninvited.objects.create(run=run, user=rows.user, obstacle="laziness")


def shown_secret(**values: str) -> Callable[[Rows], object]:
    field = "smtp_password"
    return lambda _rows: SettingChange.objects.create(
        field=field, is_secret=True, **values
    )


def kept_password(**values: str) -> Callable[[Rows], object]:
    whole = {"password": "secret", "bound_to": "hash"} | values
    return lambda rows: KeptPassword.objects.create(user=rows.user, **whole)


# How each is broken, once in every way that its condition names.
BREAKS: list[tuple[str, Callable[[Rows], object]]] = [
    ("user_has_a_name", lambda _rows: PbxUser.objects.update(name_key="")),
    ("number_belongs_to_one_user", lambda _rows: PbxUser.objects.update(number="17")),
    ("secret_setting_shows_no_value", shown_secret(before="secret")),
    ("secret_setting_shows_no_value", shown_secret(after="secret")),
    ("settings_are_one_row", lambda _rows: AuthenticationSettings(pk=2).save()),
    ("authentication_type_is_known", settings(authentication_type="anybody")),
    ("password_min_length_from_8_to_64", settings(password_min_length=7)),
    ("password_min_length_from_8_to_64", settings(password_min_length=65)),
    (
        "forgotten_password_minutes_from_5_to_1440",
        settings(forgotten_password_minutes=4),
    ),
    (
        "forgotten_password_minutes_from_5_to_1440",
        settings(forgotten_password_minutes=1441),
    ),
    ("invitation_hours_from_1_to_720", settings(invitation_hours=0)),
    ("invitation_hours_from_1_to_720", settings(invitation_hours=721)),
    ("two_factor_needs_mail_and_link", settings(smtp_server="")),
    ("two_factor_needs_mail_and_link", settings(verification_link="")),
    (
        "factor_requirement_needs_two_factor",
        settings(factor_required=True, two_factor=False),
    ),
    ("smtp_security_is_known", settings(smtp_security="a little")),
    (
        "directory_sync_minutes_from_5_to_1440",
        settings(directory_sync_minutes=4),
    ),
    (
        "directory_sync_most_removals_percent_from_0_to_100",
        settings(directory_sync_most_removals_percent=101),
    ),
    ("oauth2_session_hours_from_1_to_2160", settings(oauth2_session_hours=0)),
    ("oauth2_session_hours_from_1_to_2160", settings(oauth2_session_hours=2161)),
    (
        "scim_most_removals_percent_from_0_to_100",
        settings(scim_most_removals_percent=101),
    ),
    ("smtp_connections_from_1_to_20", settings(smtp_connections=0)),
    ("smtp_connections_from_1_to_20", settings(smtp_connections=21)),
    (
        "smtp_mails_per_connection_from_1_to_1000",
        settings(smtp_mails_per_connection=0),
    ),
    (
        "smtp_mails_per_connection_from_1_to_1000",
        settings(smtp_mails_per_connection=1001),
    ),
    ("voicemail_oversized_is_known", settings(voicemail_oversized="a disc")),
    ("smtp_login_is_known", settings(smtp_login="a handshake")),
    ("smtp_oauth2_grant_is_known", settings(smtp_oauth2_grant="implicit")),
    ("smtp_oauth2_client_auth_is_known", settings(smtp_oauth2_client_auth="get")),
    ("smtp_oauth2_algorithm_is_known", settings(smtp_oauth2_algorithm="none")),
    (
        "smtp_oauth2_login_has_endpoint_and_mailbox",
        settings(smtp_login="gmail", smtp_username="pbx@example.com"),
    ),
    (
        "smtp_oauth2_login_has_endpoint_and_mailbox",
        settings(smtp_login="gmail", smtp_oauth2_token_url="https://idp.example/"),
    ),
    (
        "smtp_oauth2_login_is_encrypted",
        settings(
            smtp_login="gmail",
            smtp_oauth2_token_url="https://idp.example/",
            smtp_username="pbx@example.com",
            smtp_security="none",
        ),
    ),
    ("netlogon_security_is_known", settings(netlogon_security="a little")),
    (
        "oauth2_in_use_has_a_provider",
        settings(authentication_type=AuthenticationType.OAUTH2_ONLY),
    ),
    (
        "oauth2_in_use_has_a_provider",
        settings(
            authentication_type=AuthenticationType.PBX_AND_OAUTH2,
            oauth2_provider_name="Windows",
            oauth2_well_known_url="https://idp.example/",
        ),
    ),
    (
        "netlogon_in_use_has_a_domain",
        settings(authentication_type=AuthenticationType.NETLOGON_ONLY),
    ),
    (
        "netlogon_in_use_has_a_domain",
        settings(authentication_type=AuthenticationType.PBX_AND_NETLOGON),
    ),
    ("kept_password_is_there_and_bound", kept_password(password="")),
    ("kept_password_is_there_and_bound", kept_password(bound_to="")),
    (
        "alarm_webhook_has_a_secret",
        settings(alarm_webhook_url="https://alarms.example/"),
    ),
    ("alarm_kind_is_known", alarm(kind="weather")),
    ("alarm_state_is_known", alarm(state="perhaps")),
    ("alarm_over_has_its_time", alarm(state=AlarmState.OVER)),
    ("alarm_over_has_its_time", alarm(over_at=NOW)),
    ("alarm_is_open_once", second_alarm),
    (
        "alarm_mail_is_a_test_or_has_an_alarm",
        alarm_mail(News.TEST, has_alarm=True),
    ),
    (
        "alarm_mail_is_a_test_or_has_an_alarm",
        alarm_mail(News.OVER, has_alarm=False),
    ),
    ("one_user_for_an_account", identity(subject="1")),
    ("one_account_of_an_issuer_for_a_user", identity(same_user=True)),
    ("client_has_a_name_and_a_short_name", client(name="")),
    ("client_has_a_name_and_a_short_name", client(slug="")),
    ("client_kind_is_known", client(kind="yourApps")),
    ("client_called_as_a_kind_is_of_it", client(slug="myapps", kind="mypbx")),
    ("client_called_as_a_kind_is_of_it", client(slug="mypbx", kind="myapps")),
    ("client_icon_is_known", client(icon="cat")),
    ("client_asks_in_a_known_way", client(asks_by="saml")),
    ("client_starts_at_a_web_address", client(start_url="javascript:alert(1)")),
    ("login_state_is_known", login(state="perhaps", decided_at=NOW)),
    ("login_decided_unless_pending", login(decided_at=NOW)),
    ("login_decided_unless_pending", login(state=LoginState.ACCEPTED)),
    (
        "login_rejected_has_an_ending",
        login(state=LoginState.REJECTED, decided_at=NOW),
    ),
    (
        "login_rejected_has_an_ending",
        login(state=LoginState.ACCEPTED, decided_at=NOW, ending="rejected"),
    ),
    ("login_tries_at_most_three_codes", login(code_tries=4)),
    ("user_has_one_pending_login", second_login),
    ("mail_state_is_known", mail(state="lost", ended_at=NOW)),
    ("mail_priority_is_known", mail(priority=2)),
    ("mail_being_sent_has_a_lease", mail(state=MailState.SENDING)),
    ("mail_has_ended_when_its_state_says_so", mail(state=MailState.SENT)),
    ("mail_has_ended_when_its_state_says_so", mail(ended_at=NOW)),
    ("login_has_one_mail_for_each_link", second_mail),
    ("factor_counts_by_a_known_approver", binding(approved_at=NOW)),
    ("factor_counts_by_a_known_approver", binding(approver="email")),
    ("factor_counts_by_a_known_approver", binding(approver="cat", approved_at=NOW)),
    ("factor_mail_tells_of_a_known_change", factor_mail),
    ("idempotency_key_names_one_voicemail", second_voicemail),
    ("only_oversized_voicemails_have_another_form", oversized),
    ("kept_recording_has_a_key", keyless),
    ("known_address_kind_is_known", known_address(1, kind="yourApps")),
    ("known_address_is_one_row", known_address(2)),
    ("failure_count_is_of_a_guess", failures(1, guessed="passkey")),
    ("failure_count_has_a_source", failures(1, source="nowhere")),
    ("failure_count_is_one_row", failures(2)),
    ("voicemail_key_is_one_row", lambda _rows: VoicemailKey(pk=2).save()),
    ("test_state_is_known", account_trial(state="perhaps")),
    ("ended_test_keeps_no_password", account_trial(ended_at=NOW)),
    (
        "ended_test_keeps_no_oauth2_secret",
        account_trial(ended_at=NOW, password="", oauth2="{}"),
    ),
    (
        "kept_token_has_its_times",
        lambda _rows: KeptToken.objects.create(key="k", access_token="token"),
    ),
    (
        "failed_renewal_has_a_time_and_a_cause",
        lambda _rows: KeptToken.objects.create(key="k", fault="CLIENT"),
    ),
    ("test_runs_a_stage_once_at_a_time", second_step),
    ("sending_is_paused_once", lambda _rows: SendingPause.objects.create(id=2)),
    (
        "heartbeat_is_of_a_known_part",
        lambda _rows: Heartbeat.objects.create(name="x", kind="robot"),
    ),
    ("tallies_have_one_mark", lambda _rows: TallyMark.objects.create(id=2, until=NOW)),
    ("tally_is_kept_once", second_tally),
    ("dependency_is_known", lambda _rows: dependency("weather", 1)),
    ("password_link_has_a_purpose", password_link(purpose="curiosity")),
    ("password_link_over_has_an_ending", password_link(over_at=NOW)),
    ("password_link_over_has_an_ending", password_link(ending="used")),
    ("password_link_over_has_an_ending", password_link(over_at=NOW, ending="lost")),
    ("password_link_that_expires_is_bound", password_link(expires_at=NOW)),
    (
        "password_link_that_expires_is_bound",
        password_link(expires_at=NOW, address="anna@example.com"),
    ),
    ("user_has_one_open_link_of_a_purpose", password_link(count=2)),
    ("uninvited_for_a_known_reason", uninvited),
    ("synced_source_is_known", synced(source="rumour")),
    ("synced_user_has_an_identity", synced(identity="")),
    ("entry_is_one_user", two_of_one_entry),
    ("scim_user_has_a_name", scim_user("")),
    ("scim_user_reason_is_known", scim_user("anna", reason="whim")),
    ("external_id_is_one_scim_user", two_scim_users(external_id="1")),
    ("user_name_is_one_scim_user", two_scim_users(user_key="anna")),
    ("scim_key_is_one_row", lambda _rows: ScimKey(pk=2).save()),
    ("provider_login_is_of_an_account", provider_login(issuer="")),
    ("provider_login_is_of_an_account", provider_login(subject="")),
    ("provider_login_of_a_session_is_checked", provider_login(next_check_at=NOW)),
    ("sync_run_state_is_known", sync_run(state="lost")),
    ("sync_run_trigger_is_known", sync_run(trigger="chance")),
    ("sync_run_over_has_ended", sync_run(state=RunState.DONE)),
    ("sync_run_over_has_ended", sync_run(ended_at=NOW)),
    ("sync_run_that_runs_has_a_lease", sync_run(state=RunState.RUNNING)),
    ("sync_run_that_runs_has_a_lease", sync_run(lease_until=NOW)),
    (
        "one_sync_run_at_a_time",
        sync_run(2, state=RunState.RUNNING, lease_until=NOW),
    ),
    ("sync_item_change_is_known", sync_item(change="guessed")),
    ("sync_item_refused_for_a_reason", sync_item(change=Change.REFUSED)),
    ("sync_item_refused_for_a_reason", sync_item(reason=Reason.NO_NAME)),
    ("a_run_stops_a_field_once", field_stop(2)),
    ("a_stopped_field_is_kept_by_somebody", field_stop(kept=0)),
    (
        "sync_place_source_is_known",
        lambda _rows: SyncPlace.objects.create(source="rumour"),
    ),
    ("dependency_has_one_state", lambda _rows: dependency("smtp", 2)),
]


def own_constraints() -> dict[str, str]:
    """Return each constraint with what the database calls it."""
    named = {}
    for model in apps.get_models():
        if model.__module__.startswith(OURS):
            for constraint in model._meta.constraints:
                assert isinstance(constraint, CheckConstraint | UniqueConstraint)
                named[constraint.name] = _words(model._meta.db_table, constraint)
    return named


def _words(table: str, constraint: CheckConstraint | UniqueConstraint) -> str:
    """SQLite names the columns of what has to be unique, not the constraint."""
    if connection.vendor == "sqlite" and isinstance(constraint, UniqueConstraint):
        return rf"{table}\.{constraint.fields[0]}"
    return rf"\b{constraint.name}\b"


@pytest.mark.parametrize(("name", "break_it"), BREAKS)
def test_the_database_keeps_each_constraint(
    rows: Rows, name: str, break_it: Callable[[Rows], object]
) -> None:
    with pytest.raises(IntegrityError, match=own_constraints()[name]):
        break_it(rows)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "all_but_its_own"),
    [(Method.NETLOGON, OAUTH2), (Method.OAUTH2, NETLOGON)],
)
@pytest.mark.parametrize("option", AuthenticationType)
def test_a_type_needs_the_settings_of_each_method_that_it_uses(
    option: AuthenticationType, method: Method, all_but_its_own: dict[str, str]
) -> None:
    new = AuthenticationSettings(pk=1, authentication_type=option, **all_but_its_own)
    refused = pytest.raises(IntegrityError, match=f"{method}_in_use_has_a")
    expected = refused if uses(new, method) else nullcontext()

    with expected:
        new.save()


def test_every_constraint_is_tried() -> None:
    assert {name for name, _break in BREAKS} == set(own_constraints())
