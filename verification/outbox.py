"""The outgoing queue: claim, send, record; the only module that calls `send()`.

A row is moved by guarded updates alone. `attempts` is the fencing number: whoever
lost his lease finds that his number is no longer the row's, and changes nothing.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from authconfig import audit, dependencies
from authconfig.choices import Dependency, Event
from authconfig.models import current_settings
from verification.accounts import account_of, account_of_test
from verification.choices import (
    AccountTestState,
    LoginState,
    MailKind,
    MailState,
    Stage,
    StepState,
)
from verification.mails import message_of, test_message
from verification.models import AccountTest, OutgoingEmail
from verification.smtp import SmtpError, Step, open_connection
from verification.smtp.faults import Fault

logger = logging.getLogger(__name__)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=2)
# A test that no worker took up in this time is not started any more.
TEST_START_TTL = timedelta(seconds=60)
# More than all time limits of a delivery together.
TEST_TTL = timedelta(minutes=10)
# What one sweep ends at most; the next one comes in a minute.
SWEEP_SIZE = 1000


def deliver(pk: int) -> None:
    """Send the mail if it is due and nobody else has claimed it."""
    mail = _claim(pk)
    if mail is None:
        return
    if not _is_wanted(mail):
        _end(mail, MailState.EXPIRED)
        return
    try:
        words = _send(mail)
    except SmtpError as error:
        _note_server(error)
        _record_failure(mail, error)
    except LostClaimError:
        logger.warning("mail %s: not sent, the claim was lost", mail.pk)
    except DatabaseError:
        # Nothing can be recorded now; the mail is taken back when its lease ends.
        raise
    except Exception:
        logger.exception("mail %s: not sent, this site failed", mail.pk)
        _end_unsent(mail)
    else:
        _note_server(None)
        _end(mail, MailState.SENT, code=250, words=words)


def _claim(pk: int) -> OutgoingEmail | None:
    now = timezone.now()
    claimed = (
        OutgoingEmail.objects.claimable()
        .filter(pk=pk)
        .update(
            state=MailState.SENDING,
            attempts=F("attempts") + 1,
            lease_expires_at=now + settings.MAIL_LEASE_TTL,
            data_began_at=None,
        )
    )
    if not claimed:
        return None
    return OutgoingEmail.objects.select_related("user", "login__user").get(pk=pk)


def _is_wanted(mail: OutgoingEmail) -> bool:
    """A mail for a login that is over, or with an older link, helps nobody."""
    if mail.expires_at <= timezone.now():
        return False
    login = mail.login
    if login is None or mail.kind != MailKind.APPROVAL:
        return True
    return login.status == LoginState.PENDING and mail.link_number == login.link_number


def _send(mail: OutgoingEmail) -> str:
    account = account_of(current_settings())
    if not (account.server and account.email_address):
        words = _("No SMTP server and e-mail address are set.")
        raise SmtpError(Stage.RESOLVE, words, fault=Fault.NAME_UNKNOWN)
    message = message_of(mail, account)
    with open_connection(account) as connection:
        return connection.send(
            message,
            sender=account.email_address,
            recipient=mail.recipient,
            before_data=partial(_note_data_begins, mail),
        )


def _note_data_begins(mail: OutgoingEmail) -> None:
    """From here on a lost worker leaves it unknown whether the mail went out."""
    now = timezone.now()
    leased = _unchanged(mail).filter(lease_expires_at__gt=now)
    if not leased.update(data_began_at=now):
        raise LostClaimError(mail.pk)
    mail.data_began_at = now


class LostClaimError(RuntimeError):
    """The lease ran out, and somebody else has the mail now."""


def _note_server(error: SmtpError | None) -> None:
    """Tell operators how the server is; one that refuses a single mail is well."""
    row = current_settings()
    name = f"{row.smtp_server}:{row.smtp_port}"
    if error is None or error.stage in (Stage.RCPT_TO, Stage.DATA):
        dependencies.note_up(Dependency.SMTP, name)
    else:
        words = f"{error.stage}: {error.words}"
        dependencies.note_down(Dependency.SMTP, name, words)


def _record_failure(mail: OutgoingEmail, error: SmtpError) -> None:
    facts = {
        "stage": error.stage,
        "code": error.code,
        "fault": error.fault.name,
        "words": error.words[:500],
    }
    due_at = _next_try(mail)
    used_up = mail.attempts >= settings.MAIL_MAX_ATTEMPTS or due_at >= mail.expires_at
    if error.outcome_unknown:
        _end(mail, MailState.UNKNOWN, **facts)
    elif error.permanent or used_up:
        _end(mail, MailState.FAILED, **facts)
    else:
        _delay(mail, due_at, **facts)


def _end_unsent(mail: OutgoingEmail) -> None:
    """This site's own fault would come again with every try."""
    state = MailState.UNKNOWN if mail.data_began_at else MailState.FAILED
    _end(mail, state, words=_own_fault())


def _own_fault() -> str:
    return _("This site itself failed; the worker's log says why.")


def _next_try(mail: OutgoingEmail) -> datetime:
    delay = min(FIRST_DELAY * 2.0 ** (mail.attempts - 1), LONGEST_DELAY)
    # Jitter: mails that failed together do not come back together.
    return timezone.now() + delay * (0.75 + secrets.randbelow(500) / 1000)


def _end(mail: OutgoingEmail, state: MailState, **facts: object) -> bool:
    if not _update(mail, state=state, ended_at=timezone.now(), **facts):
        return False
    sent = state == MailState.SENT
    audit.record(
        Event.MAIL_SENT if sent else Event.MAIL_FAILED,
        user=mail.user,
        detail=f"{mail.kind} {mail.pk}: {state} {facts.get('words', '')}".strip(),
    )
    return True


def _delay(mail: OutgoingEmail, due_at: datetime, **facts: object) -> None:
    if _update(mail, state=MailState.QUEUED, due_at=due_at, **facts):
        audit.record(
            Event.MAIL_DELAYED,
            user=mail.user,
            detail=f"{mail.kind} {mail.pk}: {facts['stage']} {facts['words']}",
        )


def _update(mail: OutgoingEmail, **values: object) -> bool:
    """Change the row if it is still as it was read."""
    return _unchanged(mail).update(**values) == 1


def _unchanged(mail: OutgoingEmail) -> QuerySet[OutgoingEmail]:
    return OutgoingEmail.objects.filter(
        pk=mail.pk, state=mail.state, attempts=mail.attempts
    )


def requeue_abandoned() -> int:
    """Take back mails of dead workers; those whose DATA had begun stay unknown.

    A mail that kills its worker would do so for ever: its tries are counted too.
    """
    now, limit = timezone.now(), settings.MAIL_MAX_ATTEMPTS
    abandoned = OutgoingEmail.objects.abandoned()
    unsent = abandoned.filter(data_began_at=None)
    _end_all(abandoned.filter(data_began_at__isnull=False), MailState.UNKNOWN)
    _end_all(unsent.filter(expires_at__lte=now), MailState.EXPIRED)
    words = _("No worker came back from sending it; %(count)d tried.")
    used_up = unsent.filter(attempts__gte=limit, expires_at__gt=now)
    _end_all(used_up, MailState.FAILED, words=words % {"count": limit})
    in_time = unsent.filter(attempts__lt=limit, expires_at__gt=now)
    return in_time.update(state=MailState.QUEUED, due_at=now)


def _end_all(mails: QuerySet[OutgoingEmail], state: MailState, **facts: object) -> int:
    found = mails.select_related("user")[:SWEEP_SIZE]
    return sum(_end(mail, state, **facts) for mail in found)


def expire_overdue() -> int:
    return _end_all(OutgoingEmail.objects.overdue(), MailState.EXPIRED)


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
                test_message(test, account),
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
    words, last = _own_fault(), test.steps.last()
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
