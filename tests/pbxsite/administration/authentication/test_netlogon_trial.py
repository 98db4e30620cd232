"""The page's test of Netlogon: a login at a real directory, told stage by stage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.methods.netlogon import Failures
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.browsers import sign_in
from tests.support.directory import WINDOWS_PASSWORD, Directory
from tests.support.scripted_directory import refusal, scripted_directory
from tests.support.settings_data import posted

pytestmark = pytest.mark.django_db(transaction=True)
TEST = "/admin/authconfig/authenticationsettings/test-netlogon/"


def ask(browser: Browser, **changes: str) -> HttpResponse:
    """Post the page's values and what the test needs besides."""
    client = AsyncClient()
    client.cookies = browser.cookies
    return async_to_sync(client.post)(TEST, posted(**changes))  # type: ignore[return-value]


def statuses(response: Any) -> list[dict[str, Any]]:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in response.streaming_content])

    return [json.loads(line) for line in async_to_sync(read)().splitlines()]


def states(status: dict[str, Any]) -> dict[str, str]:
    return {step["stage"]: step["state"] for step in status["steps"]}


@pytest.fixture
def unsaved(directory: Directory) -> dict[str, str]:
    """The directory's values as typed in, with nothing of them saved."""
    AuthenticationSettings.load()
    return {key: str(value) for key, value in directory.settings().items()}


def test_a_right_password_is_accepted_stage_by_stage(
    admin: Browser, administrator: PbxUser, unsaved: dict[str, str]
) -> None:
    answer = ask(admin, **unsaved, test_user="anna", test_password=WINDOWS_PASSWORD)

    told = statuses(answer)
    assert told[0]["state"] == "running"
    assert told[0]["steps"][0]["state"] == "started"
    assert told[-1]["state"] == "accepted"
    assert set(states(told[-1]).values()) <= {"done", "skipped"}
    assert WINDOWS_PASSWORD not in str(told)
    assert AuthenticationSettings.load().netlogon_domain == ""
    event = AuditEvent.objects.get(event=Event.NETLOGON_TESTED)
    assert event.actor == administrator


def test_a_wrong_password_names_the_stage_and_the_remedy(
    admin: Browser, unsaved: dict[str, str]
) -> None:
    last = statuses(ask(admin, **unsaved, test_user="anna", test_password="wrong"))[-1]

    assert last["state"] == "failed"
    assert states(last)["Check the user's password"] == "failed"
    assert last["text"]


def test_what_is_missing_is_told_at_its_field(admin: Browser) -> None:
    AuthenticationSettings.load()

    faults = json.loads(ask(admin, test_user="").content)["faults"]

    assert set(faults) == {"netlogon_domain", "test_user"}


def test_a_stored_password_is_not_sent_to_a_changed_controller(
    admin: Browser, configure: SettingsSetter, directory: Directory
) -> None:
    configure(**directory.settings())

    answer = ask(admin, netlogon_servers="other.example:636", test_user="anna")

    assert set(json.loads(answer.content)["faults"]) == {"netlogon_bind_password"}


def test_three_tests_a_minute_are_enough_for_each_administrator(
    admin: Browser, unsaved: dict[str, str]
) -> None:
    for _ in range(3):
        statuses(ask(admin, **unsaved, test_user="anna"))

    answer = ask(admin, **unsaved, test_user="anna")

    assert answer.status_code == 429
    assert "Please wait a minute" in json.loads(answer.content)["message"]
    other = sign_in(PbxUser.objects.create_superuser("other"))
    assert ask(other, **unsaved, test_user="anna").status_code == 200


def test_wrong_passwords_count_like_those_of_logins(
    admin: Browser, unsaved: dict[str, str], user: PbxUser, configure: SettingsSetter
) -> None:
    configure(netlogon_max_failures=2)
    guess = {"test_user": "AD\\Anna", "test_password": "wrong"}
    statuses(ask(admin, **unsaved, **guess))
    wrong = Failures("anna")
    assert wrong.use_up() == 2

    answer = ask(admin, **unsaved, **guess)

    assert answer.status_code == 429
    assert "2 wrong passwords of this user" in json.loads(answer.content)["message"]
    assert AuditEvent.objects.filter(event=Event.NETLOGON_TESTED).count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"test_password": WINDOWS_PASSWORD},
        {"test_password": "wrong", "netlogon_servers": "localhost:1"},
        {"test_password": ""},
    ],
)
def test_what_was_no_wrong_password_does_not_count(
    admin: Browser, unsaved: dict[str, str], changes: dict[str, str]
) -> None:
    statuses(ask(admin, **(unsaved | {"test_user": "anna"} | changes)))

    assert Failures("anna").use_up() == 1


def test_a_right_password_that_has_to_be_changed_does_not_count(
    admin: Browser, unsaved: dict[str, str]
) -> None:
    with scripted_directory(on_bind=lambda _name, _password: refusal("773")) as windows:
        there = {
            "netlogon_security": "none",
            "netlogon_servers": f"localhost:{windows.port}",
            "netlogon_bind_dn": "",
            "netlogon_bind_password": "",
        }
        test = {"test_user": "anna", "test_password": WINDOWS_PASSWORD}
        told = statuses(ask(admin, **(unsaved | there | test)))

    assert "must be changed first" in told[-1]["steps"][-1]["words"]
    assert Failures("anna").use_up() == 1


def test_it_takes_the_right_to_change_the_settings(user: PbxUser) -> None:
    stranger = Browser()
    stranger.force_login(user)

    assert ask(stranger).status_code == 302
