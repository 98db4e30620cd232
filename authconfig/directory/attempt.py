"""One attempt to ask the directory: its limits, its stages, and what it has sent."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import ldap
import ldap.dn
from django.conf import settings
from django.db.models import TextChoices

from authconfig.choices import StepState
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import Entry
from authconfig.directory.faults import (
    DirectoryError,
    Verdict,
    ldap_error,
    network_error,
)
from authconfig.directory.remedies import summary
from authconfig.models import AuthenticationSettings
from authconfig.trial import Failure, Progress, report_step, run_stage


@dataclass
class DirectoryAttempt:
    rules: AuthenticationSettings
    progress: Progress | None = None
    # A trial also asks a controller or service account that has just failed.
    is_trial: bool = False
    connect_limit: float = field(
        default_factory=lambda: settings.NETLOGON_CONNECT_TIMEOUT
    )
    operation_limit: float = field(
        default_factory=lambda: settings.NETLOGON_OPERATION_TIMEOUT
    )
    password_was_sent: bool = False
    # By the directory's own word, whatever else it says against the login.
    password_was_right: bool = False
    # What the search found last.
    found: Entry | None = None

    @property
    def base_dn(self) -> str:
        if self.rules.netlogon_base_dn:
            return self.rules.netlogon_base_dn
        labels = self.rules.netlogon_domain.split(".")
        return ",".join(f"DC={ldap.dn.escape_dn_chars(label)}" for label in labels)

    def stage(self, stage: NetlogonStage) -> AbstractContextManager[list[str]]:
        return run_stage(stage, self.progress, _meaning)

    def skip(self, stage: NetlogonStage) -> None:
        report_step(self.progress, stage, StepState.SKIPPED)

    def may_go_on(self, error: DirectoryError) -> bool:
        """May another controller be asked? Never send the user's password twice."""
        if self.password_was_sent:
            return False
        before_any_answer = error.stage in (NetlogonStage.CONNECT, NetlogonStage.TLS)
        return before_any_answer or error.fault.verdict is Verdict.UNREACHABLE


def _meaning(stage: TextChoices, raised: Exception) -> Failure | None:
    error = _directory_error(NetlogonStage(stage), raised)
    return Failure(error, summary(error)) if error else None


def _directory_error(stage: NetlogonStage, raised: Exception) -> DirectoryError | None:
    if isinstance(raised, DirectoryError):
        return raised
    if isinstance(raised, ldap.LDAPError):
        return ldap_error(stage, raised)
    if isinstance(raised, (OSError, ValueError)):
        return network_error(stage, raised)
    return None
