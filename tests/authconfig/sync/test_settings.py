"""The settings of the synchronisation, by the form that page and command line share."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import DEFAULT, Wish, wishes_of
from authconfig.settings_fields.synchronisation import DEFAULT_FILTER
from authconfig.validators import validate_ldap_filter
from pbxsite.administration.directory_runs.state import PRESETS
from pbxsite.management.authconfig_form import filled_form

SERVICE = {
    "netlogon_domain": "ad.example.com",
    "netlogon_bind_dn": "cn=service,dc=example",
    "netlogon_bind_password": "secret",
}
FAULTS = [
    ("directory_sync_filter", "(cn=x", "Pair the parentheses"),
    ("directory_sync_filter", "cn=x", "This is no LDAP filter"),
    ("directory_sync_filter", "(uid=%(user)s)", "Remove %(user)s"),
    ("directory_sync_base", "Staff", "is no DN"),
    ("directory_sync_group", "Staff", "is no DN"),
    ("directory_sync_admin_group", "Staff", "is no DN"),
    ("directory_sync_minutes", "4", "Enter a number from 5 to 1440."),
    ("directory_sync_minutes", "1441", "Enter a number from 5 to 1440."),
    ("directory_sync_most_removals_percent", "101", "Enter a number from 0 to 100."),
    ("directory_sync_attributes", "email=mail", "which attribute is the login name"),
    ("directory_sync_attributes", "name=uid, name=cn", "stands there twice"),
    ("directory_sync_attributes", "name=uid, fax=cn", "“fax” is no field"),
    ("directory_sync_attributes", "uid", "cannot be read"),
    ("directory_sync_attributes", "name=uid /(/", "is no regular expression"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("key", "value", "words"), FAULTS)
def test_a_fault_is_named_with_its_remedy(key: str, value: str, words: str) -> None:
    form = filled_form(AuthenticationSettings.load(), {key: value})

    assert list(form.faults) == [key]
    assert words in form.faults[key][0]


@pytest.mark.django_db
@pytest.mark.parametrize("missing", [*SERVICE, ""])
def test_the_switch_needs_a_domain_and_a_service_account(missing: str) -> None:
    values = SERVICE | {"directory_sync": "on"} | ({missing: ""} if missing else {})

    form = filled_form(AuthenticationSettings.load(), values)

    assert (missing in form.faults) == bool(missing)
    assert bool(form.faults) == bool(missing)


@pytest.mark.django_db
def test_emptied_fields_get_the_first_values() -> None:
    names = ("directory_sync_filter", "directory_sync_attributes")

    rules = filled_form(AuthenticationSettings.load(), dict.fromkeys(names, ""))

    assert rules.is_valid()
    new = rules.new_rules()
    assert (new.directory_sync_filter, new.directory_sync_attributes) == (
        DEFAULT_FILTER,
        DEFAULT,
    )


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: str(preset.name))
def test_presets_are_valid(preset: object) -> None:
    validate_ldap_filter(preset.filter)
    assert wishes_of(preset.attributes)


VALUES = [
    ("telephoneNumber", {"telephonenumber": ["+49 711 5-123"]}, "+49 711 5-123"),
    ("telephoneNumber /(\\d{3})$/", {"telephonenumber": ["+49 711 5-123"]}, "123"),
    ("telephoneNumber /\\d{4}$/", {"telephonenumber": ["+49 711 5-123"]}, ""),
    ("telephoneNumber /^.{1,3}/", {"telephonenumber": ["12345"]}, "123"),
    ("telephoneNumber /a|(b)/", {"telephonenumber": ["a"]}, ""),
    ("ipPhone|telephoneNumber", {"telephonenumber": ["1"]}, "1"),
    ("ipPhone|telephoneNumber", {"telephonenumber": ["1"], "ipphone": ["2"]}, "2"),
    ("ipPhone|telephoneNumber", {"telephonenumber": ["1"], "ipphone": [" "]}, "1"),
    ("proxyAddresses", {"proxyaddresses": ["smtp:b@x", "SMTP:a@x", "x500:c"]}, "a@x"),
    ("proxyAddresses", {"proxyaddresses": ["smtp:b@x"]}, "b@x"),
    ("proxyAddresses", {"proxyaddresses": ["x500:c"]}, ""),
    ("mail", {}, ""),
]


@pytest.mark.parametrize(("wish", "entry", "expected"), VALUES)
def test_a_value_is_what_the_wish_says(
    wish: str, entry: dict[str, list[str]], expected: str
) -> None:
    (number,) = (
        w for w in wishes_of(f"name=uid, number={wish}") if w.field == "number"
    )

    assert isinstance(number, Wish)
    assert number.value_in(entry) == expected


def test_a_comma_in_a_pattern_divides_nothing() -> None:
    name, number = wishes_of("name=uid,number=ipPhone /^\\d{2,4}$/")

    assert number.value_in({"ipphone": ["123"]}) == "123"
    assert name.names == ("uid",)


def test_errors_are_validation_errors() -> None:
    with pytest.raises(ValidationError):
        wishes_of("")
