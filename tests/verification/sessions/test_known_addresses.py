"""Where a user's logins were completed, remembered by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.attacks import accept_by_link
from verification.approval.flows import is_known
from verification.approval.models import LoginSession
from verification.sessions import lifecycle
from verification.sessions.choices import Approver, Source
from verification.sessions.models import KnownAddress
from verification.sessions.signed_in import end_never_approved
from verification.sessions.tasks import clear_expired_sessions

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def at(address: str = HERE) -> Browser:
    return Browser(REMOTE_ADDR=address)


def guess(start: Starter, address: str = ELSEWHERE) -> None:
    for number in range(11):
        start(at(address), password=f"guess {number}")


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_strangers_keep_no_owner_out_who_has_logged_out(
    start: Starter, path: str
) -> None:
    browser = at()
    start(browser, path=path)
    browser.post("/logout/")
    guess(start)

    assert start(at(), path=path).status_code == 302
    assert start(at(ELSEWHERE), path=path).status_code == 429


def test_a_device_is_known_in_all_of_its_ipv6_network(start: Starter) -> None:
    start(at("2001:db8:1:2::a"))
    guess(start)

    assert start(at("2001:db8:1:2:ffff::b")).status_code == 302
    assert start(at("2001:db8:1:3::a")).status_code == 429
    assert KnownAddress.objects.get().address == "2001:db8:1:2::"


def test_a_login_makes_its_address_known_once_it_is_approved_and_completed(
    two_factor: AuthenticationSettings, start: Starter, user: PbxUser
) -> None:
    browser = at()
    start(browser)
    assert not is_known(user, HERE)
    accept_by_link(LoginSession.objects.get())
    assert not is_known(user, HERE)

    browser.post("/login/waiting/continue/")

    assert is_known(user, HERE)
    assert KnownAddress.objects.get().is_approved


def test_a_login_of_mypbx_makes_an_address_known_to_mypbx_alone(
    start: Starter, user: PbxUser
) -> None:
    start(at(), path="/mypbx/login/")

    assert lifecycle.source_of("anna", HERE, Kind.MYPBX) is Source.KNOWN
    assert lifecycle.source_of("anna", HERE, Kind.MYAPPS) is Source.ELSEWHERE


@pytest.mark.database
def test_an_address_is_forgotten_ninety_days_after_its_last_login(
    start: Starter, user: PbxUser
) -> None:
    start(at())
    now = timezone.now()

    with time_machine.travel(now + timedelta(days=60)):
        cache.clear()
        start(at())
    with time_machine.travel(now + timedelta(days=149)):
        clear_expired_sessions()
        assert is_known(user, HERE)
    with time_machine.travel(now + timedelta(days=151)):
        assert not is_known(user, HERE)
        clear_expired_sessions()
    assert not KnownAddress.objects.exists()


@pytest.mark.database
def test_a_user_has_fifty_addresses_at_most_the_latest(user: PbxUser) -> None:
    for number in range(1, 53):
        lifecycle.remember(user, f"192.0.2.{number}", Kind.MYAPPS, Approver.EMAIL)

    assert KnownAddress.objects.count() == 50
    assert not is_known(user, "192.0.2.2")
    assert is_known(user, "192.0.2.3")


def test_addresses_go_with_their_user(start: Starter, user: PbxUser) -> None:
    start(at())
    start(at(), password="wrong")

    user.delete()

    assert not KnownAddress.objects.exists()


def test_what_the_password_alone_opened_is_forgotten_with_its_sessions(
    start: Starter, user: PbxUser, configure: SettingsSetter
) -> None:
    start(at())
    start(at(ELSEWHERE), path="/mypbx/login/")
    lifecycle.remember(user, "192.0.2.8", Kind.MYAPPS, Approver.EMAIL)

    end_never_approved(actor=None)

    assert not is_known(user, HERE)
    assert is_known(user, "192.0.2.8")
    assert lifecycle.source_of("anna", ELSEWHERE, Kind.MYPBX) is Source.KNOWN


@pytest.mark.database
def test_two_first_logins_at_once_make_one_row(user: PbxUser) -> None:
    row = KnownAddress(user=user, kind=Kind.MYAPPS, address=HERE)
    KnownAddress.objects.bulk_create([row, row], ignore_conflicts=True)
    lifecycle.remember(user, HERE, Kind.MYAPPS)

    assert KnownAddress.objects.count() == 1
