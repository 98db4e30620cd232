"""The Windows password: the directory checks it, and nobody stores it."""

from __future__ import annotations

import time
from functools import partial

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from authconfig.choices import Method, StepState
from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import DirectoryConnection, bind_service, look_up
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask, check_password
from authconfig.directory.faults import DirectoryError, Verdict
from authconfig.directory.remedies import NO_ANSWER, SENTENCES, audit_detail
from authconfig.methods.places import leave_place
from authconfig.methods.refusal import LoginRefusedError
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.names import name_key
from authconfig.trial import Step
from authconfig.users.models import PbxUser

FAILURES_PERIOD_SECONDS = 600


class Pace:
    """Makes a refusal without the directory as slow as the directory's own."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, step: Step) -> None:
        if step.stage is NetlogonStage.PASSWORD and step.state is StepState.FAILED:
            self.seconds = step.elapsed_ms / 1000

    def keep(self, attempt: DirectoryAttempt) -> None:
        time.sleep(min(self.seconds, attempt.operation_limit))


pace = Pace()


def check(name: str, password: str) -> PbxUser | None:
    """Return the active PBX user who has this Windows password.

    The directory gets each password once, with the PBX user's own spelling of the name,
    and only for PBX users: strangers must not lock other accounts there.
    """
    if not password.strip() or "\0" in password:
        return None
    rules, failures = current_rules(), Failures(name_key(name))
    most = rules.netlogon_max_failures
    if failures.use_up() > most:
        raise _refusal(f"{most} failures in 10 minutes, not asked")
    attempt = DirectoryAttempt(rules, pace.note)
    try:
        user = _ask_directory(name, password, attempt)
    except DirectoryError as error:
        if _costs_no_try(error, attempt):
            failures.give_back()
        raise _refusal_of(error) from error
    failures.forget()
    return user


def _ask_directory(name: str, password: str, attempt: DirectoryAttempt) -> PbxUser:
    leave_place()
    user = PbxUser.objects.filter(name_key=name_key(name), is_active=True).first()
    if user is None:
        _pretend(name, attempt.rules)
        raise _refusal("no active PBX user of this name, no password sent")
    check_password(user.name, password, attempt)
    return user


def _costs_no_try(error: DirectoryError, attempt: DirectoryAttempt) -> bool:
    """The password was right, or none was judged; a lost answer may have been a no."""
    judged = error.stage is NetlogonStage.PASSWORD
    is_outage = error.fault.verdict is not Verdict.REJECTED and not judged
    return attempt.password_was_right or is_outage


def _pretend(name: str, rules: AuthenticationSettings) -> None:
    """For a name that no PBX user has, do the same work but send no password."""
    attempt = DirectoryAttempt(rules)
    try:
        ask(attempt, partial(_find, name, attempt))
    except DirectoryError as error:
        if error.fault.verdict is not Verdict.REJECTED:
            raise
    pace.keep(attempt)


def _find(
    name: str,
    attempt: DirectoryAttempt,
    connection: DirectoryConnection,
) -> None:
    if attempt.rules.netlogon_bind_dn:
        bind_service(connection, attempt)
        look_up(name, connection, attempt)


def _refusal(detail: str) -> LoginRefusedError:
    return LoginRefusedError(Method.NETLOGON, detail)


def _refusal_of(error: DirectoryError) -> LoginRefusedError:
    sentence = "" if error.fault.verdict is Verdict.REJECTED else NO_ANSWER
    return LoginRefusedError(
        Method.NETLOGON,
        audit_detail(error),
        str(SENTENCES.get(error.fault, sentence)),
    )


class Failures:
    """Counts the wrong passwords of a name, each before it is tried."""

    def __init__(self, key: str) -> None:
        digest = salted_hmac("authconfig.methods.netlogon", key).hexdigest()
        self._key = f"netlogon-failures:{digest}"

    def use_up(self) -> int:
        cache.add(self._key, 0, FAILURES_PERIOD_SECONDS)
        return self._add(1)

    def give_back(self) -> None:
        self._add(-1)

    def forget(self) -> None:
        cache.delete(self._key)

    def _add(self, number: int) -> int:
        try:
            return cache.incr(self._key, number)
        except ValueError:  # the counter has expired since `add`
            cache.set(self._key, max(number, 0), FAILURES_PERIOD_SECONDS)
            return max(number, 0)
