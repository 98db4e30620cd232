from __future__ import annotations

import pytest

from authconfig.choices import AuthenticationType
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.embedded import first_start
from pbxsite.embedded.first_start import Administrator

ADMINISTRATOR = Administrator("chief", "chief@pbx.example", "a long enough one")


@pytest.mark.django_db
def test_fresh_site_has_an_administrator_and_sends_to_the_mailbox() -> None:
    assert first_start.is_first()

    first_start.furnish(ADMINISTRATOR, 2525)
    rules, user = AuthenticationSettings.load(), PbxUser.objects.get()

    assert not first_start.is_first()
    assert user.check_password("a long enough one")
    assert (user.name, user.is_staff, user.is_superuser) == ("chief", True, True)
    assert (rules.smtp_server, rules.smtp_port, rules.smtp_security) == (
        "127.0.0.1",
        2525,
        "none",
    )
    assert (rules.authentication_type, rules.two_factor, rules.verification_link) == (
        AuthenticationType.PBX_ONLY,
        False,
        "",
    )


@pytest.mark.django_db
def test_account_follows_the_mailbox_that_moved() -> None:
    first_start.furnish(ADMINISTRATOR, 2525)

    first_start.follow_mailbox(2525, 2626)

    assert AuthenticationSettings.load().smtp_port == 2626
    assert AuditEvent.objects.get().detail.startswith("smtp_port: 2525 -> 2626")


@pytest.mark.django_db
def test_account_of_another_server_stays_when_the_mailbox_moves() -> None:
    first_start.furnish(ADMINISTRATOR, 2525)
    AuthenticationSettings.objects.update(smtp_server="mail.example.com")

    first_start.follow_mailbox(2525, 2626)

    assert AuthenticationSettings.load().smtp_port == 2525
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_migrating_twice_has_nothing_left_to_do() -> None:
    assert not first_start.migrate()
