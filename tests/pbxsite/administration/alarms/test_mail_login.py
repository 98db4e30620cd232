"""What keeps the e-mail account's OAuth2 from working is told at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from authconfig.models import AuthenticationSettings
from pbxsite.administration.alarms.mail_login import findings_of_login
from pbxsite.administration.findings import AlarmKind
from tests.conftest import SettingsSetter
from verification.mail.oauth2.models import KeptToken
from verification.mail.oauth2.settings import configuration_of

pytestmark = pytest.mark.django_db
ACCOUNT = {
    "smtp_server": "mail.example.com",
    "smtp_login": "client_secret",
    "smtp_username": "pbx@example.com",
    "smtp_oauth2_token_url": "https://idp.example/token",
    "smtp_oauth2_client_id": "pbx",
    "smtp_oauth2_client_secret": "s",
}


def sentences(rules: AuthenticationSettings) -> dict[AlarmKind, str]:
    return {found.kind: found.sentence for found in findings_of_login(rules)}


def withdrawn(rules: AuthenticationSettings, **facts: object) -> None:
    """The provider has answered “invalid_grant”, for good."""
    configuration = configuration_of(rules)
    assert configuration
    KeptToken.objects.create(
        key=configuration.key,
        refresh_token="r",
        fault="GRANT",
        words="invalid_grant: consent was withdrawn.",
        failed_at=timezone.now(),
        failed_with=configuration.proof,
        **facts,
    )


def test_an_account_with_a_password_or_in_order_tells_nothing(
    configure: SettingsSetter,
) -> None:
    assert sentences(configure()) == {}
    by_itself = configure(**ACCOUNT, smtp_oauth2_grant="client_credentials")
    assert sentences(by_itself) == {}


def test_an_account_that_nobody_has_authorized_is_told(
    configure: SettingsSetter,
) -> None:
    told = sentences(configure(**ACCOUNT))[AlarmKind.MAIL_LOGIN]

    assert "Nobody has authorized this site" in told


def test_a_withdrawn_consent_is_told_on_the_overview_with_its_remedy(
    admin: Browser, configure: SettingsSetter
) -> None:
    rules = configure(**ACCOUNT)
    now = timezone.now()
    ends = {"obtained_at": now, "expires_at": now + timedelta(minutes=5)}
    withdrawn(rules, access_token="t", **ends)

    told = sentences(rules)[AlarmKind.MAIL_LOGIN]
    assert "Authorize this site again" in told
    assert "The provider says: invalid_grant: consent was withdrawn. E-mails" in told
    assert "E-mails go out until" in told
    assert "consent was withdrawn" in admin.get("/admin/").content.decode()
    page = admin.get("/admin/authconfig/authenticationsettings/").content.decode()
    assert "The provider gives no token any more." in page


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (31, ""),
        (30, "expires in 30 days"),
        (1, "expires in 1 day,"),
        (0, "expires today"),
        (-1, "expired on"),
    ],
)
def test_the_end_of_a_client_secret_is_warned_of(
    configure: SettingsSetter, days: int, words: str
) -> None:
    ends_on = timezone.localdate() + timedelta(days=days)
    rules = configure(
        **ACCOUNT,
        smtp_oauth2_grant="client_credentials",
        smtp_oauth2_client_secret_expires=ends_on,
    )

    told = sentences(rules).get(AlarmKind.MAIL_SECRET, "")
    assert words in told
    assert bool(told) is bool(words)


def test_the_date_of_a_secret_that_is_not_used_warns_of_nothing(
    configure: SettingsSetter,
) -> None:
    rules = configure(smtp_oauth2_client_secret_expires=timezone.localdate())

    assert sentences(rules) == {}
