"""Settings with which two-factor authentication can be switched on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter
from tests.support.settings_data import ACCOUNT
from verification.mail.account import account_of, fingerprint
from verification.mail.choices import TrialState
from verification.mail.models import AccountTrial


@pytest.fixture
def ready(configure: SettingsSetter) -> AuthenticationSettings:
    """All that switching two-factor on waits for."""
    row = configure(**ACCOUNT)
    account = account_of(row)
    AccountTrial.objects.create(
        recipient="a@b.example",
        server=account.server,
        port=account.port,
        email_address=account.email_address,
        fingerprint=fingerprint(account),
        state=TrialState.ACCEPTED,
        ended_at=timezone.now() + timedelta(seconds=1),
    )
    return row
