"""The trial of Netlogon, stage by stage, on the command line and in itself."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command

from authconfig.choices import Event
from authconfig.choices import StepState as State
from authconfig.directory import netlogon_trial
from authconfig.directory.choices import NetlogonStage as Stage
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.certificates import make_authority
from tests.support.directory import (
    BASE,
    EVERYBODY,
    NOBODY,
    SERVICE,
    USERS,
    WINDOWS_PASSWORD,
    Directory,
    free_ports,
)
from tests.support.scripted_directory import refusal, scripted_directory

pytestmark = pytest.mark.django_db


def look(
    directory: Directory, name: str = "anna", password: str = "", **changes: Any
) -> netlogon_trial.Report:
    row = AuthenticationSettings(**directory.settings(**changes))
    return netlogon_trial.try_netlogon(
        row, name, password, lambda _step: None, actor=None
    )


def states(report: netlogon_trial.Report) -> dict[Stage, State]:
    return {step.stage: step.state for step in report.steps}


def words(report: netlogon_trial.Report, stage: Stage) -> str:
    return next(step.words for step in report.steps if step.stage is stage)


def test_every_stage_is_passed_and_told(directory: Directory, user: PbxUser) -> None:
    report = look(directory, "AD\\ANNA", WINDOWS_PASSWORD, netlogon_group=EVERYBODY)

    assert report.accepted
    assert report.remedy == ""
    assert states(report) == dict.fromkeys(Stage, State.DONE)
    assert words(report, Stage.FIND) == f"localhost:{directory.tls_port}"
    assert "TLSv1.3, localhost, issued by Example AD CA" in words(report, Stage.TLS)
    assert words(report, Stage.SERVICE) == SERVICE
    assert words(report, Stage.SEARCH) == f"cn=anna,{USERS}".lower()


def test_it_needs_nothing_to_be_saved(directory: Directory, user: PbxUser) -> None:
    look(directory, "anna", WINDOWS_PASSWORD)

    assert not AuthenticationSettings.objects.filter(netlogon_domain__gt="").exists()


def test_progress_hears_each_stage_begin_and_end(directory: Directory) -> None:
    heard: list[tuple[Stage, State]] = []
    row = AuthenticationSettings(**directory.settings())

    netlogon_trial.try_netlogon(
        row, "anna", "", lambda s: heard.append((s.stage, s.state)), actor=None
    )

    assert heard[:2] == [(Stage.FIND, State.STARTED), (Stage.FIND, State.DONE)]


def test_without_a_password_the_user_is_found_and_none_is_checked(
    directory: Directory, user: PbxUser
) -> None:
    report = look(directory, netlogon_group=EVERYBODY)

    assert report.accepted
    assert report.remedy == "No password was given, so none was checked."
    assert states(report)[Stage.PASSWORD] is State.SKIPPED
    assert states(report)[Stage.GROUP] is State.DONE


def test_without_a_pbx_user_it_says_what_is_missing(directory: Directory) -> None:
    report = look(directory, "bert", WINDOWS_PASSWORD)

    assert report.accepted
    assert "there is no active PBX user “bert”" in report.remedy


@pytest.mark.parametrize(
    ("changes", "stage", "said", "remedy"),
    [
        ({"netlogon_domain": ""}, Stage.FIND, "", "Enter the Windows domain first."),
        (
            {"netlogon_servers": "dc.invalid"},
            Stage.CONNECT,
            "the DNS does not know the controller's name",
            "Check the spelling of the domain controllers",
        ),
        (
            {"netlogon_ca_certificate": make_authority().ca_pem},
            Stage.TLS,
            "unable to get local issuer certificate",
            "Paste the certificate of the CA",
        ),
        (
            {"netlogon_bind_password": "wrong"},
            Stage.SERVICE,
            "(49 Invalid credentials)",
            "Enter the service account and its password again",
        ),
        (
            {"netlogon_base_dn": f"ou=none,{BASE}"},
            Stage.SEARCH,
            "(32 No such object)",
            "Correct the base DN",
        ),
        (
            {"netlogon_user_filter": "(cn=x%(user)s)"},
            Stage.SEARCH,
            "no such account",
            "Check the user name",
        ),
        (
            {"netlogon_group": NOBODY},
            Stage.GROUP,
            "not a member",
            "Add the user to the required group",
        ),
    ],
)
def test_the_stage_that_failed_says_what_and_what_to_do(
    directory: Directory,
    user: PbxUser,
    changes: dict[str, str],
    stage: Stage,
    said: str,
    remedy: str,
) -> None:
    report = look(directory, "anna", WINDOWS_PASSWORD, **changes)

    assert not report.accepted
    assert report.steps[-1].stage is stage
    assert report.steps[-1].state is State.FAILED
    assert said in report.steps[-1].words
    assert report.remedy.startswith(remedy)


def test_a_wrong_password_is_told_apart_from_an_outage(
    directory: Directory, user: PbxUser
) -> None:
    wrong = look(directory, "anna", "not it")
    outage = look(
        directory, "anna", "not it", netlogon_servers=f"localhost:{free_ports(1)[0]}"
    )

    assert wrong.remedy == "Enter the password again."
    assert outage.remedy.startswith("Check the port and the firewall")


def test_active_directorys_words_stand_as_they_are(
    directory: Directory, user: PbxUser
) -> None:
    with scripted_directory(on_bind=lambda _n, _p: refusal("775")) as windows:
        report = look(
            directory,
            "anna",
            WINDOWS_PASSWORD,
            netlogon_security="none",
            netlogon_servers=f"localhost:{windows.port}",
            netlogon_bind_dn="",
        )

    assert "the account is locked (49 Invalid credentials" in report.steps[-1].words
    assert "data 775" in report.steps[-1].words


def test_a_test_asks_a_controller_that_rests(
    directory: Directory, user: PbxUser
) -> None:
    directory.stop()
    first = look(directory, "anna", WINDOWS_PASSWORD)
    directory.start()

    assert not first.accepted
    assert look(directory, "anna", WINDOWS_PASSWORD).accepted


def test_the_test_is_recorded_without_its_password(
    directory: Directory, user: PbxUser
) -> None:
    look(directory, "anna", WINDOWS_PASSWORD)
    look(directory, "anna", "not it")

    events = AuditEvent.objects.filter(event=Event.NETLOGON_TESTED).order_by("pk")
    assert [event.detail for event in events] == [
        "anna: accepted",
        "anna: password: wrong password (49 Invalid credentials)",
    ]


def run(
    monkeypatch: pytest.MonkeyPatch, user: str, password: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\nanother line\n"))
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("authconfig", "test", "netlogon", user, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_command_prints_the_stages(
    netlogon: SettingsSetter, user: PbxUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(monkeypatch, "anna", WINDOWS_PASSWORD)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("find: done, ")
    assert lines[-1] == "accepted: anna"
    assert any(line.startswith("group: skipped") for line in lines)
    assert WINDOWS_PASSWORD not in out


def test_the_command_ends_with_1_and_says_what_to_do(
    netlogon: SettingsSetter, user: PbxUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(monkeypatch, "anna", "not it")

    assert code == 1
    assert "password: failed, " in out
    assert "wrong password (49 Invalid credentials)" in out
    assert err == "Enter the password again.\n"
