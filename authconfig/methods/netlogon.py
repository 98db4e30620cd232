"""The Windows password: the directory checks it, and nobody stores it."""

from __future__ import annotations

import time
from functools import partial

from django.core.cache import cache
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from authconfig.choices import Method, StepState
from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import DirectoryConnection, bind_service, look_up
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask, check_password
from authconfig.directory.faults import DirectoryError, Verdict
from authconfig.directory.remedies import NO_ANSWER, SENTENCES, audit_detail
from authconfig.methods.places import leave_place
from authconfig.methods.refusal import LoginRefusedError, MustWaitError, Said
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.names import name_key
from authconfig.network import release_database
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
        release_database()
        time.sleep(min(self.seconds, attempt.operation_limit))


pace = Pace()


def check(name: str, password: str, *, is_known: bool = False) -> PbxUser | None:
    """Return the active PBX user who has this Windows password.

    The directory gets each password once, with the PBX user's own spelling of the name,
    and only for PBX users: strangers must not lock other accounts there.
    """
    if not password.strip() or "\0" in password:
        return None
    rules, count = current_rules(), Failures if is_known else StrangersFailures
    failures, most = count(name_key(name)), rules.netlogon_max_failures
    if not failures.may_try(most):
        raise _must_wait(failures.share_of(most))
    attempt = DirectoryAttempt(rules, pace.note)
    try:
        user = _ask_directory(name, password, attempt)
    except DirectoryError as error:
        said = _said(error, attempt)
        if said is not Said.WRONG:
            failures.give_back()
        raise _refusal_of(error, said) from error
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


def _said(error: DirectoryError, attempt: DirectoryAttempt) -> Said:
    """Return what the directory said of the password; a lost answer may be a no.

    Only a wrong one costs a try.
    """
    if attempt.password_was_right:
        return Said.RIGHT
    judged = error.stage is NetlogonStage.PASSWORD
    is_outage = error.fault.verdict is not Verdict.REJECTED and not judged
    return Said.NOTHING if is_outage else Said.WRONG


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


def _must_wait(most: int) -> MustWaitError:
    sentence = gettext(
        "Too many failed logins for this user name. Please wait ten minutes, then try"
        " again."
    )
    return MustWaitError(
        Method.NETLOGON, f"{most} failures in 10 minutes, not asked", sentence
    )


def _refusal_of(error: DirectoryError, said: Said) -> LoginRefusedError:
    sentence = "" if error.fault.verdict is Verdict.REJECTED else NO_ANSWER
    return LoginRefusedError(
        Method.NETLOGON,
        audit_detail(error),
        str(SENTENCES.get(error.fault, sentence)),
        said,
    )


class Failures:
    """Counts the wrong passwords of a name, each before it is tried."""

    # What is counted here, for the key.
    counted = "netlogon-failures"

    def __init__(self, key: str) -> None:
        keyed = salted_hmac("authconfig.methods.netlogon", key, algorithm="sha256")
        self._key = f"{self.counted}:{keyed.hexdigest()}"

    def share_of(self, most: int) -> int:
        return most

    def may_try(self, most: int) -> bool:
        return self.use_up() <= self.share_of(most)

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


class StrangersFailures(Failures):
    """Counts those from unknown addresses as well, which leave the owner one try."""

    counted = "netlogon-failures-elsewhere"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._every = Failures(key)

    def share_of(self, most: int) -> int:
        return max(most - 1, 1)

    def may_try(self, most: int) -> bool:
        """A try too many from elsewhere does not count for the owner."""
        return super().may_try(most) and self._every.may_try(most)

    def give_back(self) -> None:
        super().give_back()
        self._every.give_back()

    def forget(self) -> None:
        super().forget()
        self._every.forget()
