"""Trials of an e-mail account; a worker runs them, since workers are what sends."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from functools import partial

from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from authconfig.choices import Event, StepState
from authconfig.models import current_rules
from authconfig.network import database_now
from authconfig.trial import Step
from authconfig.users import audit
from verification.mail.account import Account, account_from, account_of, fingerprint
from verification.mail.choices import SmtpStage, TrialState
from verification.mail.models import AccountTrial
from verification.mail.oauth2.configuration import unpacked
from verification.mail.rendering import compose
from verification.mail.sending import own_fault
from verification.mail.smtp import SmtpError, open_connection
from verification.mail.smtp.faults import SmtpFault

logger = logging.getLogger(__name__)
# A trial that no worker took up in this time is not started any more.
TRIAL_START_TTL = timedelta(seconds=60)
# More than all time limits of a delivery together.
TRIAL_TTL = timedelta(minutes=10)


def was_accepted(account: Account) -> bool:
    return AccountTrial.objects.filter(
        fingerprint=fingerprint(account), state=TrialState.ACCEPTED
    ).exists()


def run_trial(pk: int) -> None:
    started = AccountTrial.objects.filter(
        pk=pk,
        state=TrialState.QUEUED,
        created_at__gt=database_now() - TRIAL_START_TTL,
    ).update(state=TrialState.RUNNING)
    if started:
        trial = AccountTrial.objects.get(pk=pk)
        with translation.override(trial.language):
            _end_trial(trial, _try_account(trial))


def run_waiting() -> None:
    """Run the trials that no worker was asked for, or none has taken up yet."""
    waiting = AccountTrial.objects.filter(
        state=TrialState.QUEUED, created_at__gt=database_now() - TRIAL_START_TTL
    )
    for pk in list(waiting.values_list("pk", flat=True)):
        run_trial(pk)


def end_abandoned_trials() -> int:
    """End trials that no worker began or finished, so that no password is kept."""
    now = database_now()
    abandoned = AccountTrial.objects.filter(ended_at=None)
    return abandoned.filter(created_at__lte=now - TRIAL_TTL).update(
        state=TrialState.FAILED,
        remedy=_("No worker has finished this test. Send it again."),
        password="",
        oauth2="",
        ended_at=now,
    )


def forget_old() -> None:
    """Delete old trials; that the present account was accepted stays, without whom."""
    since = audit.kept_since()
    if since is None:
        return
    old = AccountTrial.objects.filter(ended_at__lt=since)
    accepted = Q(
        state=TrialState.ACCEPTED, fingerprint=fingerprint(account_of(current_rules()))
    )
    old.exclude(accepted).delete()
    old.update(recipient="", requested_by=None)


def _try_account(trial: AccountTrial) -> SmtpError | None:
    account = _account_of(trial)
    note = partial(_note_step, trial)
    try:
        with open_connection(account, note) as connection:
            connection.send(
                trial_message(trial, account),
                sender=account.email_address,
                recipient=trial.recipient,
                progress=note,
            )
    except SmtpError as error:
        return error
    except Exception:
        logger.exception("account trial %s: this site failed", trial.pk)
        return _failed_here(trial)
    return None


def _account_of(trial: AccountTrial) -> Account:
    account = account_from(trial)
    if not trial.oauth2:
        return account
    return replace(account, oauth2=unpacked(trial.oauth2), renews_token=True)


def _failed_here(trial: AccountTrial) -> SmtpError:
    words, last = own_fault(), trial.steps.last()
    if last:
        trial.steps.filter(pk=last.pk).update(state=StepState.FAILED, words=words)
    stage = SmtpStage(last.stage) if last else SmtpStage.RESOLVE
    return SmtpError(stage, words, fault=SmtpFault.THIS_SITE)


def _note_step(trial: AccountTrial, step: Step) -> None:
    """Keep the steps in their order; with STARTTLS the server is greeted twice."""
    facts = {
        "state": step.state,
        "elapsed_ms": step.elapsed_ms,
        "words": step.words,
    }
    running = trial.steps.filter(stage=step.stage, state=StepState.STARTED)
    if not running.update(**facts):
        trial.steps.create(stage=step.stage, **facts)


def _end_trial(trial: AccountTrial, error: SmtpError | None) -> None:
    running = AccountTrial.objects.filter(pk=trial.pk, state=TrialState.RUNNING)
    ended = running.update(
        state=TrialState.FAILED if error else TrialState.ACCEPTED,
        remedy=error.remedy if error else "",
        password="",
        oauth2="",
        ended_at=database_now(),
    )
    if not ended:
        return
    where = f"{trial.server}:{trial.port}"
    outcome = f"{SmtpStage(error.stage).value}: {error.words}" if error else "accepted"
    audit.record(
        Event.MAIL_TESTED,
        user=trial.requested_by,
        actor=trial.requested_by,
        detail=f"{where} {outcome}"[:1000],
    )


def trial_message(trial: AccountTrial, account: Account) -> EmailMessage:
    with translation.override(trial.language):
        return compose(
            "verification/mail/test",
            {"sent_at": database_now(), "account_server": account.server},
            account=account,
            recipient=trial.recipient,
            language=trial.language,
            public_id=trial.public_id,
        )
