"""A test of Netlogon, stage by stage, also with settings that are not saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

from django.utils.translation import gettext as _

from authconfig.choices import Event, Method, StepState
from authconfig.directory import controllers
from authconfig.directory.attempt import Attempt
from authconfig.directory.backend import (
    Connection,
    base_dn,
    bind_service,
    look_up,
    refuse_ended,
)
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask, check_password
from authconfig.directory.faults import DirectoryError
from authconfig.directory.groups import RequiredGroup
from authconfig.directory.remedies import audit_detail, remedy
from authconfig.method_proofs import proof_of
from authconfig.models import AuthenticationSettings
from authconfig.names import name_key
from authconfig.trial import Progress, Report, Step
from authconfig.users import audit
from authconfig.users.models import PbxUser


@dataclass
class _Steps:
    """Passes each step on and keeps those that have ended."""

    progress: Progress
    ended: list[Step] = field(default_factory=list)

    def note(self, step: Step) -> None:
        if step.state is not StepState.STARTED:
            self.ended.append(step)
        self.progress(step)

    def skip_the_rest(self, talk: Attempt) -> None:
        seen = {step.stage for step in self.ended}
        for stage in NetlogonStage:
            if stage not in seen:
                talk.skip(stage)


def try_netlogon(
    rules: AuthenticationSettings,
    user: str,
    password: str,
    progress: Progress,
    *,
    actor: PbxUser | None,
) -> Report:
    """Go the way of a login as `user`; without a password as far as that leads.

    The page names the administrator who asked as the actor, the command line nobody.
    """
    steps = _Steps(progress)
    talk = Attempt(steps.note, is_test=True)
    name = name_of(user, rules)
    controllers.answers.forget(rules.netlogon_domain)
    try:
        if name and password:
            check_password(name, password, rules, talk)
        else:
            ask(rules, talk, partial(_look, name, rules, talk))
    except DirectoryError as error:
        _record(name, audit_detail(error), actor)
        return Report(tuple(steps.ended), remedy(error), accepted=False)
    steps.skip_the_rest(talk)
    _record(name, "accepted", actor, proof=_proof(name, password, rules, actor))
    return Report(tuple(steps.ended), _note(name, password), accepted=True)


def name_of(entered: str, rules: AuthenticationSettings) -> str:
    """Return the name that a login would ask the directory about."""
    name = rules.login_name(entered)
    user = PbxUser.objects.filter(name_key=name_key(name)).first()
    return user.name if user else name


def _look(
    name: str, rules: AuthenticationSettings, talk: Attempt, connection: Connection
) -> None:
    if not rules.netlogon_bind_dn:
        return
    bind_service(rules, connection)
    if not name:
        return
    dn, attributes = look_up(name, rules, connection, talk)
    refuse_ended(attributes)
    if rules.netlogon_group:
        found = SimpleNamespace(dn=dn, connection=connection)
        RequiredGroup(base_dn(rules), talk).is_member(found, rules.netlogon_group)


def _proof(
    name: str, password: str, rules: AuthenticationSettings, actor: PbxUser | None
) -> str:
    """An administrator who tested with his own name has shown that he can log in."""
    if not actor or not password or name_key(name) != actor.name_key:
        return ""
    return proof_of(rules, Method.NETLOGON)


def _record(name: str, detail: str, actor: PbxUser | None, proof: str = "") -> None:
    if not name and not actor:
        return  # a monitor's, which asks every few minutes and about nobody
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
        " add one before he can log in."
    ) % {"name": name}
