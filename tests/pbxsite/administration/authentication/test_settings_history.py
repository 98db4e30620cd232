"""Who changed a setting last, what it was, and how it is taken back."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.models import AuthenticationSettings
from authconfig.sections import SECRETS
from authconfig.users import audit
from authconfig.users.models import PbxUser, SettingChange
from authconfig.users.settings_history import MOST_OF_A_FIELD
from tests.conftest import SettingsSetter
from tests.support.html import Page
from tests.support.settings_data import posted

PAGE = "/admin/authconfig/authenticationsettings/"


def past_lines(browser: Browser) -> list[str]:
    return Page(browser.get(PAGE).content.decode()).texts("past")


@pytest.mark.database
def test_page_says_who_changed_a_field_last_and_what_it_was(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(smtp_sender_name="First", two_factor=False)
    admin.post(PAGE, posted(smtp_sender_name="Second"))
    admin.post(PAGE, posted(smtp_sender_name="Third", password_changes_forbidden="on"))

    lines = past_lines(admin)

    assert len(lines) == 3
    assert all("Changed by admin on" in line for line in lines)
    for told in ("Second", "First", "Off"):
        assert any(f"before: {told} Restore" in line for line in lines)


@pytest.mark.database
def test_older_values_can_be_restored_too(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(smtp_sender_name="0")
    for number in range(1, MOST_OF_A_FIELD + 3):
        admin.post(PAGE, posted(smtp_sender_name=str(number)))

    page = Page(admin.get(PAGE).content.decode())

    offered = page.find(**{"data-restore": "smtp_sender_name"})
    assert [link["data-value"] for link in offered] == [
        str(number) for number in range(MOST_OF_A_FIELD + 1, 1, -1)
    ]
    assert page.texts("older")[0].startswith("Older values (Sender name)")
    oldest = admin.get(PAGE + offered[-1]["href"])
    assert oldest.context["form"]["smtp_sender_name"].value() == "2"


def test_a_choice_is_told_in_the_pages_words(admin: Browser) -> None:
    admin.post(PAGE, posted(smtp_security="tls", smtp_port="465"))

    assert any("before: STARTTLS" in line for line in past_lines(admin))


def test_the_command_line_is_somebody_too(admin: Browser) -> None:
    call_command("authconfig", "set", "smtp_sender_name=Telephone")

    (line,) = past_lines(admin)
    assert "by somebody on the server's command line" in line
    assert "before: empty" in line


def test_what_a_rescue_changed_can_be_restored(
    admin: Browser, administrator: PbxUser, configure: SettingsSetter
) -> None:
    configure(authentication_type="netlogon_only", netlogon_domain="ad.example.com")

    call_command("rescue", "admin", "--reset")

    change = SettingChange.objects.get()
    assert (change.field, change.before) == ("authentication_type", "netlogon_only")


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("smtp_sender_name", "First", {"smtp_sender_name": "Second"}),
        ("forgotten_password", False, {"forgotten_password": "on"}),
        ("smtp_port", 2525, {"smtp_port": "587"}),
    ],
    ids=["text", "switch", "number"],
)
def test_restore_fills_in_what_it_was_and_saves_nothing(
    admin: Browser,
    configure: SettingsSetter,
    field: str,
    before: object,
    after: dict[str, str],
) -> None:
    configure(**{field: before})
    admin.post(PAGE, posted(**after))
    changed = getattr(AuthenticationSettings.load(), field)
    pk = SettingChange.objects.get(field=field).pk

    response = admin.get(PAGE, {"restore": pk})

    assert response.context["form"][field].value() == before
    assert "Filled in again, and not saved yet" in response.content.decode()
    assert changed != before
    assert getattr(AuthenticationSettings.load(), field) == changed


@pytest.mark.parametrize("key", ["0", "x", "-1", "9" * 40, "²"])
def test_restore_of_nothing_shows_the_page(admin: Browser, key: str) -> None:
    response = admin.get(PAGE, {"restore": key})

    assert response.status_code == 200
    assert "Filled in again" not in response.content.decode()


def secret_like(field: str, text: str) -> str:
    """Return a secret that the field takes."""
    if field != "alarm_webhook_secret":
        return text
    return f"whsec_{base64.b64encode(text.ljust(24).encode()).decode()}"


def test_of_a_secret_only_who_and_when_is_known(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(**dict.fromkeys(SECRETS, "geheim-alt"))
    for secret in ("geheim-neuer", "geheim-neu"):
        admin.post(
            PAGE, posted(**{name: secret_like(name, secret) for name in SECRETS})
        )

    changes = SettingChange.objects.all()
    assert {change.field for change in changes} == set(SECRETS)
    assert {(c.before, c.after, c.is_secret) for c in changes} == {("", "", True)}
    lines = past_lines(admin)
    assert len(lines) == len(SECRETS)
    assert not any("Restore" in line or "before" in line for line in lines)
    response = admin.get(PAGE, {"restore": changes[0].pk})
    assert "Filled in again" not in response.content.decode()


@pytest.mark.database
def test_the_database_keeps_no_secrets_value(db: None) -> None:
    with pytest.raises(IntegrityError, match="secret_setting_shows_no_value"):
        SettingChange.objects.create(
            field="smtp_password", after="geheim", is_secret=True
        )


def test_history_is_forgotten_with_the_audit_log(db: None, settings: Settings) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(days=30)
    for days in (29, 31):
        at = timezone.now() - timedelta(days=days)
        SettingChange.objects.create(field="pbx_domain", at=at)

    audit.forget_old()

    assert SettingChange.objects.count() == 1


def test_history_is_kept_for_ever_if_wanted(db: None, settings: Settings) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(0)
    at = timezone.now() - timedelta(days=4000)
    SettingChange.objects.create(field="pbx_domain", at=at)

    audit.forget_old()

    assert SettingChange.objects.count() == 1
