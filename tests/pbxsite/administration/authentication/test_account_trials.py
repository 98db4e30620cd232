from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import SmtpSecurity
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication import account_trials
from tests.support.settings_data import ACCOUNT, posted
from tests.support.smtp_servers import CREDENTIALS, Server, smtp_server
from verification.mail import account_trial, unasked
from verification.mail.choices import TrialState
from verification.mail.models import AccountTrial

PAGE = "/admin/authconfig/authenticationsettings/"
SEND = f"{PAGE}send-test/"
Configure = Callable[..., AuthenticationSettings]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers look for the broker anew, where nobody is."""
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis+socket:///nowhere/redis.sock")
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)


def fields_of(server: Server, **changes: str) -> dict[str, str]:
    account = {
        "smtp_server": server.host,
        "smtp_port": str(server.port),
        "smtp_security": server.security.value,
        "smtp_ca_certificate": server.ca_pem,
        "smtp_email_address": "pbx@example.com",
        "smtp_username": CREDENTIALS[0],
        "smtp_password": CREDENTIALS[1],
        "test_recipient": "admin@example.com",
    }
    return account | changes


def send(browser: Browser, **values: str) -> Any:
    return browser.post(SEND, posted(**values))


def status_of(browser: Browser, answer: Any) -> Any:
    return browser.get(answer.json()["url"]).json()


def many_tests(requested_by: PbxUser | None) -> None:
    for _number in range(account_trials.LIMIT):
        AccountTrial.objects.create(
            requested_by=requested_by, port=25, security=SmtpSecurity.NONE
        )


def test_test_of_unsaved_values_tells_each_stage_and_the_outcome(
    admin: Browser, server: Server
) -> None:
    answer = send(admin, **fields_of(server))
    asked = status_of(admin, answer)
    account_trial.run_trial(AccountTrial.objects.get().pk)
    ended = status_of(admin, answer)

    assert (asked["state"], asked["is_over"], asked["steps"]) == ("queued", False, [])
    assert (ended["state"], ended["is_over"]) == ("accepted", True)
    assert [step["state"] for step in ended["steps"]] == ["done"] * len(ended["steps"])
    assert ended["steps"][-1]["words"].startswith("250")
    assert "two-factor authentication can be switched on" in ended["text"]
    assert server.mails[-1].recipient == "admin@example.com"
    assert AuthenticationSettings.load().smtp_server == ""


def test_two_factor_follows_an_accepted_test_of_exactly_these_values(
    admin: Browser, server: Server
) -> None:
    values = fields_of(server) | {"verification_link": ACCOUNT["verification_link"]}
    send(admin, **values)
    account_trial.run_trial(AccountTrial.objects.get().pk)

    other = posted(**values, two_factor="on") | {"smtp_client_host_name": "pbx.example"}
    admin.post(PAGE, other)
    assert not AuthenticationSettings.load().two_factor

    admin.post(PAGE, posted(**values, two_factor="on"))
    assert AuthenticationSettings.load().two_factor


def test_refused_test_tells_the_servers_words_and_a_remedy(
    admin: Browser, server: Server
) -> None:
    answer = send(admin, **fields_of(server, smtp_password="wrong"))
    account_trial.run_trial(AccountTrial.objects.get().pk)
    ended = status_of(admin, answer)

    assert ended["state"] == "failed"
    assert ended["steps"][-1]["words"].startswith("535")
    assert ended["text"]


@pytest.mark.parametrize(
    "change",
    [{"smtp_server": "127.0.0.1"}, {"smtp_port": "2525"}, {"smtp_username": "other"}],
)
def test_stored_password_is_not_sent_to_a_changed_server(
    admin: Browser, configure: Configure, server: Server, change: dict[str, str]
) -> None:
    stored = fields_of(server)
    del stored["test_recipient"]
    configure(**stored)

    answer = send(admin, test_recipient="admin@example.com", **change)

    assert answer.status_code == 400
    assert list(answer.json()["faults"]) == ["smtp_password"]
    assert not AccountTrial.objects.exists()


def test_stored_password_is_sent_to_its_own_server(
    admin: Browser, configure: Configure, server: Server
) -> None:
    stored = fields_of(server)
    del stored["test_recipient"]
    configure(**stored)
    answer = send(admin, test_recipient="admin@example.com")
    account_trial.run_trial(AccountTrial.objects.get().pk)

    assert status_of(admin, answer)["state"] == "accepted"
    assert server.logins[-1][1] == CREDENTIALS[0]


def test_password_is_gone_when_the_test_has_run(admin: Browser, server: Server) -> None:
    answer = send(admin, **fields_of(server))
    account_trial.run_trial(AccountTrial.objects.get().pk)

    assert AccountTrial.objects.get().password == ""
    assert CREDENTIALS[1] not in admin.get(answer.json()["url"]).content.decode()


@pytest.mark.parametrize(
    ("changes", "faulty"),
    [
        ({"smtp_server": ""}, {"smtp_server"}),
        ({"smtp_server": "no host"}, {"smtp_server"}),
        ({"smtp_server": "mail.example.com:0"}, {"smtp_server"}),
        ({"smtp_email_address": ""}, {"smtp_email_address"}),
        ({"smtp_port": "x", "test_recipient": ""}, {"smtp_port", "test_recipient"}),
        ({"test_recipient": "nobody"}, {"test_recipient"}),
        (
            {"smtp_security": "none", "smtp_server": "mail.example.com"},
            {"smtp_security"},
        ),
    ],
)
def test_faults_of_the_account_are_told_at_their_fields(
    admin: Browser, server: Server, changes: dict[str, str], faulty: set[str]
) -> None:
    answer = send(admin, **fields_of(server, **changes))

    assert answer.status_code == 400
    assert set(answer.json()["faults"]) == faulty
    assert not AccountTrial.objects.exists()


def test_faults_of_other_fields_do_not_matter(admin: Browser, server: Server) -> None:
    other = {"oauth2_scope": "profile", "verification_link": "x", "two_factor": "on"}

    assert send(admin, **fields_of(server, **other)).status_code == 200


def test_eleventh_test_in_a_minute_is_refused(
    admin: Browser, administrator: PbxUser, server: Server
) -> None:
    many_tests(administrator)

    answer = send(admin, **fields_of(server))
    assert answer.status_code == 429
    assert "wait a minute" in answer.json()["message"]

    AccountTrial.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert send(admin, **fields_of(server)).status_code == 200


def test_tests_of_the_command_line_do_not_count(admin: Browser, server: Server) -> None:
    many_tests(None)

    assert send(admin, **fields_of(server)).status_code == 200


@pytest.mark.usefixtures("broker_away")
def test_without_a_broker_a_worker_finds_the_test_by_itself(
    admin: Browser, server: Server
) -> None:
    began_at = timezone.now()
    answer = send(admin, **fields_of(server))
    assert timezone.now() - began_at < timedelta(seconds=2)
    assert not answer.json()["is_over"]

    unasked.look_for_trials()

    assert status_of(admin, answer)["state"] == "accepted"
    assert AccountTrial.objects.get().password == ""


def test_a_worker_takes_up_no_test_that_is_taken_or_too_old(
    admin: Browser, server: Server
) -> None:
    seen = len(server.mails)
    send(admin, **fields_of(server))
    AccountTrial.objects.update(state=TrialState.RUNNING)
    unasked.look_for_trials()
    too_old = timezone.now() - timedelta(seconds=61)
    AccountTrial.objects.update(state=TrialState.QUEUED, created_at=too_old)
    unasked.look_for_trials()

    assert len(server.mails) == seen


def test_missing_worker_is_told_after_five_seconds(
    admin: Browser, server: Server
) -> None:
    answer = send(admin, **fields_of(server))
    assert status_of(admin, answer)["heading"].startswith("Sending")

    AccountTrial.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    waiting = status_of(admin, answer)
    assert waiting["heading"] == "No worker is running."
    assert "Start the Celery worker" in waiting["text"]
    assert not waiting["is_over"]


def test_test_that_no_worker_can_start_any_more_is_over(
    admin: Browser, server: Server
) -> None:
    answer = send(admin, **fields_of(server))
    AccountTrial.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    ended = status_of(admin, answer)

    assert (ended["state"], ended["is_over"]) == ("failed", True)
    assert "Start the Celery worker" in ended["text"]
    assert AccountTrial.objects.get().password == ""


def test_status_is_for_who_asked(admin: Browser, server: Server) -> None:
    url = send(admin, **fields_of(server)).json()["url"]
    other = PbxUser.objects.create_superuser("other", "a long password")
    AccountTrial.objects.update(requested_by=other)

    assert admin.get(url).status_code == 404
    assert Browser().get(url).status_code == 302


def test_running_test_is_never_called_waiting(admin: Browser, server: Server) -> None:
    answer = send(admin, **fields_of(server))
    AccountTrial.objects.update(
        created_at=timezone.now() - timedelta(minutes=2), state="running"
    )

    assert status_of(admin, answer)["state"] == "running"


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("", "Enter the address"),
        ("nobody", "This is not an e-mail address"),
        ("anna@", "This is not an e-mail address"),
        ("jörg@example.com", "Letters such as ä or é are not possible before the @"),
    ],
)
def test_the_recipients_fault_is_said(
    admin: Browser, server: Server, recipient: str, words: str
) -> None:
    answer = send(admin, **fields_of(server, test_recipient=recipient))

    [said] = answer.json()["faults"]["test_recipient"]
    assert said.startswith(words)
