from __future__ import annotations

from copy import copy
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType, Event
from authconfig.models import AuthenticationSettings
from authconfig.users.changes import end_sessions
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from verification.login import rescue as rescue_module
from verification.login.models import RescueLink

pytestmark = pytest.mark.django_db
PROVIDERS = {
    "oauth2_provider_name": "Windows",
    "oauth2_well_known_url": "https://idp.example/.well-known/openid-configuration",
    "oauth2_client_id": "pbx",
    "netlogon_domain": "ad.example.com",
}


def rescue(*words: str) -> str:
    """Run the command and return its link without the host."""
    out = StringIO()
    call_command("rescue", *words, stdout=out, stderr=StringIO())
    link = urlsplit(out.getvalue().splitlines()[-1])
    assert f"{link.scheme}://{link.netloc}" == "http://127.0.0.1:8000"
    return f"{link.path}?{link.query}"


def is_administrator(browser: Browser) -> bool:
    return browser.get("/admin/").status_code == 200


@pytest.mark.parametrize("type_", AuthenticationType)
def test_the_link_opens_the_admin_whatever_the_settings_are(
    administrator: PbxUser,
    browser: Browser,
    configure: SettingsSetter,
    type_: AuthenticationType,
) -> None:
    mail = {"smtp_server": "127.0.0.1", "smtp_port": 1, "verification_link": LINK}
    configure(authentication_type=type_, two_factor=True, **mail, **PROVIDERS)

    response = browser.post(rescue())

    assert response.url == "/admin/"
    assert is_administrator(browser)


def test_a_password_that_nobody_knows_is_no_obstacle(
    administrator: PbxUser, browser: Browser
) -> None:
    administrator.set_unusable_password()
    administrator.save()

    browser.post(rescue())

    assert is_administrator(browser)


def test_opening_the_link_changes_nothing(
    administrator: PbxUser, browser: Browser
) -> None:
    link = rescue()
    events = AuditEvent.objects.count()

    for method in (browser.get, browser.head, browser.options):
        assert method(link).status_code == 200

    assert not is_administrator(browser)
    assert AuditEvent.objects.count() == events
    assert "admin" in browser.get(link).content.decode()
    assert browser.post(link).status_code == 302


@pytest.mark.parametrize("after", [".", ">", "%253E"])
def test_a_link_that_a_chat_has_spoiled_still_opens(
    administrator: PbxUser, browser: Browser, after: str
) -> None:
    address = rescue().replace("%3A", ":").replace(":", "%253A")

    assert browser.get(f"{address}{after}").status_code == 200


def test_the_link_works_once(administrator: PbxUser, browser: Browser) -> None:
    link = rescue()
    browser.post(link)
    other = Browser()

    assert other.get(link).status_code == 410
    assert other.post(link).status_code == 410
    assert not is_administrator(other)
    assert is_administrator(browser)


def test_of_two_uses_at_the_same_time_one_logs_in(
    administrator: PbxUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found the link open before either of them uses it."""
    address = rescue()
    found = RescueLink.objects.select_related("user").get()
    monkeypatch.setattr(rescue_module, "_find", lambda _: copy(found))

    statuses = [Browser().post(address).status_code for _ in range(2)]

    assert statuses == [302, 410]
    assert AuditEvent.objects.filter(event=Event.LOGIN).count() == 1


def test_a_newer_link_voids_the_older(administrator: PbxUser, browser: Browser) -> None:
    older, newer = rescue(), rescue()

    assert Browser().post(older).status_code == 410
    assert browser.post(newer).status_code == 302


def test_a_login_of_somebody_who_knows_the_password_voids_no_link(
    administrator: PbxUser, browser: Browser, start: Starter
) -> None:
    link = rescue()
    start(Browser(), "admin")

    assert browser.post(link).status_code == 302


def test_a_link_is_used_up_by_itself_and_not_by_the_last_login(
    administrator: PbxUser, browser: Browser
) -> None:
    link = rescue()
    browser.post(link)
    PbxUser.objects.update(last_login=None)

    assert Browser().post(link).status_code == 410


def test_a_deactivation_in_between_voids_the_link(administrator: PbxUser) -> None:
    link = rescue()
    end_sessions([administrator])

    assert Browser().post(link).status_code == 410


@pytest.mark.parametrize(("minutes", "status"), [(9.9, 302), (10.1, 410)])
def test_the_link_works_for_ten_minutes(
    administrator: PbxUser, browser: Browser, minutes: float, status: int
) -> None:
    link = rescue()

    with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
        assert browser.post(link).status_code == status


@pytest.mark.parametrize("token", ["", "forged", "Im5vbmUi:1abc:def"])
def test_a_forged_link_is_stale(browser: Browser, token: str) -> None:
    assert browser.get("/login/rescue/", {"id": token}).status_code == 410
    assert browser.post(f"/login/rescue/?id={token}").status_code == 410


@pytest.mark.parametrize("lost", ["is_staff", "is_active"])
def test_the_link_is_for_who_still_is_an_administrator(
    administrator: PbxUser, browser: Browser, lost: str
) -> None:
    link = rescue()
    PbxUser.objects.update(**{lost: False})

    assert browser.post(link).status_code == 410


def test_making_a_link_ends_the_administrators_sessions(
    administrator: PbxUser, user: PbxUser, start: Starter
) -> None:
    stolen, other = Browser(), Browser()
    start(stolen, "admin")
    start(other)

    rescue()

    assert stolen.get("/account/").status_code == 302
    assert other.get("/account/").status_code == 200


def test_the_rescued_session_is_listed_and_recorded(
    administrator: PbxUser, browser: Browser
) -> None:
    browser.post(rescue())

    page = browser.get("/account/").content.decode()
    assert "Rescue link" in page
    kinds = AuditEvent.objects.order_by("pk").values_list("event", "user_name")
    assert list(kinds) == [(Event.RESCUED, "admin"), (Event.LOGIN, "admin")]


def test_the_link_takes_over_a_browser_of_somebody_else(
    administrator: PbxUser, user: PbxUser, browser: Browser, start: Starter
) -> None:
    start(browser)
    key = browser.session.session_key

    browser.post(rescue())

    assert is_administrator(browser)
    assert browser.session.session_key != key


def test_the_form_asks_for_its_token(administrator: PbxUser) -> None:
    assert Browser(enforce_csrf_checks=True).post(rescue()).status_code == 403


def test_the_page_is_neither_stored_nor_told_to_others(
    administrator: PbxUser, browser: Browser
) -> None:
    response = browser.get(rescue())

    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("name", ["ADMIN", "admin"])
def test_the_administrator_is_named_in_any_spelling(
    administrator: PbxUser, browser: Browser, name: str
) -> None:
    browser.post(rescue(name))

    assert is_administrator(browser)


def test_without_a_name_it_is_the_one_with_all_rights(browser: Browser) -> None:
    PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    PbxUser.objects.create_superuser("owner", PASSWORD)

    assert "owner" in browser.get(rescue()).content.decode()


@pytest.mark.parametrize("name", ["anna", "nobody", "gone"])
def test_nobody_else_gets_a_link(user: PbxUser, name: str) -> None:
    PbxUser.objects.create_superuser("gone", PASSWORD, is_active=False)

    with pytest.raises(CommandError, match=f"{name} is no active administrator"):
        rescue(name)

    assert not AuditEvent.objects.exists()


def test_without_any_administrator_it_says_how_to_make_one(db: None) -> None:
    with pytest.raises(CommandError, match="pbxusers add NAME --admin"):
        rescue("--reset")


def test_reset_sets_pbx_only_without_two_factor(
    administrator: PbxUser, two_factor: AuthenticationSettings, start: Starter
) -> None:
    rescue("--reset")

    row = AuthenticationSettings.objects.get()
    assert (row.authentication_type, row.two_factor) == ("pbx_only", False)
    assert row.smtp_server == two_factor.smtp_server
    assert AuditEvent.objects.filter(event=Event.SETTING_CHANGED).exists()


def test_without_reset_the_settings_stay(
    administrator: PbxUser, two_factor: AuthenticationSettings
) -> None:
    rescue()

    assert AuthenticationSettings.objects.get().two_factor


def test_a_refused_reset_changes_nothing(
    user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    with pytest.raises(CommandError):
        rescue("anna", "--reset")

    assert AuthenticationSettings.objects.get().two_factor
