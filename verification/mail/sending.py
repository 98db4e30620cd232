"""Sending the due mails, over several connections of one process at a time.

No transaction is open while the network is waited for, and whatever happens to this
process, a row tells how far its mail came.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Lock, Thread, current_thread
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, connections
from django.utils.translation import gettext as _

from authconfig import dependencies
from authconfig.choices import Dependency
from authconfig.models import current_rules
from authconfig.network import LONGEST_WORDS, database_now
from verification import log_context
from verification.mail import claims
from verification.mail.account import Account, account_of
from verification.mail.choices import MailPriority, MailState, SmtpStage
from verification.mail.claims import LostClaimError
from verification.mail.fast.batches import Recorder, Stock, woken
from verification.mail.kinds import Smaller, kind_of
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail
from verification.mail.smtp import Connection, Line, Pool, SmtpError
from verification.mail.smtp.faults import SmtpFault
from verification.redis_access import wake_worker

logger = logging.getLogger(__name__)
FIRST_DELAY = timedelta(seconds=5)
# A recording is worth days of tries; a login is over in minutes.
LONGEST_DELAY = {
    MailPriority.URGENT: timedelta(minutes=2),
    MailPriority.LATER: timedelta(minutes=15),
}
SMALLER_WITHIN = timedelta(minutes=2)
# The secret of a link: what stands in an address, or a signed value wherever it stands.
# The id= with which a server names its own message is neither.
LINK_TOKEN = re.compile(
    r"([?&]id=|%3Fid(?:=|%3D))[\w%:.~=-]+"
    r"|[\w-]{8,}(?::|%3A)[\w-]+(?::|%3A)[\w-]{20,}",
    re.IGNORECASE,
)
LEASES_RENEWED_EVERY = 5.0  # seconds


class Asked:
    """When somebody last woke this process, on the monotonic clock."""

    at = float("-inf")


@shared_task
def deliver_mails() -> None:
    Asked.at = time.monotonic()
    deliver_due(hand_on=wake_due)


# Have due mails sent now, by any worker that is free.
wake_due = partial(wake_worker, deliver_mails)


def deliver_due(hand_on: Callable[[], bool] = lambda: False) -> None:
    """Send all due mails; if this process is sending already, have it look again.

    After a while `hand_on` is called; it returns whether another worker goes on.
    """
    woken.set()
    while woken.is_set() and _running.acquire(blocking=False):
        try:
            woken.clear()
            while Run().go() and not hand_on():
                pass
        finally:
            _running.release()


def take_back_abandoned() -> int:
    """Take back the mails of dead workers, once what this one sent is recorded."""
    recorder.flush()
    return claims.requeue_abandoned()


class Run:
    """One turn through the queue: this thread sends, and others if many mails wait."""

    def __init__(self) -> None:
        rules = current_rules()
        pool.turn_to(account_of(rules))
        self._most = connections_for(rules.smtp_connections)
        self._stock = Stock(self._most, pool.pace.least_urgent, recorder.unwritten)
        # The threads that help, and those of them that have a connection.
        self._helpers: list[Thread] = []
        self._at_work: list[Thread] = []
        self._gate = Lock()
        self._is_ending = False
        self._over = Event()
        self._has_left_mails = False

    def go(self) -> bool:
        """Return whether the run ended before the queue did."""
        keeper = Thread(target=self._keep_leases, daemon=True)
        keeper.start()
        try:
            recorder.flush()
            self._send_all()
        finally:
            for helper in self._end():
                helper.join()
            self._over.set()
            keeper.join()
        for mail in self._stock.leave():
            claims.give_back(mail)
        has_more = self._stock.is_closed or self._has_left_mails
        return has_more and pool.pace.least_urgent() is not None

    def _end(self) -> list[Thread]:
        """Return the helpers at work; one that still waits for a connection is left.

        A server may leave a further connection without an answer, and new mails would
        wait as long.
        """
        with self._gate:
            self._is_ending = True
            return self._at_work

    def _goes_on(self) -> bool:
        with self._gate:
            if not self._is_ending:
                self._at_work.append(current_thread())
            return not self._is_ending

    def _send_all(self, account: Account | None = None) -> None:
        """With an account, take mails only once there is a connection for them."""
        line = Line(pool, self._look_ahead)
        try:
            if account:
                line.open(account, is_urgent=True)
                if not self._goes_on():
                    return
            while mail := self._stock.take():
                try:
                    has_to_end = deliver(mail, line)
                finally:
                    self._stock.finish(mail)
                if has_to_end:
                    self._has_left_mails = True
                    return
        finally:
            line.close()

    def _look_ahead(self, connection: Connection) -> None:
        """Open one more connection for each mail that would have to wait.

        Where there are enough, open the one that follows on this one in good time.
        """
        if not self._stock.has_more:
            return
        if len(self._helpers) + 1 < self._most:
            if pool.has_room(self._most):
                helper = Thread(target=self._help, daemon=True)
                self._helpers.append(helper)
                helper.start()
        elif connection.is_nearly_used_up and self._stock.exceeds(pool.mails_left()):
            pool.open_ahead(connection.account, self._most)

    def _help(self) -> None:
        try:
            self._send_all(account_of(current_rules()))
        except SmtpError as error:
            # Servers limit the number of connections; the other threads go on.
            pool.is_crowded(error)
            logger.info("no further connection to the server (%s)", error.stage)
        except Exception:
            logger.exception("a connection's thread ended")
        finally:
            connections.close_all()

    def _keep_leases(self) -> None:
        while not self._over.wait(LEASES_RENEWED_EVERY):
            try:
                claims.renew(self._stock.mails())
            except DatabaseError as error:
                logger.warning("leases not renewed (%s)", type(error).__name__)
            finally:
                connections.close_all()


pool, recorder = Pool(), Recorder()
_running = Lock()


def connections_for(most: int) -> int:
    """Return how many connections a run may use; one, while it only asks again."""
    if pool.pace.is_asking:
        return 1
    return min(most, pool.pace.connections or most)


def deliver(mail: OutgoingEmail, line: Line) -> bool:
    """Send a claimed mail and record its outcome; the log names request and login.

    Return whether the line has to end, since the server refuses the account.
    """
    request = log_context.request_id.set(mail.request_id)
    login = log_context.login_id.set(kind_of(mail).log_subject(mail))
    try:
        return _deliver(mail, line)
    finally:
        log_context.login_id.reset(login)
        log_context.request_id.reset(request)


def _deliver(mail: OutgoingEmail, line: Line) -> bool:
    try:
        if not _is_wanted(mail):
            claims.end(mail, MailState.EXPIRED)
            return False
        words = _send(mail, line)
    except SmtpError as error:
        return _record_failure(mail, error)
    except LostClaimError:
        logger.warning("mail %s: not sent, the claim was lost", mail.pk)
    except DatabaseError:
        # Nothing can be recorded now; the mail is taken back when its lease ends.
        raise
    except OSError:
        logger.exception("mail %s: not sent, its recording cannot be read", mail.pk)
        unread = SmtpError(SmtpStage.DATA, own_fault(), fault=SmtpFault.THIS_SITE)
        _record_failure(mail, unread)
    except Exception:
        logger.exception("mail %s: not sent, this site failed", mail.pk)
        _end_unsent(mail)
    else:
        logger.info("mail %s: the server took it", mail.pk)
        _note_server(None)
        pool.pace.accept(MailPriority(mail.priority))
        recorder.add(mail, _without_link(words))
    return False


def _is_wanted(mail: OutgoingEmail) -> bool:
    """A mail whose purpose is over helps nobody."""
    return mail.expires_at > database_now() and kind_of(mail).is_wanted(mail)


def _send(mail: OutgoingEmail, line: Line) -> str:
    account = account_of(current_rules())
    if not (account.server and account.email_address):
        words = _("No SMTP server and e-mail address are set.")
        raise SmtpError(SmtpStage.RESOLVE, words, fault=SmtpFault.NAME_UNKNOWN)
    message = render_mail(mail, account)
    send = partial(
        Connection.send,
        message=message,
        sender=account.email_address,
        recipient=mail.recipient,
        before_data=partial(recorder.note_data_begins, mail),
    )
    return line.send(account, send, is_urgent=mail.priority == MailPriority.URGENT)


def _note_server(error: SmtpError | None) -> None:
    """Tell operators how the server is; it is well if it refuses a single mail."""
    rules = current_rules()
    name = f"{rules.smtp_server}:{rules.smtp_port}"
    if error is None or not (
        error.is_while_opening
        or error.is_busy
        or error.refuses_account
        or (error.stage == SmtpStage.MAIL_FROM and not error.is_too_large)
    ):
        dependencies.note_up(Dependency.SMTP, name)
    else:
        words = f"{error.stage}: {error.words}"
        dependencies.note_down(Dependency.SMTP, name, words)


def _without_link(words: str) -> str:
    """Some servers repeat an address that they refuse, and ours holds a secret."""
    return LINK_TOKEN.sub(lambda found: f"{found[1] or ''}***", words)[:LONGEST_WORDS]


def _record_failure(mail: OutgoingEmail, error: SmtpError) -> bool:
    """Return whether no mail can go out now over the line that failed."""
    facts: dict[str, Any] = {
        "stage": error.stage,
        "code": error.code,
        "fault": error.fault.name,
        "words": _without_link(error.words),
    }
    # The server's words may name people, so they stand in the audit log alone.
    reason = error.code or error.fault.name
    logger.warning("mail %s: not sent (%s %s)", mail.pk, error.stage, reason)
    if pool.is_crowded(error):
        claims.give_back(mail)
        return True
    _note_server(error)
    if _waits_for_server(mail, error):
        # Whoever refuses the account only now has counted its mails, most likely.
        priority, is_by_count = MailPriority(mail.priority), not error.is_while_opening
        until = pool.pace.refuse(priority, is_by_count=is_by_count)
        claims.give_back(mail, due_at=until, **facts)
        return True
    due_at = _next_try(mail)
    if error.is_too_large and _goes_on_smaller(mail, due_at, facts):
        return False
    if error.outcome_unknown:
        claims.end_in_doubt(mail, **facts)
    elif error.refuses_account:
        claims.delay(mail, min(due_at, mail.expires_at), **facts)
    elif _is_hopeless(mail, error, due_at):
        claims.end(mail, MailState.FAILED, **facts)
    else:
        claims.delay(mail, due_at, **facts)
    return False


def _waits_for_server(mail: OutgoingEmail, error: SmtpError) -> bool:
    """A recording also waits until somebody has mended the account."""
    is_for_later = mail.priority == MailPriority.LATER
    return error.is_busy or (is_for_later and error.is_while_opening)


def _goes_on_smaller(
    mail: OutgoingEmail, due_at: datetime, facts: dict[str, Any]
) -> bool:
    """Send what is smaller now at once; else wait for it, or for room."""
    smaller = _smaller(mail)
    if smaller is Smaller.DONE:
        due_at = database_now()
    elif smaller is Smaller.SOON:
        due_at = database_now() + SMALLER_WITHIN
    elif smaller is Smaller.NO_ROOM:
        words = _("There is no room for what the server finds too large.")
        facts |= {"fault": SmtpFault.NO_ROOM.name, "code": None, "words": words}
    if smaller is Smaller.IMPOSSIBLE or due_at >= mail.expires_at:
        return False
    claims.delay(mail, due_at, **facts)
    return True


def _smaller(mail: OutgoingEmail) -> Smaller:
    try:
        return kind_of(mail).make_smaller(mail)
    except OSError as error:
        logger.warning("mail %s: not made smaller (%s)", mail.pk, error)
        return Smaller.SOON


def _is_hopeless(mail: OutgoingEmail, error: SmtpError, due_at: datetime) -> bool:
    """A recording outlasts a fault of the account, which somebody will mend."""
    if due_at >= mail.expires_at:
        return True
    if mail.priority == MailPriority.LATER:
        return error.permanent and error.stage in (SmtpStage.RCPT_TO, SmtpStage.DATA)
    return error.permanent or mail.attempts >= settings.MAIL_MAX_ATTEMPTS


def _end_unsent(mail: OutgoingEmail) -> None:
    """A fault of this site would come again with every try."""
    if mail.data_began_at:
        claims.end_in_doubt(mail, words=own_fault())
    else:
        claims.end(mail, MailState.FAILED, words=own_fault())


def own_fault() -> str:
    return _("This site itself failed; the worker's log says why.")


def _next_try(mail: OutgoingEmail) -> datetime:
    longest = LONGEST_DELAY[MailPriority(mail.priority)]
    # After ten doublings every pause is the longest one.
    delay = min(FIRST_DELAY * 2.0 ** min(mail.attempts - 1, 10), longest)
    # Jitter, or mails that failed together would come back together.
    return database_now() + delay * (0.75 + secrets.randbelow(500) / 1000)
