"""Asking the first domain controller that answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeVar

from authconfig import dependencies
from authconfig.choices import Dependency
from authconfig.directory import service_account
from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import (
    DirectoryBackend,
    DirectoryConnection,
    connection,
)
from authconfig.directory.channel import open_channel
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.controllers import (
    REST_SECONDS,
    Controller,
    controllers_of,
    resting,
)
from authconfig.directory.faults import DirectoryError, DirectoryFault, Verdict
from authconfig.directory.remedies import summary
from authconfig.models import AuthenticationSettings
from authconfig.network import Deadline, release_database

T = TypeVar("T")
Failed = tuple[Controller, DirectoryError]
# A login waits for at most this many silent controllers.
MOST_SILENT = 3


def ask(attempt: DirectoryAttempt, question: Callable[[DirectoryConnection], T]) -> T:
    """Return the answer of the first controller that gives one.

    A controller that was down rests for 30 seconds, a refused service account longer:
    directories lock accounts that keep failing.
    """
    if attempt.rules.netlogon_bind_dn:
        service_account.require_service(attempt)
    deadline = Deadline(attempt.connect_limit * MOST_SILENT)
    tried: list[Failed] = []
    for controller in _awake(attempt):
        if tried and deadline.is_over():
            break
        release_database()
        try:
            answer = _ask_one(controller, attempt, question)
        except DirectoryError as error:
            tried.append((controller, error))
            _note_failure(controller, attempt.rules, error)
            if not attempt.may_go_on(error):
                raise
        else:
            _note_answer(controller, attempt.rules)
            return answer
    raise _nobody(tried)


def check_password(name: str, password: str, attempt: DirectoryAttempt) -> None:
    ask(attempt, partial(_bind, name, password, attempt))


def _bind(
    name: str,
    password: str,
    attempt: DirectoryAttempt,
    connection: DirectoryConnection,
) -> None:
    backend = DirectoryBackend(name, connection, attempt)
    backend.authenticate(None, username=name, password=password)


def _ask_one(
    controller: Controller,
    attempt: DirectoryAttempt,
    question: Callable[[DirectoryConnection], T],
) -> T:
    channel = open_channel(controller, attempt)
    with connection(channel, attempt) as connected:
        return question(connected)


def _awake(attempt: DirectoryAttempt) -> list[Controller]:
    rules = attempt.rules
    with attempt.stage(NetlogonStage.FIND) as found:
        if not rules.netlogon_domain:
            raise DirectoryError(NetlogonStage.FIND, DirectoryFault.NO_DOMAIN)
        every = controllers_of(attempt.rules, attempt.connect_limit)
        asleep = {
            c: words for c in every if (words := resting.get(_rest_key(c, rules)))
        }
        if attempt.is_trial:
            asleep = {}
        if len(asleep) == len(every):
            words = "; ".join(str(words) for words in asleep.values())
            raise DirectoryError(NetlogonStage.FIND, DirectoryFault.RESTING, words)
        awake = [controller for controller in every if controller not in asleep]
        found.append(", ".join(map(str, awake)))
    return awake


def _note_answer(controller: Controller, rules: AuthenticationSettings) -> None:
    resting.forget(_rest_key(controller, rules))
    dependencies.note_up(Dependency.CONTROLLER, str(controller))
    if rules.netlogon_bind_dn:
        service_account.ask_again(rules)


def _note_failure(
    controller: Controller, rules: AuthenticationSettings, error: DirectoryError
) -> None:
    silent = error.fault.verdict is Verdict.UNREACHABLE
    if silent or error.stage in (NetlogonStage.CONNECT, NetlogonStage.TLS):
        words = f"{controller}: {summary(error)}"
        resting.keep(_rest_key(controller, rules), words, REST_SECONDS)
        dependencies.note_down(Dependency.CONTROLLER, str(controller), summary(error))
    elif error.fault is DirectoryFault.SERVICE_REJECTED:
        service_account.note_refused(rules, error)


def _rest_key(controller: Controller, rules: AuthenticationSettings) -> Hashable:
    """A controller may well answer once these rules change."""
    return controller, rules.netlogon_security, rules.netlogon_ca_certificate


def _nobody(tried: list[Failed]) -> DirectoryError:
    """Join the errors of all controllers; the first one's decides the remedy."""
    first = tried[0][1]
    if len(tried) == 1:
        return first
    words = "; ".join(f"{controller}: {summary(error)}" for controller, error in tried)
    return DirectoryError(first.stage, first.fault, words)
