"""From the token to the mailbox: Dovecot's submission server before Postfix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from authconfig.choices import StepState
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.mail_provider import (
    MAILBOX,
    OWNER_PASSWORD,
    SECRET,
    SERVICE_ACCOUNT,
    MailProvider,
    private_pem,
)
from tests.support.scripted_tokens import TokenEndpoint, refusal, token
from tests.support.submission import Submission
from tests.verification.mail.oauth2.test_grants import authorize
from verification.mail import sending
from verification.mail.account import account_of
from verification.mail.account_trial import run_trial
from verification.mail.choices import MailState, SmtpStage, TrialState
from verification.mail.models import AccountTrial, OutgoingEmail
from verification.mail.oauth2.authorization import keep_authorization
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.settings import configuration_of
from verification.mail.smtp import client
from verification.sessions.passwords import PASSWORD_NOTICE

pytestmark = pytest.mark.django_db
MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
BY_SECRET = {"smtp_oauth2_client_id": "mail-post", "smtp_oauth2_client_secret": SECRET}
BY_KEY = {
    "smtp_login": "private_key_jwt",
    "smtp_oauth2_client_id": "mail-key",
    "smtp_oauth2_key_id": "key-1",
}
# Each mode with its own grant, and the free ones with those that only they have.
MODES: dict[str, dict[str, str]] = {
    "exchange": BY_SECRET | {"smtp_login": "exchange"},
    "microsoft_365": BY_SECRET
    | {
        "smtp_login": "microsoft_365",
        "smtp_oauth2_resource_owner": MAILBOX,
        "smtp_oauth2_resource_owner_password": OWNER_PASSWORD,
    },
    "microsoft_365_application": BY_SECRET
    | {"smtp_login": "microsoft_365_application"},
    "gmail": BY_SECRET | {"smtp_login": "gmail"},
    "google_service_account": {
        "smtp_login": "google_service_account",
        "smtp_oauth2_issuer": SERVICE_ACCOUNT,
        "smtp_oauth2_key_id": "key-1",
        "smtp_oauth2_subject": MAILBOX,
    },
    "client_secret, post": BY_SECRET
    | {"smtp_login": "client_secret", "smtp_oauth2_client_auth": "post"},
    "client_secret, basic": BY_SECRET
    | {
        "smtp_login": "client_secret",
        "smtp_oauth2_client_id": "mail-basic",
        "smtp_oauth2_client_auth": "basic",
    },
    "private_key_jwt": BY_KEY | {"smtp_oauth2_grant": "client_credentials"},
    "jwt_bearer": BY_KEY | {"smtp_oauth2_grant": "jwt_bearer"},
}


def settings_at(
    provider: MailProvider, submission: Submission, mode: str = "client_secret, post"
) -> dict[str, Any]:
    """Return what the page holds, with the provider's addresses."""
    common = {
        "smtp_email_address": MAILBOX,
        "smtp_username": MAILBOX,
        "smtp_connections": 1,
        "smtp_oauth2_grant": "client_credentials",
        "smtp_oauth2_token_url": provider.token_url,
        "smtp_oauth2_authorize_url": f"{provider.issuer}/auth",
        "smtp_oauth2_scope": "smtp",
        "smtp_oauth2_private_key": private_pem(),
    }
    return common | submission.settings() | MODES[mode]


def queue(user: PbxUser, count: int = 1) -> list[str]:
    """Queue mails, and return what stands before the @ of their Message-IDs."""
    facts = {"user": user, "recipient": user.email, "kind": PASSWORD_NOTICE.name}
    facts |= {"expires_at": timezone.now() + timedelta(hours=1)}
    rows = [OutgoingEmail(**facts) for _ in range(count)]
    OutgoingEmail.objects.bulk_create(rows)
    return sorted(str(row.public_id) for row in rows)


def configuration(rules: Any) -> Configuration:
    found = configuration_of(rules)
    assert found
    return found


@pytest.mark.parametrize(
    ("mode", "mechanism"),
    [*((mode, "XOAUTH2") for mode in MODES), ("private_key_jwt", "OAUTHBEARER")],
)
def test_a_mail_goes_out_by_a_token_of_each_mode(
    mail_provider: MailProvider,
    submission: Submission,
    user: PbxUser,
    configure: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    mechanism: str,
) -> None:
    monkeypatch.setattr(client, "TOKEN_MECHANISMS", (mechanism,))
    rules = configure(**settings_at(mail_provider, submission, mode))
    if mode in ("exchange", "gmail"):
        brought = authorize(mail_provider, configuration(rules))
        keep_authorization(configuration(rules), brought, account=MAILBOX)
    (mail_id,) = queue(user)

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.state, mail.code) == (MailState.SENT, 250), mail.words
    assert mail_id in submission.postfix.await_mail_of(mail_id)
    assert f"user=<{MAILBOX}>, method={mechanism}" in submission.log


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_token_that_the_server_refuses_is_told_with_its_reason(
    mail_provider: MailProvider,
    submission: Submission,
    endpoint: TokenEndpoint,
    user: PbxUser,
    configure: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
) -> None:
    """The 334 says why, and the 535 after it only that it is so."""
    monkeypatch.setattr(client, "TOKEN_MECHANISMS", (mechanism,))
    endpoint.answers = [token("nobodys-token-4711")]
    configure(**settings_at(mail_provider, submission) | endpoint.settings())
    queue(user)

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.stage, mail.code) == (SmtpStage.AUTH, 535)
    reason = {
        "XOAUTH2": "(status 401, schemes bearer, scope mail)",
        "OAUTHBEARER": "(status invalid_token)",
    }[mechanism]
    assert mail.words == f"535 5.7.8 Authentication failed. {reason}"
    assert len(endpoint.forms) == 1


def test_a_token_as_long_as_microsofts_goes_out_in_a_line_of_its_own(
    mail_provider: MailProvider,
    submission: Submission,
    endpoint: TokenEndpoint,
    user: PbxUser,
    configure: SettingsSetter,
) -> None:
    endpoint.answers = [token("long." * 500)]
    configure(**settings_at(mail_provider, submission) | endpoint.settings())
    queue(user)

    sending.deliver_due()

    # Understood, and refused by the provider alone.
    assert "status 401" in OutgoingEmail.objects.get().words


def test_another_mailboxs_token_opens_nothing(
    mail_provider: MailProvider,
    submission: Submission,
    user: PbxUser,
    configure: SettingsSetter,
) -> None:
    mode = settings_at(mail_provider, submission, "microsoft_365")
    configure(**mode | {"smtp_oauth2_resource_owner": "other@example.com"})
    queue(user)

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.stage, mail.code) == (SmtpStage.AUTH, 535)


def test_a_trial_shows_the_token_and_the_login_apart(
    mail_provider: MailProvider, submission: Submission, configure: SettingsSetter
) -> None:
    rules = configure(**settings_at(mail_provider, submission))
    trial = trial_of(rules)

    run_trial(trial.pk)

    trial.refresh_from_db()
    assert trial.state == TrialState.ACCEPTED
    assert (trial.oauth2, trial.password) == ("", "")
    steps = {step.stage: step for step in trial.steps.all()}
    assert next(iter(steps)) == SmtpStage.TOKEN
    assert steps[SmtpStage.AUTH].words == "235 2.7.0 Logged in."
    assert steps[SmtpStage.TOKEN].words == (
        f"Client credentials at {mail_provider.issuer.removeprefix('http://')},"
        " valid for 60 min, scope: smtp"
    )


def test_a_trial_ends_at_the_token_with_the_providers_words(
    mail_provider: MailProvider,
    submission: Submission,
    endpoint: TokenEndpoint,
    configure: SettingsSetter,
) -> None:
    endpoint.answers = [refusal("invalid_client", "AADSTS7000222: expired")]
    trial = trial_of(
        configure(**settings_at(mail_provider, submission) | endpoint.settings())
    )

    run_trial(trial.pk)

    trial.refresh_from_db()
    (step,) = trial.steps.all()
    assert (step.stage, step.state) == (SmtpStage.TOKEN, StepState.FAILED)
    assert step.words == "invalid_client: AADSTS7000222: expired"
    assert "client secret" in trial.remedy


def trial_of(rules: Any) -> AccountTrial:
    account = account_of(rules)
    assert account.oauth2
    return AccountTrial.objects.create(
        recipient="anna@example.com",
        server=account.server,
        port=account.port,
        security=account.security,
        email_address=account.email_address,
        username=account.username,
        ca_certificate=account.ca_certificate,
        oauth2=account.oauth2.packed(),
    )
