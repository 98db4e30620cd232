"""How the e-mail account logs in, as page and command line take it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from authconfig.choices import OAuth2Grant, SmtpLogin
from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS
from authconfig.settings_form import NOTHING_OUTSIDE, SettingsForm
from authconfig.smtp_login.modes import EVERY_FIELD, grant_of, is_interactive
from tests.support.certificates import make_authority
from tests.support.settings_data import posted

pytestmark = pytest.mark.django_db
Configure = Callable[..., AuthenticationSettings]
TENANT = "11111111-2222-3333-4444-555555555555"
ENTRA = {
    "smtp_oauth2_tenant": TENANT,
    "smtp_oauth2_client_id": "app",
    "smtp_oauth2_client_secret": "the secret",
}
MAILBOX = {"smtp_username": "pbx@example.com"}
OWNER = {
    "smtp_oauth2_resource_owner": "owner@example.com",
    "smtp_oauth2_resource_owner_password": "the password",
}
FREE = {
    "smtp_server": "mail.example.com",
    "smtp_oauth2_token_url": "https://idp.example/token",
    "smtp_oauth2_authorize_url": "https://idp.example/authorize",
    "smtp_oauth2_client_id": "pbx",
}


@cache
def key_pem(kind: str = "rsa", passphrase: str = "") -> str:
    key = (
        rsa.generate_private_key(65537, 1024 if kind == "short" else 2048)
        if kind in ("rsa", "short")
        else ec.generate_private_key(ec.SECP256R1())
    )
    locked: KeySerializationEncryption = NoEncryption()
    if passphrase:
        locked = BestAvailableEncryption(passphrase.encode())
    form = Encoding.PEM, PrivateFormat.PKCS8
    return key.private_bytes(*form, locked).decode().strip()


def google() -> dict[str, str]:
    return {
        "smtp_oauth2_issuer": "pbx@project.iam.gserviceaccount.com",
        "smtp_oauth2_key_id": "kid",
        "smtp_oauth2_private_key": key_pem(),
    }


NEEDS: dict[str, Callable[[], dict[str, str]]] = {
    "exchange": lambda: ENTRA | MAILBOX,
    "microsoft_365": lambda: ENTRA | OWNER,
    "microsoft_365_application": lambda: ENTRA | MAILBOX,
    "gmail": lambda: (
        {"smtp_oauth2_client_id": "app", "smtp_oauth2_client_secret": "s"} | MAILBOX
    ),
    "google_service_account": lambda: google() | MAILBOX,
    "client_secret": lambda: FREE | MAILBOX,
    "private_key_jwt": lambda: FREE | MAILBOX | {"smtp_oauth2_private_key": key_pem()},
}


def form_of(login: str = "", **changes: str) -> SettingsForm:
    row = AuthenticationSettings.load()
    chosen = {"smtp_login": login} if login else {}
    needed = NEEDS[login]() if login else {}
    entered = posted(**{**needed, **changes, **chosen})
    return SettingsForm(entered, instance=row, outside=NOTHING_OUTSIDE)


def saved(form: SettingsForm) -> AuthenticationSettings:
    assert form.faults == {}
    form.save()
    return AuthenticationSettings.load()


def test_every_way_to_log_in_shows_its_own_fields_of_the_settings() -> None:
    assert set(EVERY_FIELD) <= set(FIELDS)
    assert {n for n in FIELDS if n.startswith("smtp_oauth2")} <= set(EVERY_FIELD)


@pytest.mark.parametrize("login", NEEDS)
def test_mode_is_valid_with_what_it_needs(login: str) -> None:
    assert saved(form_of(login)).smtp_login == login


@pytest.mark.parametrize(
    ("login", "name"),
    [(login, name) for login, needs in NEEDS.items() for name in needs()],
)
def test_mode_names_the_field_that_it_lacks(login: str, name: str) -> None:
    faults = set(form_of(login, **{name: ""}).faults)

    # The mailbox may be the one of the resource owner.
    assert name in faults
    assert faults <= {name, "smtp_username"}


@pytest.mark.parametrize(
    ("login", "grant", "is_asked"),
    [
        ("exchange", OAuth2Grant.AUTHORIZATION_CODE, True),
        ("microsoft_365", OAuth2Grant.PASSWORD, False),
        ("microsoft_365_application", OAuth2Grant.CLIENT_CREDENTIALS, False),
        ("gmail", OAuth2Grant.AUTHORIZATION_CODE, True),
        ("google_service_account", OAuth2Grant.JWT_BEARER, False),
        ("client_secret", OAuth2Grant.CLIENT_CREDENTIALS, False),
        ("password", OAuth2Grant.CLIENT_CREDENTIALS, False),
    ],
)
def test_mode_decides_the_grant_or_leaves_it_free(
    login: str, grant: str, is_asked: bool
) -> None:
    rules = AuthenticationSettings(
        smtp_login=login, smtp_oauth2_grant=OAuth2Grant.CLIENT_CREDENTIALS
    )

    assert grant_of(rules) == grant
    assert is_interactive(rules) is is_asked


@pytest.mark.parametrize(
    ("login", "server", "token_url", "scope"),
    [
        (
            "exchange",
            "smtp.office365.com",
            f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
            "https://outlook.office.com/SMTP.Send offline_access openid profile email",
        ),
        (
            "microsoft_365_application",
            "smtp.office365.com",
            f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
            "https://outlook.office365.com/.default",
        ),
        (
            "gmail",
            "smtp.gmail.com",
            "https://oauth2.googleapis.com/token",
            "https://mail.google.com/ openid profile email",
        ),
    ],
)
def test_mode_fills_in_what_its_provider_prescribes(
    login: str, server: str, token_url: str, scope: str
) -> None:
    rules = saved(form_of(login))

    assert (rules.smtp_server, rules.smtp_port) == (server, 587)
    assert rules.smtp_security == "starttls"
    assert (rules.smtp_oauth2_token_url, rules.smtp_oauth2_scope) == (token_url, scope)


def test_what_was_filled_in_follows_another_mode_and_tenant() -> None:
    saved(form_of("exchange"))

    moved = saved(
        form_of("microsoft_365_application", smtp_oauth2_tenant="other.example")
    )
    assert "/other.example/" in moved.smtp_oauth2_token_url
    assert "/other.example/" in moved.smtp_oauth2_authorize_url
    assert moved.smtp_oauth2_scope == "https://outlook.office365.com/.default"

    google = saved(form_of("gmail"))
    assert google.smtp_server == "smtp.gmail.com"
    assert google.smtp_oauth2_token_url == "https://oauth2.googleapis.com/token"


def test_what_was_entered_stays() -> None:
    own = {
        "smtp_server": "relay.example.com",
        "smtp_port": "465",
        "smtp_security": "tls",
        "smtp_oauth2_token_url": "https://login.example.com/token",
        "smtp_oauth2_scope": "mail",
    }
    saved(form_of("exchange", **own))

    rules = saved(form_of("exchange", smtp_oauth2_client_id="other"))
    assert {name: str(getattr(rules, name)) for name in own} == own


def test_the_server_of_a_site_for_trying_out_gives_way(configure: Configure) -> None:
    local = {"smtp_server": "127.0.0.1", "smtp_port": 2525, "smtp_security": "none"}
    configure(**local)

    assert saved(form_of("gmail")).smtp_server == "smtp.gmail.com"


@pytest.mark.parametrize(
    ("login", "entered", "mailbox"),
    [
        ("microsoft_365", {}, "owner@example.com"),
        ("google_service_account", {"smtp_oauth2_subject": "vm@example.com"}, ""),
        ("exchange", {"smtp_email_address": "sender@example.com"}, ""),
    ],
)
def test_mailbox_is_whom_the_site_acts_for(
    login: str, entered: dict[str, str], mailbox: str
) -> None:
    rules = saved(form_of(login, smtp_username="", **entered))

    assert rules.smtp_username == (mailbox or next(iter(entered.values())))


@pytest.mark.parametrize(
    ("login", "name", "value", "words"),
    [
        ("exchange", "smtp_oauth2_tenant", "my tenant", "is no tenant"),
        ("microsoft_365", "smtp_oauth2_tenant", "common", "Enter your own tenant"),
        ("client_secret", "smtp_security", "none", "token would travel unencrypted"),
        ("client_secret", "smtp_oauth2_token_url", "http://idp.example/", "https"),
        ("client_secret", "smtp_oauth2_authorize_url", "idp.example", "whole address"),
        ("client_secret", "smtp_oauth2_parameters", "audience", "Enter parameters as"),
        ("client_secret", "smtp_oauth2_parameters", "state=1", "Remove state"),
        ("client_secret", "smtp_oauth2_scope", "a\nb", "line break"),
        ("exchange", "smtp_oauth2_client_secret_expires", "soon", "valid date"),
        ("google_service_account", "smtp_oauth2_private_key", "key", "no private key"),
    ],
)
def test_value_that_cannot_work_is_refused_in_words(
    login: str, name: str, value: str, words: str
) -> None:
    faults = form_of(login, **{name: value}).faults

    assert words in faults[name][0]
    assert set(faults) == {name}


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (lambda: key_pem("short"), "too short"),
        (lambda: key_pem("ec"), "cannot sign by the chosen algorithm"),
        (lambda: key_pem(passphrase="p"), "has a passphrase"),
    ],
    ids=["short", "curve", "locked"],
)
def test_key_that_cannot_sign_is_refused(pem: Callable[[], str], words: str) -> None:
    faults = form_of("private_key_jwt", smtp_oauth2_private_key=pem()).faults

    assert words in faults["smtp_oauth2_private_key"][0]


def test_curve_signs_by_its_own_algorithm() -> None:
    key = {"smtp_oauth2_private_key": key_pem("ec"), "smtp_oauth2_algorithm": "ES256"}

    assert form_of("private_key_jwt", **key).faults == {}


def test_certificate_of_another_key_is_refused() -> None:
    certificate = make_authority().ca_pem

    faults = form_of("private_key_jwt", smtp_oauth2_certificate=certificate).faults
    assert "of another key" in faults["smtp_oauth2_certificate"][0]


def test_key_without_its_line_breaks_is_read() -> None:
    in_one_line = key_pem().replace("\n", " ")

    rules = saved(form_of("private_key_jwt", smtp_oauth2_private_key=in_one_line))
    assert rules.smtp_oauth2_private_key == key_pem()


def test_googles_key_file_fills_in_its_three_fields() -> None:
    file = {
        "type": "service_account",
        "private_key": key_pem() + "\n",
        "private_key_id": "of the file",
        "client_email": "file@project.iam.gserviceaccount.com",
    }
    pasted = {
        "smtp_oauth2_private_key": json.dumps(file),
        "smtp_oauth2_key_id": "",
        "smtp_oauth2_issuer": "",
    }

    rules = saved(form_of("google_service_account", **pasted))
    assert rules.smtp_oauth2_key_id == "of the file"
    assert rules.smtp_oauth2_issuer == "file@project.iam.gserviceaccount.com"
    assert rules.smtp_oauth2_private_key == key_pem()


def test_wrong_value_of_a_field_that_is_not_shown_is_in_nobodys_way() -> None:
    rules = saved(form_of("gmail", smtp_oauth2_tenant="my tenant"))

    assert rules.smtp_oauth2_tenant == ""


def test_password_stays_for_whoever_goes_back_to_it(configure: Configure) -> None:
    configure(smtp_server="mail.example.com", smtp_password="p", **MAILBOX)
    changes = {"smtp_oauth2_client_secret": "s", **FREE}

    assert saved(form_of("client_secret", **changes)).smtp_password == "p"
    assert form_of(smtp_login="password").faults == {}


LOSING = {
    "smtp_server": "mail2.example.com",
    "smtp_port": "2525",
    "smtp_security": "tls",
    "smtp_oauth2_tenant": "other.example",
    "smtp_oauth2_client_id": "other",
    "smtp_oauth2_token_url": "https://login.other.example/token",
}


@pytest.mark.parametrize("name", LOSING)
def test_secret_goes_with_what_it_was_given_for(name: str) -> None:
    saved(form_of("exchange"))
    again = {"smtp_oauth2_client_secret": "", name: LOSING[name]}

    form = form_of("exchange", **again)
    assert form.faults.keys() == {"smtp_oauth2_client_secret"}
    assert "smtp_oauth2_client_secret" in form.lost_secrets


def test_secret_stays_while_its_host_does() -> None:
    saved(form_of("exchange"))
    path = f"https://login.microsoftonline.com/{TENANT}/oauth2/token"
    other_path = {"smtp_oauth2_client_secret": "", "smtp_oauth2_token_url": path}

    form = form_of("exchange", **other_path)
    assert (form.faults, form.lost_secrets) == ({}, [])
    assert saved(form).smtp_oauth2_client_secret == "the secret"


def test_date_is_kept_and_can_be_emptied() -> None:
    rules = saved(form_of("exchange", smtp_oauth2_client_secret_expires="2027-05-01"))
    assert str(rules.smtp_oauth2_client_secret_expires) == "2027-05-01"

    form = form_of(smtp_oauth2_client_secret_expires="")
    assert form.is_valid()
    assert form.changed_keys() == ["smtp_oauth2_client_secret_expires"]
    assert saved(form).smtp_oauth2_client_secret_expires is None


def test_modes_are_the_originals_and_one_more() -> None:
    assert [login.value for login in SmtpLogin] == ["password", *NEEDS]
