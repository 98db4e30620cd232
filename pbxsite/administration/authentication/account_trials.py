"""Test e-mails: asked for with values that need not be saved, run by a worker."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from authconfig.settings_form import MAIL_FIELDS, SettingsForm
from authconfig.users.models import PbxUser
from verification.mail.account import account_of, fingerprint
from verification.mail.account_trial import TRIAL_START_TTL
from verification.mail.choices import TrialState
from verification.mail.models import AccountTrial
from verification.mail.smtp import Account
from verification.mail.tasks import run_account_trial

logger = logging.getLogger(__name__)
LIMIT, LIMIT_PERIOD = 10, timedelta(minutes=1)
# A worker that runs takes a test up at once.
PATIENCE = timedelta(seconds=5)
RECIPIENT = "test_recipient"
Faults = dict[str, list[str]]


def faults_of(form: SettingsForm, recipient: str) -> Faults:
    """Return what is wrong with the e-mail fields; other fields do not matter here."""
    form.is_valid()
    faults = {n: form.faults[n] for n in MAIL_FIELDS if n in form.faults}
    account = form.candidate()
    if not account.smtp_server:
        faults.setdefault("smtp_server", [_("Enter the SMTP server first.")])
    if not account.smtp_email_address:
        missing = _("Enter the address that the e-mails come from first.")
        faults.setdefault("smtp_email_address", [missing])
    if "smtp_password" in form.lost_secrets and account.smtp_username and not faults:
        faults["smtp_password"] = [
            _(
                "Enter the password again: the stored one is not sent to a changed"
                " server."
            )
        ]
    try:
        validate_email(recipient)
    except ValidationError:
        faults[RECIPIENT] = [_("Enter the address that the test e-mail goes to.")]
    return faults


def is_too_often() -> bool:
    """The page's limit, for all administrators together."""
    since = timezone.now() - LIMIT_PERIOD
    recent = AccountTrial.objects.filter(
        requested_by__isnull=False, created_at__gt=since
    )
    return recent.count() >= LIMIT


def create(
    account: Account, recipient: str, requested_by: PbxUser | None
) -> AccountTrial:
    return AccountTrial.objects.create(
        requested_by=requested_by,
        recipient=recipient,
        language=get_language() or settings.LANGUAGE_CODE,
        server=account.server,
        port=account.port,
        security=account.security,
        client_host_name=account.client_host_name,
        sender_name=account.sender_name,
        email_address=account.email_address,
        username=account.username,
        password=account.password,
        ca_certificate=account.ca_certificate,
        fingerprint=fingerprint(account),
    )


def request(form: SettingsForm, recipient: str, requested_by: PbxUser) -> AccountTrial:
    """Ask a worker to test the form's account; the row says if none can be asked."""
    test = create(account_of(form.candidate()), recipient, requested_by)
    try:
        run_account_trial.delay(test.pk)
    except OperationalError as error:
        logger.error("account test %s: not queued (%s)", test.pk, error)
        _give_up(
            test,
            _(
                "The queue (Redis) cannot be reached, so no worker could be asked."
                " Start Redis or correct REDIS_URL, then send the test again."
            ),
        )
    return test


def _give_up(test: AccountTrial, remedy: str) -> None:
    """Unless a worker has it all the same: a publish that timed out may arrive."""
    AccountTrial.objects.filter(pk=test.pk, state=TrialState.QUEUED).update(
        state=TrialState.FAILED,
        remedy=remedy,
        password="",
        ended_at=timezone.now(),
    )
    test.refresh_from_db()


def status(test: AccountTrial) -> dict[str, Any]:
    """Return what the page shows of a test, as it stands now."""
    if timezone.now() - test.created_at > TRIAL_START_TTL:
        _give_up(test, _no_worker())
    return {
        "state": test.state,
        "is_over": test.ended_at is not None,
        "heading": _heading(test),
        "text": _text(test),
        "steps": [
            {
                "stage": step.get_stage_display(),
                "state": step.state,
                "state_words": step.get_state_display(),
                "elapsed_ms": step.elapsed_ms,
                "words": step.words,
            }
            for step in test.steps.all()
        ],
    }


def _heading(test: AccountTrial) -> str:
    if test.state == TrialState.ACCEPTED:
        return _("The server accepted the test e-mail to %(recipient)s.") % {
            "recipient": test.recipient
        }
    if test.state == TrialState.FAILED:
        return _("The test e-mail was not sent.")
    if _is_left_alone(test):
        return _("No worker is running.")
    return _("Sending a test e-mail to %(recipient)s …") % {"recipient": test.recipient}


def _text(test: AccountTrial) -> str:
    if test.state == TrialState.ACCEPTED:
        return _(
            "With exactly this e-mail account, two-factor authentication can be"
            " switched on. Look into the mailbox whether the e-mail arrives."
        )
    if _is_left_alone(test):
        return _no_worker()
    return test.remedy


def _is_left_alone(test: AccountTrial) -> bool:
    waited = timezone.now() - test.created_at
    return test.state == TrialState.QUEUED and waited > PATIENCE


def _no_worker() -> str:
    return _(
        "Nobody has taken the test up, so verification e-mails wait as well. Start the"
        " Celery worker on the server, then send the test again."
    )
