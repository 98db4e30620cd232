"""Tests of an e-mail account, run by a worker since that is who sends."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from authconfig import audit
from authconfig.choices import Event, StepState
from verification.choices import AccountTestState, Stage
from verification.mails import test_letter
from verification.models import AccountTest
from verification.outbox import own_fault
from verification.smtp import SmtpError, Step, open_connection
from verification.smtp.faults import Fault
from verification.smtp_accounts import account_of_test

logger = logging.getLogger(__name__)
# A test that no worker took up in this time is not started any more.
TEST_START_TTL = timedelta(seconds=60)
# More than all time limits of a delivery together.
TEST_TTL = timedelta(minutes=10)


def run_test(pk: int) -> None:
    """Run a requested test of an e-mail account, if it is not too old by now."""
    started = AccountTest.objects.filter(
        pk=pk,
        state=AccountTestState.QUEUED,
        created_at__gt=timezone.now() - TEST_START_TTL,
    ).update(state=AccountTestState.RUNNING)
    if started:
        test = AccountTest.objects.get(pk=pk)
        with translation.override(test.language):
            _end_test(test, _try_account(test))


def end_abandoned_tests() -> int:
    """End tests that no worker began or finished, so that no password stays for it."""
    now = timezone.now()
    open_tests = AccountTest.objects.filter(ended_at=None)
    return open_tests.filter(created_at__lte=now - TEST_TTL).update(
        state=AccountTestState.FAILED,
        remedy=_("No worker has finished this test. Send it again."),
        password="",
        ended_at=now,
    )


def _try_account(test: AccountTest) -> SmtpError | None:
    account = account_of_test(test)
    note = partial(_note_step, test)
    try:
        with open_connection(account, note) as connection:
            connection.send(
                test_letter(test, account),
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


def _failed_here(test: AccountTest) -> SmtpError:
    """Return this site's own fault as one of the stage that was reached."""
    words, last = own_fault(), test.steps.last()
    if last:
        test.steps.filter(pk=last.pk).update(state=StepState.FAILED, words=words)
    stage = Stage(last.stage) if last else Stage.RESOLVE
    return SmtpError(stage, words, fault=Fault.THIS_SITE)


def _note_step(test: AccountTest, step: Step) -> None:
    """Keep the steps in their order; with STARTTLS the server is greeted twice."""
    facts = {
        "state": step.state,
        "elapsed_ms": step.elapsed_ms,
        "words": step.words,
    }
    running = test.steps.filter(stage=step.stage, state=StepState.STARTED)
    if not running.update(**facts):
        test.steps.create(stage=step.stage, **facts)


def _end_test(test: AccountTest, error: SmtpError | None) -> None:
    running = AccountTest.objects.filter(pk=test.pk, state=AccountTestState.RUNNING)
    ended = running.update(
        state=AccountTestState.FAILED if error else AccountTestState.ACCEPTED,
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
