from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import AuditEvent, PbxUser
from tests.support.certificates import make_authority
from tests.support.directory import Directory
from tests.support.settings_data import ACCOUNT, OAUTH2
from tests.support.smtp_servers import CREDENTIALS, Server, smtp_server
from verification.mail.models import AccountTrial

Configure = Callable[..., AuthenticationSettings]
PEM = make_authority().ca_pem
LINK = f"verification_link={ACCOUNT['verification_link']}"

pytestmark = pytest.mark.django_db


class Ran:
    """What a run of the command left behind: its words and its exit status."""

    def __init__(self, *words: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status: object = 0
        try:
            call_command("authconfig", *words, stdout=out, stderr=err, no_color=True)
        except SystemExit as end:
            self.status = end.code
        self.out, self.err = out.getvalue(), err.getvalue()


def assignments(values: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def account(server: Server, tmp_path: Path) -> list[str]:
    """What an administrator enters for the server that runs here."""
    certificate = tmp_path / "ca.pem"
    certificate.write_text(server.ca_pem)
    return [
        f"smtp_server=localhost:{server.port}",
        f"smtp_ca_certificate=@{certificate}",
        "smtp_email_address=pbx@example.com",
        f"smtp_username={CREDENTIALS[0]}",
        f"smtp_password={CREDENTIALS[1]}",
    ]


# What `show` tells besides: no settings of their own.
TOLD = (
    "oauth2_redirect_uri",
    "smtp_oauth2_redirect_uri",
    "smtp_oauth2_authorized_as",
)


def test_show_lists_every_setting_and_no_secret(configure: Configure) -> None:
    configure(**dict.fromkeys(SECRETS, "geheim"), smtp_ca_certificate=PEM)
    lines = Ran("show").out.splitlines()

    assert [line.partition("=")[0] for line in lines] == [
        *FIELDS,
        *TOLD,
    ]
    assert lines[0] == "two_factor=off"
    assert "smtp_password=set" in lines
    assert "geheim" not in "".join(lines)


def test_show_as_json_has_the_same_values(configure: Configure) -> None:
    configure(smtp_ca_certificate=PEM, smtp_password="geheim")
    values = json.loads(Ran("show", "--json").out)

    assert list(values) == [*FIELDS, *TOLD]
    assert values["two_factor"] is False
    assert values["smtp_port"] == 587
    assert values["smtp_ca_certificate"] == PEM
    assert values["smtp_password"] == "set"
    assert values["oauth2_client_secret"] == "not set"
    assert values["oauth2_redirect_uri"].endswith("/login/oauth2/callback/")


@pytest.mark.usefixtures("administrator")
def test_several_settings_are_set_at_once() -> None:
    ran = Ran("set", "authentication_type=pbx_and_oauth2", *assignments(OAUTH2))

    rules = AuthenticationSettings.load()
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Saved: authentication_type, oauth2_provider_name")
    assert rules.authentication_type == "pbx_and_oauth2"
    assert rules.oauth2_client_id == "pbx"
    assert AuditEvent.objects.filter(event=Event.SETTING_CHANGED, actor=None).exists()


def test_one_fault_leaves_everything_as_it_was() -> None:
    ran = Ran("set", "smtp_sender_name=Telephone", "smtp_port=0", "oauth2_scope=x")

    assert ran.status == 1
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "smtp_port",
        "oauth2_scope",
    ]
    assert AuthenticationSettings.load().smtp_sender_name == ""


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("smpt_server=x", "smpt_server: There is no such setting. Did you mean"),
        ("smtp_server", "smtp_server: Write smtp_server=VALUE."),
        ("two_factor=yes", "two_factor: Enter on or off."),
        ("smtp_security=ssl", "smtp_security: Enter one of starttls, tls, none."),
        ("smtp_ca_certificate=@/nowhere.pem", "smtp_ca_certificate: [Errno 2]"),
        ("authentication_type=oauth2_only", "oauth2_provider_name: Needed by"),
        ("id=2", "id: There is no such setting."),
    ],
)
def test_wrong_word_is_a_fault_of_its_key(word: str, fault: str) -> None:
    ran = Ran("set", word)

    assert ran.status == 1
    assert ran.err.startswith(fault)


def test_value_is_read_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text(PEM)
    monkeypatch.setattr("sys.stdin", io.StringIO("geheim und lang\nnot this\n"))
    ran = Ran("set", f"smtp_ca_certificate=@{certificate}", "smtp_password=@-")

    rules = AuthenticationSettings.load()
    assert ran.status == 0
    assert rules.smtp_ca_certificate == PEM.strip()
    assert rules.smtp_password == "geheim und lang"


def test_empty_value_removes_a_secret_and_a_missing_one_keeps_it(
    configure: Configure,
) -> None:
    configure(smtp_password="geheim")

    Ran("set", "smtp_sender_name=Telephone")
    assert AuthenticationSettings.load().smtp_password == "geheim"
    Ran("set", "smtp_password=")
    assert AuthenticationSettings.load().smtp_password == ""


def test_changed_server_takes_the_password_away_and_says_so(
    configure: Configure,
) -> None:
    configure(smtp_password="geheim")
    ran = Ran("set", "smtp_server=mail2.example.com")

    assert ran.status == 0
    assert "smtp_password" in ran.err
    assert "geheim" not in ran.out + ran.err
    assert AuthenticationSettings.load().smtp_password == ""


@pytest.mark.parametrize(
    "words",
    [
        ["smtp_port=2525"],
        ["smtp_security=tls"],
        ["smtp_password="],
        ["smtp_port=2525", "--test", "a@example.com"],
    ],
)
def test_a_user_name_without_a_password_is_refused_whole(
    configure: Configure, words: list[str]
) -> None:
    configure(smtp_username="pbx", smtp_password="geheim")
    ran = Ran("set", "smtp_sender_name=Telephone", *words)

    assert ran.status == 1
    assert ran.err == (
        "smtp_password: Enter the password again, or empty the user name.\n"
    )
    rules = AuthenticationSettings.load()
    assert (rules.smtp_password, rules.smtp_port) == ("geheim", 587)
    assert rules.smtp_sender_name == ""


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["smtp_security=tls"], 465),
        (["smtp_security=tls", "smtp_port=2465"], 2465),
        (["smtp_security=tls", "smtp_port=587"], 587),
        (["smtp_security=tls", "smtp_server=mail.example.com:587"], 587),
        (["smtp_server=mail.example.com"], 587),
    ],
)
def test_usual_port_follows_the_security(words: list[str], port: int) -> None:
    assert Ran("set", *words).status == 0
    assert AuthenticationSettings.load().smtp_port == port


def test_unusual_port_stays_with_another_security(configure: Configure) -> None:
    configure(smtp_port=2525)

    Ran("set", "smtp_security=tls")
    assert AuthenticationSettings.load().smtp_port == 2525


def test_lockout_is_a_warning_only(administrator: PbxUser) -> None:
    ran = Ran("set", "authentication_type=oauth2_only", *assignments(OAUTH2))

    assert ran.status == 0
    assert ran.err.startswith("Warning: ")
    assert AuthenticationSettings.load().authentication_type == "oauth2_only"


def test_two_factor_waits_for_an_accepted_test(account: list[str]) -> None:
    ran = Ran("set", "two_factor=on", LINK, *account)

    assert ran.status == 1
    assert ran.err.startswith("two_factor: ")
    assert AuthenticationSettings.load().smtp_server == ""


def test_new_values_are_tested_first_and_saved_when_accepted(
    account: list[str], administrator: PbxUser, server: Server
) -> None:
    ran = Ran("set", "two_factor=on", LINK, *account, "--test", "a@example.com")

    assert (ran.status, ran.err) == (0, "")
    assert "connect: done" in ran.out
    assert "data: done" in ran.out
    assert AuthenticationSettings.load().two_factor
    assert server.mails[-1].recipient == "a@example.com"
    assert CREDENTIALS[1] not in ran.out


def test_nothing_is_saved_when_the_test_fails(account: list[str]) -> None:
    ran = Ran("set", *account, "smtp_password=wrong", "--test", "a@example.com")

    assert ran.status == 1
    assert "auth: failed" in ran.out
    assert "535" in ran.out
    assert ran.err
    assert AuthenticationSettings.load().smtp_server == ""


def test_faults_are_told_before_a_test_is_sent(account: list[str]) -> None:
    ran = Ran("set", *account, "oauth2_scope=x", "--test", "a@example.com")

    assert ran.status == 1
    assert ran.err.startswith("oauth2_scope: ")
    assert not AccountTrial.objects.exists()


def test_saved_account_is_tested(account: list[str]) -> None:
    Ran("set", *account)
    ran = Ran("test", "smtp", "a@example.com")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "accepted: a@example.com"


@pytest.mark.parametrize("address", ["a@example.com", "nobody"])
def test_test_without_an_account_or_address_names_what_is_missing(address: str) -> None:
    ran = Ran("test", "smtp", address)

    assert ran.status == 1
    assert "smtp_server: Enter the SMTP server first." in ran.err
    assert ("nobody: " in ran.err) is (address == "nobody")


def test_a_stored_user_name_without_a_password_is_not_tested(
    configure: Configure,
) -> None:
    configure(smtp_username="pbx", **ACCOUNT)
    ran = Ran("test", "smtp", "a@example.com")

    assert ran.status == 1
    assert ran.err.startswith("smtp_password: Enter the password again")
    assert not AccountTrial.objects.exists()


def test_tests_of_the_command_line_have_no_limit(account: list[str]) -> None:
    Ran("set", *account)

    assert {Ran("test", "smtp", "a@example.com").status for _n in range(11)} == {0}


def test_monitoring_tests_nothing_that_is_not_used(configure: Configure) -> None:
    configure(netlogon_domain="ad.example.com", **OAUTH2)

    ran = Ran("test", "all")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "smtp: not tested",
        "netlogon: not tested",
        "oauth2: not tested",
    ]


def test_monitoring_tests_what_is_used_and_records_nothing(
    configure: Configure, directory: Directory
) -> None:
    configure(**directory.settings(authentication_type="pbx_and_netlogon"))

    ran = Ran("test", "all")

    assert ran.status == 0
    assert "service: done" in ran.out
    assert not AuditEvent.objects.exists()


def test_monitoring_goes_on_after_a_failure_and_ends_with_1(
    configure: Configure, directory: Directory
) -> None:
    values = directory.settings(authentication_type="pbx_and_netlogon")
    configure(**values, smtp_server="127.0.0.1", smtp_port=1, smtp_security="none")

    ran = Ran("test", "all", "--smtp", "a@example.com")

    assert ran.status == 1
    assert "smtp_email_address: " in ran.err
    assert "service: done" in ran.out
