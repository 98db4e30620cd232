from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from authconfig.choices import Event, SmtpSecurity, StepState
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.authentication import account_trials
from pbxsite.celery import app
from tests.conftest import SettingsSetter
from tests.support.smtp_servers import CREDENTIALS, Server, smtp_server
from verification.mail import account_trial, choices
from verification.mail.account import Account, account_of, fingerprint
from verification.mail.account_trial import was_accepted
from verification.mail.choices import SmtpStage as Stage
from verification.mail.models import AccountTrial
from verification.mail.tasks import end_abandoned_trials

ACCOUNT = Account(
    server="smtp.example.com",
    port=587,
    security=SmtpSecurity.STARTTLS,
    client_host_name="pbx.example.com",
    sender_name="PBX",
    email_address="pbx@example.com",
    username="pbx",
    password="correct horse",
    ca_certificate="-----BEGIN CERTIFICATE-----",
)
CHANGES: list[dict[str, Any]] = [
    {"server": "smtp2.example.com"},
    {"port": 25},
    {"security": SmtpSecurity.TLS},
    {"client_host_name": "other.example.com"},
    {"email_address": "other@example.com"},
    {"username": "other"},
    {"password": "wrong horse"},
    {"ca_certificate": ""},
]


@pytest.fixture
def server() -> Iterator[Server]:
    with smtp_server() as running:
        yield running


def run(
    account: Account, administrator: PbxUser, recipient: str = "a@b.example"
) -> Any:
    """Ask for a test and run it as a worker does."""
    test = account_trials.create(account, recipient, administrator)
    account_trial.run_trial(test.pk)
    test.refresh_from_db()
    return test


def steps_of(test: AccountTrial) -> list[tuple[str, str]]:
    return [(step.stage, step.state) for step in test.steps.all()]


def test_a_right_account_passes_every_stage_in_order(
    administrator: PbxUser, server: Server
) -> None:
    test = run(server.account(), administrator)

    order = ["resolve", "connect", "ehlo", "tls", "ehlo", "auth"]
    order += ["mail_from", "rcpt_to", "data"]
    assert steps_of(test) == [(stage, StepState.DONE) for stage in order]
    assert (test.state, test.remedy) == (choices.TrialState.ACCEPTED, "")
    assert test.ended_at
    (mail,) = server.mails
    assert (mail.sender, mail.recipient) == ("site@example.com", "a@b.example")


def test_a_server_without_encryption_and_login_skips_these_stages(
    administrator: PbxUser,
) -> None:
    with smtp_server(SmtpSecurity.NONE, credentials=None) as server:
        test = run(server.account(), administrator)

    skipped = [stage for stage, state in steps_of(test) if state == StepState.SKIPPED]
    assert sorted(skipped) == [Stage.AUTH, Stage.TLS]
    assert test.state == choices.TrialState.ACCEPTED


def test_nothing_logs_in_with_an_empty_password(
    administrator: PbxUser, server: Server
) -> None:
    test = run(server.account(password=""), administrator)

    assert steps_of(test)[-1] == (Stage.AUTH, StepState.FAILED)
    assert "Enter the password again, or empty the user name." in test.remedy
    assert server.logins == []


@pytest.mark.parametrize(
    ("account_changes", "behaviour", "stage"),
    [
        ({"server": "nowhere.invalid"}, {}, Stage.RESOLVE),
        ({"port": 1}, {}, Stage.CONNECT),
        ({"ca_certificate": ""}, {}, Stage.TLS),
        ({"password": "wrong horse"}, {}, Stage.AUTH),
        ({}, {"refuse_sender": "553 5.7.1 Not yours"}, Stage.MAIL_FROM),
        ({}, {"refuse_recipient": "550 5.1.1 Unknown"}, Stage.RCPT_TO),
        ({}, {"refuse_content": "554 5.7.1 Spam"}, Stage.DATA),
        ({}, {"refuse_content": "451 4.3.0 Later"}, Stage.DATA),
    ],
)
def test_a_test_fails_at_its_stage_with_a_remedy(
    administrator: PbxUser,
    server: Server,
    account_changes: dict[str, Any],
    behaviour: dict[str, str],
    stage: Stage,
) -> None:
    vars(server).update(behaviour)

    test = run(server.account(**account_changes), administrator)

    *passed, last = steps_of(test)
    assert last == (stage, StepState.FAILED)
    assert {state for _stage, state in passed} <= {StepState.DONE}
    assert test.steps.get(stage=stage).words
    assert test.state == choices.TrialState.FAILED
    assert test.remedy
    assert not server.mails


def test_a_fault_of_this_site_ends_the_test_as_well(
    administrator: PbxUser, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    test = run(server.account(), administrator, "a@b.example\nBcc: eve@b.example")

    assert test.state == choices.TrialState.FAILED
    assert "log" in test.remedy
    assert test.password == ""
    assert steps_of(test)[-1][1] == StepState.FAILED
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("password", [CREDENTIALS[1], "wrong horse"])
def test_the_password_is_emptied_and_recorded_nowhere(
    administrator: PbxUser, server: Server, password: str
) -> None:
    test = run(server.account(password=password), administrator)

    assert AccountTrial.objects.values_list("password", flat=True).get() == ""
    told = [step.words for step in test.steps.all()]
    recorded = AuditEvent.objects.values_list("detail", flat=True)
    assert not [text for text in [*told, *recorded] if password in text]


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [(None, "accepted"), ("554 5.7.1 Spam", "data: 554 5.7.1 Spam")],
)
def test_the_outcome_is_recorded(
    administrator: PbxUser, server: Server, refusal: str | None, outcome: str
) -> None:
    server.refuse_content = refusal

    run(server.account(), administrator)

    event = AuditEvent.objects.get(event=Event.MAIL_TESTED)
    assert event.detail == f"localhost:{server.port} {outcome}"
    assert (event.user, event.actor) == (administrator, administrator)


def test_a_test_runs_once(administrator: PbxUser, server: Server) -> None:
    test = run(server.account(), administrator)

    account_trial.run_trial(test.pk)

    assert len(server.mails) == 1


def test_a_test_that_waited_too_long_is_not_started(
    administrator: PbxUser, server: Server
) -> None:
    test = account_trials.create(server.account(), "a@b.example", administrator)
    AccountTrial.objects.update(created_at=timezone.now() - timedelta(seconds=61))

    account_trial.run_trial(test.pk)

    test.refresh_from_db()
    assert test.state == choices.TrialState.QUEUED
    assert server.connections == 0


@pytest.mark.parametrize(
    "state", [choices.TrialState.QUEUED, choices.TrialState.RUNNING]
)
def test_a_test_that_nobody_finished_keeps_no_password(
    administrator: PbxUser, state: choices.TrialState
) -> None:
    test = account_trials.create(ACCOUNT, "a@b.example", administrator)
    AccountTrial.objects.update(state=state)

    end_abandoned_trials()
    test.refresh_from_db()
    assert (test.state, test.password) == (state, ACCOUNT.password)

    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1)):
        end_abandoned_trials()
    test.refresh_from_db()
    assert (test.state, test.password) == (choices.TrialState.FAILED, "")
    assert "Send it again" in test.remedy
    assert test.ended_at


def test_a_worker_that_comes_too_late_changes_no_outcome(
    administrator: PbxUser, server: Server
) -> None:
    test = account_trials.create(server.account(), "a@b.example", administrator)
    AccountTrial.objects.update(state=choices.TrialState.RUNNING)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        end_abandoned_trials()

    account_trial._end_trial(test, None)

    assert not AuditEvent.objects.exists()
    assert not was_accepted(server.account())


def test_beat_ends_abandoned_tests() -> None:
    tasks = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert end_abandoned_trials.name in tasks


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_each_field_of_the_account_changes_its_fingerprint(
    changes: dict[str, Any],
) -> None:
    assert fingerprint(replace(ACCOUNT, **changes)) != fingerprint(ACCOUNT)


def test_the_senders_name_is_no_matter_of_the_server() -> None:
    assert fingerprint(replace(ACCOUNT, sender_name="")) == fingerprint(ACCOUNT)


def test_the_fingerprint_does_not_show_the_password() -> None:
    assert ACCOUNT.password not in fingerprint(ACCOUNT)
    assert len(fingerprint(ACCOUNT)) == 64


def test_exactly_the_account_that_was_tested_counts_as_accepted(
    administrator: PbxUser, server: Server
) -> None:
    account = server.account()
    assert not was_accepted(account)

    run(account, administrator)

    assert was_accepted(account)
    assert not [c for c in CHANGES if was_accepted(replace(account, **c))]


def test_an_account_that_was_refused_does_not_count(
    administrator: PbxUser, server: Server
) -> None:
    server.refuse_content = "554 5.7.1 Spam"

    run(server.account(), administrator)

    assert not was_accepted(server.account())


def test_the_settings_account_is_the_one_that_was_tested(
    administrator: PbxUser, server: Server, configure: SettingsSetter
) -> None:
    username, password = CREDENTIALS
    settings = configure(
        smtp_server="localhost",
        smtp_port=server.port,
        smtp_security=SmtpSecurity.STARTTLS,
        smtp_client_host_name="",
        smtp_email_address="site@example.com",
        smtp_username=username,
        smtp_password=password,
        smtp_ca_certificate=server.ca_pem,
    )

    run(account_of(settings), administrator)

    assert was_accepted(account_of(configure()))
    assert was_accepted(server.account())
