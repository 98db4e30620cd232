"""Each field is checked for what it is, and says so in its own words, once."""

from __future__ import annotations

import pytest

from authconfig.choices import SmtpSecurity
from authconfig.models import AuthenticationSettings
from tests.authconfig.test_settings_form import Configure, form_of
from tests.pbxsite.management.test_authconfig import Ran

pytestmark = pytest.mark.django_db
LINK = "https://pbx.example/PBX0/session.xml"
MAILBOX_PORT = 41025
MANY = ",".join(f"ops{number}@b.example" for number in range(11))
WRONG = [
    ("verification_link", f"{LINK}?id=1", "Remove the ? and what follows it"),
    ("verification_link", f"{LINK}?", "Remove the ? and what follows it"),
    ("verification_link", f"{LINK}#top", "Remove the user name, the # part"),
    ("verification_link", "https://pbx.example", "Enter the address with its path"),
    ("verification_link", "https://pbx.example/", "Enter the address with its path"),
    ("netlogon_user_filter", "(uid=%%(user)s)", "Write %(user)s with one % sign"),
    ("oauth2_upn_claim", "user name", "Remove the space"),
    ("oauth2_upn_claim", "profile.upn", "reads like a claim inside another one"),
    ("netlogon_netbios_name", "ad.example", "“ad.example” with its dots is a DNS name"),
    ("netlogon_netbios_name", "MY AD", "Remove the space"),
    ("netlogon_netbios_name", "AD\\", "Remove the \\"),
    ("alarm_recipients", "a@b.example, c", "“c” is not an e-mail address."),
    ("alarm_recipients", MANY, "Enter at most 10 addresses"),
    ("alarm_webhook_url", "http://alarms.example", "Begin the address with https"),
    ("alarm_webhook_secret", "Y29ycmVjdA==", "Enter whsec_ and 24 to 64 random bytes"),
    ("alarm_webhook_secret", "whsec_MDEy", "Enter whsec_ and 24 to 64 random bytes"),
    ("alarm_webhook_secret", "whsec_no base64!", "Enter whsec_ and 24 to 64"),
]
RIGHT = [
    ("verification_link", LINK),
    ("verification_link", "https://pbx.example/verify"),
    ("oauth2_upn_claim", "https://pbx.example/claims/upn"),
    ("oauth2_upn_claim", "urn:example.com:upn"),
    ("oauth2_upn_claim", "preferred_username"),
    ("netlogon_netbios_name", "AD-1"),
    ("alarm_recipients", "a@b.example, ops@c.example"),
]
TWICE_FAULTY = [
    ("smtp_port", "-1", "Enter a number from 1 to 65535."),
    ("smtp_connections", "-1", "Enter a number from 1 to 20."),
    ("netlogon_max_failures", "40000", "Enter a number from 1 to 100."),
    ("smtp_email_address", "a\tb", "Remove the line break or control character."),
    ("smtp_client_host_name", "ä b" * 100, "is neither an IP address nor a DNS name."),
    ("netlogon_base_dn", "x" * 501, "is no DN."),
]


@pytest.fixture
def mailbox(configure: Configure) -> AuthenticationSettings:
    """The e-mail account of a fresh site, whose mailbox is on the same machine."""
    return configure(
        smtp_server="127.0.0.1", smtp_port=MAILBOX_PORT, smtp_security="none"
    )


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_value_that_could_never_work_is_refused_in_words(
    name: str, value: str, words: str
) -> None:
    form = form_of(**{name: value})

    assert set(form.faults) == {name}
    assert words in form.faults[name][0]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_the_command_line_refuses_it_in_the_same_words(
    name: str, value: str, words: str
) -> None:
    ran = Ran("set", f"{name}={value}")

    assert ran.status == 1
    assert f"{name}: " in ran.err
    assert words in ran.err


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_value_that_may_work_is_kept(name: str, value: str) -> None:
    form = form_of(**{name: value})

    assert form.faults == {}
    assert getattr(form.save(), name) == value


@pytest.mark.parametrize(("name", "value", "words"), TWICE_FAULTY)
def test_a_field_tells_one_fault_with_its_remedy(
    name: str, value: str, words: str
) -> None:
    (fault,) = form_of(**{name: value}).faults[name]

    assert words in fault


def test_a_server_elsewhere_takes_nothing_over_from_this_machine(
    mailbox: AuthenticationSettings,
) -> None:
    form = form_of(smtp_server="mail.example.com")

    assert set(form.faults) == {"smtp_security"}
    assert "those of the mail server on this machine" in form.faults["smtp_security"][0]


@pytest.mark.parametrize(
    "chosen",
    [
        {"smtp_server": "mail.example.com", "smtp_port": "25"},
        {"smtp_server": "mail.example.com:2525"},
        {"smtp_server": "mail.example.com", "smtp_security": "starttls"},
        {"smtp_server": "localhost"},
    ],
    ids=["its port", "its port in the server", "its security", "still here"],
)
def test_what_was_chosen_for_a_server_elsewhere_is_taken(
    mailbox: AuthenticationSettings, chosen: dict[str, str]
) -> None:
    assert form_of(**chosen).faults == {}


def test_the_command_line_goes_over_to_starttls_with_a_server_elsewhere(
    mailbox: AuthenticationSettings,
) -> None:
    ran = Ran("set", "smtp_server=mail.example.com")

    assert ran.status == 0
    assert "Note: smtp_security=starttls, smtp_port=587" in ran.err
    saved = AuthenticationSettings.load()
    assert (saved.smtp_security, saved.smtp_port) == (SmtpSecurity.STARTTLS, 587)


def test_the_command_line_takes_security_and_port_that_are_named(
    mailbox: AuthenticationSettings,
) -> None:
    Ran("set", "smtp_server=mail.example.com:2525", "smtp_security=none")

    saved = AuthenticationSettings.load()
    assert (saved.smtp_security, saved.smtp_port) == (SmtpSecurity.NONE, 2525)
