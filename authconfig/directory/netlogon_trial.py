"""The trial of Netlogon, stage by stage, also by rules that are not saved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext as _

from authconfig.choices import Event, Method
from authconfig.directory import controllers
from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import (
    DirectoryConnection,
    bind_service,
    look_up,
    require_access,
)
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask, check_password
from authconfig.directory.faults import DirectoryError
from authconfig.directory.remedies import audit_detail, remedy
from authconfig.models import AuthenticationSettings
from authconfig.names import name_key
from authconfig.trial import Progress, Report, TrialRecord
from authconfig.users import audit
from authconfig.users.audit import proof_of
from authconfig.users.models import PbxUser


@dataclass(frozen=True)
class NetlogonReport(Report):
    password_was_right: bool


def try_netlogon(
    rules: AuthenticationSettings,
    user: str,
    password: str,
    progress: Progress,
    *,
    actor: PbxUser | None,
) -> NetlogonReport:
    """Do what a login as `user` does; without a password, the part before it.

    The actor is the administrator at the page; the command line has none.
    """
    record = TrialRecord(progress)
    attempt = DirectoryAttempt(rules, record.note, is_trial=True)
    name = name_of(user, rules)
    controllers.answers.forget(rules.netlogon_domain)
    try:
        _log_in(name, password, attempt)
    except DirectoryError as error:
        _audit(name, audit_detail(error), actor)
        return _report(record, attempt, remedy(error), accepted=False)
    _skip_the_rest(record, attempt)
    _audit(name, "accepted", actor, proof=_proof(name, password, rules, actor))
    return _report(record, attempt, _note(name, password), accepted=True)


def _report(
    record: TrialRecord, attempt: DirectoryAttempt, words: str, *, accepted: bool
) -> NetlogonReport:
    steps = tuple(record.ended)
    return NetlogonReport(steps, words, accepted, attempt.password_was_right)


def _log_in(name: str, password: str, attempt: DirectoryAttempt) -> None:
    if name and password:
        check_password(name, password, attempt)
    else:
        ask(attempt, partial(_look, name, attempt))


def _skip_the_rest(record: TrialRecord, attempt: DirectoryAttempt) -> None:
    seen = {step.stage for step in record.ended}
    for stage in NetlogonStage:
        if stage not in seen:
            attempt.skip(stage)


def name_of(entered: str, rules: AuthenticationSettings) -> str:
    name = rules.login_name(entered)
    user = PbxUser.objects.filter(name_key=name_key(name)).first()
    return user.name if user else name


def _look(
    name: str,
    attempt: DirectoryAttempt,
    connection: DirectoryConnection,
) -> None:
    if not attempt.rules.netlogon_bind_dn:
        return
    bind_service(connection, attempt)
    if name:
        require_access(look_up(name, connection, attempt), attempt)


def _proof(
    name: str, password: str, rules: AuthenticationSettings, actor: PbxUser | None
) -> str:
    """Administrators who try their own name have shown that they can log in."""
    if not actor or not password or name_key(name) != actor.name_key:
        return ""
    return proof_of(rules, Method.NETLOGON)


def _audit(name: str, detail: str, actor: PbxUser | None, proof: str = "") -> None:
    if not name and not actor:
        return  # a monitor asks every few minutes, and about nobody
    audit.record(
        Event.NETLOGON_TESTED,
        user=actor,
        actor=actor,
        method=Method.NETLOGON,
        proof=proof,
        detail=f"{name}: {detail}" if name else detail,
    )


def _note(name: str, password: str) -> str:
    if not password:
        return _("No password was given, so none was checked.")
    if PbxUser.objects.filter(name_key=name_key(name), is_active=True).exists():
        return ""
    return _(
        "The directory accepts this user, but there is no active PBX user “%(name)s”:"
        " add one before they can log in."
    ) % {"name": name}
