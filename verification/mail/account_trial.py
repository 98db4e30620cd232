"""Tests of an e-mail account, run by a worker since that is who sends."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from authconfig.choices import Event, StepState
from authconfig.users import audit
from verification.mail.account import account_of_trial
from verification.mail.choices import Stage, TrialState
from verification.mail.fast.layout import LaidOutEmail
from verification.mail.models import AccountTrial
from verification.mail.rendering import compose
from verification.mail.sending import own_fault
from verification.mail.smtp import Account, SmtpError, Step, open_connection
from verification.mail.smtp.faults import SmtpFault

logger = logging.getLogger(__name__)
# A test that no worker took up in this time is not started any more.
TRIAL_START_TTL = timedelta(seconds=60)
# More than all time limits of a delivery together.
TRIAL_TTL = timedelta(minutes=10)


def run_trial(pk: int) -> None:
    """Run a requested test of an e-mail account, if it is not too old by now."""
    started = AccountTrial.objects.filter(
        pk=pk,
        state=TrialState.QUEUED,
        created_at__gt=timezone.now() - TRIAL_START_TTL,
    ).update(state=TrialState.RUNNING)
    if started:
        test = AccountTrial.objects.get(pk=pk)
        with translation.override(test.language):
            _end_trial(test, _try_account(test))


def end_abandoned_trials() -> int:
    """End tests that no worker began or finished, so that no password stays for it."""
    now = timezone.now()
    open_tests = AccountTrial.objects.filter(ended_at=None)
    return open_tests.filter(created_at__lte=now - TRIAL_TTL).update(
        state=TrialState.FAILED,
        remedy=_("No worker has finished this test. Send it again."),
        password="",
        ended_at=now,
    )


def _try_account(test: AccountTrial) -> SmtpError | None:
    account = account_of_trial(test)
    note = partial(_note_step, test)
    try:
        with open_connection(account, note) as connection:
            connection.send(
                trial_message(test, account),
                sender=account.email_address,
                recipient=test.recipient,
                progress=note,
            )
    except SmtpError as error:
        return error
    except Exception:
        logger.exception("account test %s: this site failed", test.pk)
        return _failed_here(test)
    return None


def _failed_here(test: AccountTrial) -> SmtpError:
    """Return this site's own fault as one of the stage that was reached."""
    words, last = own_fault(), test.steps.last()
    if last:
        test.steps.filter(pk=last.pk).update(state=StepState.FAILED, words=words)
    stage = Stage(last.stage) if last else Stage.RESOLVE
    return SmtpError(stage, words, fault=SmtpFault.THIS_SITE)


def _note_step(test: AccountTrial, step: Step) -> None:
    """Keep the steps in their order; with STARTTLS the server is greeted twice."""
    facts = {
        "state": step.state,
        "elapsed_ms": step.elapsed_ms,
        "words": step.words,
    }
    running = test.steps.filter(stage=step.stage, state=StepState.STARTED)
    if not running.update(**facts):
        test.steps.create(stage=step.stage, **facts)


def _end_trial(test: AccountTrial, error: SmtpError | None) -> None:
    running = AccountTrial.objects.filter(pk=test.pk, state=TrialState.RUNNING)
    ended = running.update(
        state=TrialState.FAILED if error else TrialState.ACCEPTED,
        remedy=error.remedy if error else "",
        password="",
        ended_at=timezone.now(),
    )
    if not ended:
        return
    where = f"{test.server}:{test.port}"
    outcome = f"{Stage(error.stage).value}: {error.words}" if error else "accepted"
    audit.record(
        Event.MAIL_TESTED,
        user=test.requested_by,
        actor=test.requested_by,
        detail=f"{where} {outcome}"[:1000],
    )


def trial_message(test: AccountTrial, account: Account) -> LaidOutEmail:
    with translation.override(test.language):
        return compose(
            "verification/mail/test",
            {"sent_at": timezone.now(), "account_server": account.server},
            account=account,
            recipient=test.recipient,
            language=test.language,
            public_id=test.public_id,
        )
