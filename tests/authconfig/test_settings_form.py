from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authconfig.lockout import Lockout
from authconfig.models import AuthenticationSettings
from authconfig.sections import SECRETS
from authconfig.settings_form import OutsideFacts, SettingsForm
from tests.support.certificates import make_authority
from tests.support.settings_data import (
    ACCOUNT,
    NEEDS,
    OAUTH2,
    WEBHOOK,
    WEBHOOK_SECRET,
    posted,
)

Configure = Callable[..., AuthenticationSettings]
OTHER_VALUES = {
    "smtp_server": "mail2.example.com",
    "smtp_port": "2525",
    "smtp_security": "tls",
    "smtp_username": "other",
    "netlogon_domain": "ad2.example.com",
    "netlogon_servers": "dc2.ad.example.com",
    "netlogon_security": "starttls",
    "netlogon_bind_dn": "cn=other",
    "oauth2_well_known_url": "https://idp2.example.com/.well-known/openid-configuration",
    "oauth2_client_id": "other",
    "alarm_webhook_url": "https://alarms2.example.com/pbx",
}
BINDINGS = [
    (secret, field)
    for secret, fields in SECRETS.items()
    for field in fields
    if field in OTHER_VALUES
]
# Their fields refuse what is left without a secret.
NEEDS_SECRET = ("smtp_username", "alarm_webhook_url")
NEW_SECRETS = {"alarm_webhook_secret": WEBHOOK_SECRET}
AGAIN = {"smtp_password": ["Enter the password again, or empty the user name."]}

pytestmark = pytest.mark.django_db


def form_of(
    *, is_accepted: bool = True, refusal: Lockout | None = None, **changes: str
) -> SettingsForm:
    outside = OutsideFacts(
        account_was_accepted=lambda _row: is_accepted,
        lockout=lambda _old, _new: refusal,
    )
    row = AuthenticationSettings.load()
    return SettingsForm(posted(**changes), instance=row, outside=outside)


def faulty(form: SettingsForm) -> set[str]:
    return set(form.errors)


def test_fresh_site_as_the_page_shows_it_is_valid_and_changes_nothing() -> None:
    form = form_of()

    assert form.faults == {}
    assert list(form.changes()) == []
    assert form.changed_keys() == []


@pytest.mark.parametrize("kind", NEEDS)
def test_authentication_type_is_valid_with_what_it_needs(kind: str) -> None:
    assert form_of(authentication_type=kind, **NEEDS[kind]).faults == {}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in NEEDS for name in NEEDS[kind]]
)
def test_authentication_type_names_what_it_misses(kind: str, name: str) -> None:
    form = form_of(authentication_type=kind, **(NEEDS[kind] | {name: ""}))

    assert faulty(form) == {name}


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "{id}"])
def test_a_provider_for_many_organisations_is_refused(tenant: str) -> None:
    url = f"https://login.example/{tenant}/v2.0/.well-known/openid-configuration"

    form = form_of(**OAUTH2 | {"oauth2_well_known_url": url})

    assert "oauth2_well_known_url" in faulty(form)


def test_two_factor_waits_for_an_accepted_test() -> None:
    refused = form_of(is_accepted=False, two_factor="on", **ACCOUNT)
    allowed = form_of(is_accepted=True, two_factor="on", **ACCOUNT)

    assert faulty(refused) == {"two_factor"}
    assert "Send test" in refused.faults["two_factor"][0]
    assert allowed.faults == {}


@pytest.mark.parametrize("name", ACCOUNT)
def test_two_factor_names_what_it_misses(name: str) -> None:
    form = form_of(two_factor="on", **(ACCOUNT | {name: ""}))

    assert faulty(form) == {name}


def test_missing_account_is_named_beside_another_fault() -> None:
    form = form_of(two_factor="on", oauth2_scope="profile")

    assert faulty(form) == {*ACCOUNT, "oauth2_scope"}


@pytest.mark.parametrize(
    ("changes", "is_valid"),
    [
        ({"smtp_server": "mail2.example.com"}, False),
        ({"smtp_client_host_name": "pbx.example"}, False),
        ({"smtp_password": "new"}, False),
        ({"smtp_sender_name": "Telephone"}, True),
        ({"oauth2_scope": "openid"}, True),
    ],
)
def test_changed_account_is_tested_anew_while_two_factor_is_on(
    configure: Configure, changes: dict[str, str], is_valid: bool
) -> None:
    configure(two_factor=True, **ACCOUNT)

    assert form_of(is_accepted=False, **changes).is_valid() is is_valid


def test_lockout_is_a_fault_of_the_field_to_blame() -> None:
    form = form_of(
        refusal=Lockout("authentication_type", "Nobody could log in."),
        authentication_type="netlogon_only",
        **NEEDS["netlogon_only"],
    )

    assert form.faults == {"authentication_type": ["Nobody could log in."]}


@pytest.mark.parametrize(
    ("secret", "field"), [pair for pair in BINDINGS if pair[1] not in NEEDS_SECRET]
)
def test_changed_server_takes_the_secret_away(
    configure: Configure, secret: str, field: str
) -> None:
    configure(**{secret: "geheim"})
    form = form_of(**{field: OTHER_VALUES[field]})

    assert form.is_valid(), form.errors
    assert form.lost_secrets == [secret]
    assert getattr(form.new_rules(), secret) == ""
    form.save()
    assert getattr(AuthenticationSettings.load(), secret) == ""


def test_a_webhook_elsewhere_asks_for_its_secret(configure: Configure) -> None:
    configure(**WEBHOOK)

    form = form_of(alarm_webhook_url=OTHER_VALUES["alarm_webhook_url"])

    assert faulty(form) == {"alarm_webhook_secret"}
    # What it makes is taken.
    assert 'echo "whsec_$(openssl rand' in form.faults["alarm_webhook_secret"][0]
    assert form_of(alarm_recipients="a@b.example").faults == {}


def test_a_webhook_that_goes_takes_its_secret_along(configure: Configure) -> None:
    configure(**WEBHOOK)

    assert form_of(alarm_webhook_url="").save().alarm_webhook_secret == ""


@pytest.mark.parametrize(("secret", "field"), BINDINGS)
def test_new_secret_comes_with_the_changed_server(
    configure: Configure, secret: str, field: str
) -> None:
    configure(**{secret: "geheim"})
    new = NEW_SECRETS.get(secret, "neu")
    form = form_of(**{field: OTHER_VALUES[field], secret: new})

    assert form.is_valid(), form.errors
    assert form.lost_secrets == []
    assert getattr(form.save(), secret) == new


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {field: OTHER_VALUES[field]}
            for secret, field in BINDINGS
            if "smtp" in secret
        ),
        {"smtp_ca_certificate": make_authority().ca_pem},
        {"smtp_password-remove": "on"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_user_name_is_left_without_a_password(
    configure: Configure, changes: dict[str, str]
) -> None:
    configure(smtp_username="pbx", smtp_password="geheim")

    assert form_of(**changes).faults == AGAIN
    assert form_of(**changes | {"smtp_username": ""}).faults == {}
    if "smtp_password-remove" not in changes:
        assert form_of(**changes, smtp_password="neu").faults == {}


def test_a_user_name_that_has_no_password_from_before_is_not_saved_again(
    configure: Configure,
) -> None:
    configure(smtp_username="pbx")

    assert form_of(smtp_sender_name="Telephone").faults == AGAIN


def test_an_empty_user_name_takes_the_password_along(configure: Configure) -> None:
    configure(smtp_username="pbx", smtp_password="geheim")

    saved = form_of(smtp_username="").save()

    assert (saved.smtp_username, saved.smtp_password) == ("", "")


def test_secret_that_is_not_posted_goes_with_its_server(configure: Configure) -> None:
    configure(smtp_password="geheim")
    form = form_of(smtp_server="mail2.example.com")
    form.data.pop("smtp_password")

    assert form.is_valid()
    form.save()
    assert AuthenticationSettings.load().smtp_password == ""


def test_empty_secret_keeps_what_is_stored(configure: Configure) -> None:
    configure(smtp_password="geheim")
    form = form_of(smtp_sender_name="Telephone")

    assert form.is_valid()
    assert form.save().smtp_password == "geheim"


def test_ticked_box_removes_the_secret(configure: Configure) -> None:
    configure(smtp_password="geheim")
    form = form_of(**{"smtp_password-remove": "on"})

    assert form.is_valid()
    assert list(form.changes()) == [("smtp_password", "set", "removed")]
    assert form.save().smtp_password == ""


def test_secret_never_stands_in_the_form(configure: Configure) -> None:
    configure(**dict.fromkeys(SECRETS, "geheim"))

    assert "geheim" not in form_of(smtp_password="geheim").as_p()


def test_certificate_with_other_line_ends_is_the_same(configure: Configure) -> None:
    pem = make_authority().ca_pem
    configure(smtp_password="geheim", smtp_ca_certificate=pem)
    form = form_of(smtp_ca_certificate=pem.replace("\n", "\r\n"))

    assert form.is_valid(), form.errors
    assert form.lost_secrets == []
    assert list(form.changes()) == []


@pytest.mark.parametrize(
    ("entered", "server", "port"),
    [
        ("mail.example.com:2525", "mail.example.com", 2525),
        ("[2001:db8::1]:25", "2001:db8::1", 25),
        ("2001:db8::1", "2001:db8::1", 587),
        ("10.0.0.1", "10.0.0.1", 587),
    ],
)
def test_server_with_a_port_is_split(entered: str, server: str, port: int) -> None:
    form = form_of(smtp_server=entered)

    assert form.is_valid(), form.errors
    assert (form.new_rules().smtp_server, form.new_rules().smtp_port) == (server, port)


@pytest.mark.parametrize(
    ("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)]
)
def test_empty_port_is_the_usual_one_of_the_security(security: str, port: int) -> None:
    form = form_of(smtp_security=security, smtp_port="")

    assert form.is_valid(), form.errors
    assert form.new_rules().smtp_port == port


def test_chosen_port_stays_with_another_security() -> None:
    form = form_of(smtp_security="tls", smtp_port="587")

    assert form.is_valid()
    assert form.new_rules().smtp_port == 587


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("smtp_client_host_name", "127.0.0.1"),
        ("smtp_connections", 3),
        ("smtp_mails_per_connection", 10),
        ("netlogon_user_filter", "(sAMAccountName=%(user)s)"),
        ("netlogon_max_failures", 3),
        ("oauth2_scope", "openid profile email"),
        ("oauth2_upn_claim", "upn"),
    ],
)
def test_empty_field_has_the_value_of_a_fresh_site(name: str, default: Any) -> None:
    form = form_of(**{name: ""})

    assert form.is_valid(), form.errors
    assert getattr(form.save(), name) == default


@pytest.mark.parametrize(
    ("server", "password", "is_valid"),
    [
        ("mail.example.com", "geheim", False),
        ("mail.example.com", "", True),
        ("127.0.0.1", "geheim", True),
        ("localhost", "geheim", True),
        ("::1", "geheim", True),
    ],
)
def test_password_travels_unencrypted_on_this_machine_alone(
    server: str, password: str, is_valid: bool
) -> None:
    form = form_of(smtp_server=server, smtp_password=password, smtp_security="none")

    assert faulty(form) == (set() if is_valid else {"smtp_security"})


@pytest.mark.parametrize(
    ("servers", "is_valid"),
    [
        ("", False),
        ("dc1.ad.example.com", False),
        ("127.0.0.1, dc1.ad.example.com", False),
        ("127.0.0.1:3389, localhost", True),
    ],
)
def test_directory_is_asked_unencrypted_on_this_machine_alone(
    servers: str, is_valid: bool
) -> None:
    form = form_of(netlogon_security="none", netlogon_servers=servers)

    assert faulty(form) == (set() if is_valid else {"netlogon_security"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authentication_type", "none"),
        ("authentication_type", ""),
        ("oauth2_domain", "not a domain"),
        ("smtp_server", "mail example"),
        ("smtp_server", "mail.example.com:0"),
        ("smtp_port", "65536"),
        ("smtp_connections", "0"),
        ("smtp_mails_per_connection", "0"),
        ("smtp_mails_per_connection", "1001"),
        ("smtp_email_address", "pbx"),
        ("smtp_sender_name", "PBX\r\nBcc: all@example.com"),
        ("smtp_username", "user\x00"),
        ("smtp_ca_certificate", "no certificate"),
        ("verification_link", "/PBX0/session.xml"),
        ("verification_link", "http://pbx.example/PBX0/session.xml"),
        ("netlogon_user_filter", "(uid=admin)"),
        ("netlogon_max_failures", "0"),
        ("oauth2_well_known_url", "http://idp.example.com/"),
        ("oauth2_scope", "profile"),
        ("oauth2_authorize_query", "prompt=login"),
        ("oauth2_authorize_query", "&prompt=login&response_mode=form_post"),
    ],
)
def test_wrong_value_is_refused_at_its_field(name: str, value: str) -> None:
    assert faulty(form_of(**{name: value})) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verification_link", "http://127.0.0.1:8000/PBX0/session.xml"),
        ("oauth2_well_known_url", "http://localhost:9000/.well-known/x"),
        ("oauth2_authorize_query", "&prompt=login"),
        ("oauth2_domain", "bücher.example"),
        ("smtp_sender_name", "Jürgens Büro"),
    ],
)
def test_right_value_is_kept_as_entered(name: str, value: str) -> None:
    form = form_of(**{name: value})

    assert form.is_valid(), form.errors
    assert getattr(form.save(), name) == value


def test_fields_that_are_not_in_use_are_kept() -> None:
    form_of(authentication_type="pbx_and_oauth2", **OAUTH2).save()
    form_of(authentication_type="pbx_only").save()

    assert AuthenticationSettings.load().oauth2_client_id == "pbx"


def test_what_is_saved_is_what_was_judged() -> None:
    form = form_of(authentication_type="pbx_and_oauth2", **OAUTH2)
    assert form.is_valid()
    judged = form.new_rules()
    form.save()

    saved = AuthenticationSettings.load()
    for name in form.fields:
        assert getattr(saved, name) == getattr(judged, name)
