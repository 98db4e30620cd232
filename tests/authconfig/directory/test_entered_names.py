"""DNs and filters that no directory could read are refused where they are entered."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    failure,
    failure_words,
)
from tests.authconfig.test_settings_form import form_of
from tests.conftest import SettingsSetter, Starter
from tests.pbxsite.management.test_authconfig import Ran
from tests.support.directory import SERVICE, WINDOWS_PASSWORD
from tests.support.scripted_directory import (
    Entries,
    SearchRefusedError,
    scripted_directory,
)

pytestmark = pytest.mark.django_db
PROTOCOL_ERROR = 2
NO_DN, NO_FILTER = "is no DN", "This is no LDAP filter."
WRONG = [
    ("netlogon_group", "Telephone", NO_DN),
    ("netlogon_group", "AD\\Telephone", NO_DN),
    ("netlogon_group", "CN=Huber, Anna,OU=Groups,DC=ad,DC=example,DC=com", NO_DN),
    ("netlogon_base_dn", "ad.example.com", NO_DN),
    ("netlogon_base_dn", "DC=ad,DC=example,DC=com,", NO_DN),
    ("netlogon_bind_dn", "CN=Huber, Anna,DC=ad,DC=example,DC=com", NO_DN),
    ("netlogon_user_filter", "uid=%(user)s", "Enter a filter in parentheses with"),
    ("netlogon_user_filter", "(uid=anna)", "with %(user)s for the login name"),
    ("netlogon_user_filter", "(&(uid=%(user)s)(a=b)", "opens 3 of them and closes 2."),
    ("netlogon_user_filter", "(uid=%(user)s))", "opens 1 of them and closes 2."),
    ("netlogon_user_filter", "(uid=%(user)s)(a=b)", NO_FILTER),
    ("netlogon_user_filter", "((uid=%(user)s))", NO_FILTER),
    ("netlogon_user_filter", "(!(uid=%(user)s)(a=b))", NO_FILTER),
    ("netlogon_user_filter", "(uid %(user)s)", NO_FILTER),
    ("netlogon_user_filter", "(uid=\\%(user)s)", NO_FILTER),
    ("netlogon_user_filter", "(%(user)s=anna)", NO_FILTER),
    ("netlogon_user_filter", "(uid:%(user)s:=anna)", NO_FILTER),
]
FILTERS = [
    "(uid=%(user)s)",
    "(|(uid=%(user)s)(mail=%(user)s@example.com))",
    "(&(uid=%(user)s)(memberOf=CN=Desk \\28all\\29,DC=ad,DC=example,DC=com))",
    "(&(uid=%(user)s)(!(description=100% %s)))",
    "(&(uid=%(user)s)(description=\\(old\\)))",
    "(& (uid=%(user)s) (memberOf:1.2.840.113556.1.4.1941:=CN=All,DC=example) )",
    "(&(uid=%(user)s)(cn>=a)(sn~=b)(mail=*)(cn;lang-de=*ü*))",
]
RIGHT = [
    ("netlogon_group", "CN=Huber\\, Anna,OU=Groups,DC=ad,DC=example,DC=com"),
    ("netlogon_group", "cn=tel + ou=x , dc=example"),
    ("netlogon_group", "<GUID=1f0c1c5e-8f2b-4c3e-9a57-6a1d0b7c2e11>"),
    ("netlogon_base_dn", "O=Büro"),
    ("netlogon_bind_dn", "CN=PBX,DC=ad,DC=example,DC=com"),
    ("netlogon_bind_dn", "pbx@ad.example.com"),
    ("netlogon_bind_dn", "AD\\pbx"),
    *(("netlogon_user_filter", filter_) for filter_ in FILTERS),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_what_cannot_be_parsed_is_refused_in_words(
    name: str, value: str, words: str
) -> None:
    form = form_of(**{name: value})

    assert set(form.faults) == {name}
    assert words in form.faults[name][0]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_what_can_be_parsed_is_kept_as_entered(name: str, value: str) -> None:
    form = form_of(**{name: value})

    assert form.faults == {}
    assert getattr(form.save(), name) == value


def test_the_command_line_refuses_it_in_the_same_words() -> None:
    ran = Ran("set", "netlogon_group=Telephone", "netlogon_user_filter=(%(user)s)")

    assert ran.status == 1
    assert "netlogon_group: “Telephone” is no DN. Enter one like OU=" in ran.err
    assert f"netlogon_user_filter: {NO_FILTER}" in ran.err


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_directory_reads_every_filter_that_is_taken(
    netlogon: SettingsSetter, start: Starter, browser: Browser, filter_: str
) -> None:
    netlogon(netlogon_user_filter=filter_)

    start(browser, password=WINDOWS_PASSWORD)
    assert failure().detail == "search: no such account in the directory"


def test_a_group_that_was_stored_before_is_named(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_group="Telephone")

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert failure().detail == "group: the required group is no DN"


def test_a_filter_that_the_directory_cannot_read_is_named(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    def search(_base: str, _request: bytes) -> Entries:
        raise SearchRefusedError(PROTOCOL_ERROR)

    with scripted_directory(on_search=search) as server:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{server.port}")
        response = start(browser, password=WINDOWS_PASSWORD)

    assert server.binds[0][0] == SERVICE
    assert NO_ANSWER in failure_words(response)
    assert failure().detail.startswith("search: the user filter is no LDAP filter")
