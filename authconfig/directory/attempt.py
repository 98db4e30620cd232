"""One try at the directory: its limits, its stages and what they took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import ldap
from django.conf import settings

from authconfig.choices import StepState
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.faults import (
    DirectoryError,
    FaultKind,
    ldap_error,
    network_error,
)
from authconfig.directory.remedies import summary
from authconfig.network import readable
from authconfig.trial import Progress, Step


@dataclass
class Attempt:
    progress: Progress = lambda _step: None
    # A test asks also what failed a moment ago.
    is_test: bool = False
    connect_limit: float = field(
        default_factory=lambda: settings.NETLOGON_CONNECT_TIMEOUT
    )
    operation_limit: float = field(
        default_factory=lambda: settings.NETLOGON_OPERATION_TIMEOUT
    )
    password_was_sent: bool = False

    @contextmanager
    def stage(self, stage: NetlogonStage) -> Iterator[list[str]]:
        """Report how the stage goes; any failure leaves it as a DirectoryError.

        What is put into the list are the words of a stage that succeeds.
        """
        began = time.monotonic()
        found: list[str] = []
        self._report(stage, StepState.STARTED, began, "")
        try:
            yield found
        except DirectoryError as error:
            self._report(stage, StepState.FAILED, began, summary(error))
            raise
        except (ldap.LDAPError, OSError, ValueError) as raised:
            meant = _meaning(stage, raised)
            self._report(stage, StepState.FAILED, began, summary(meant))
            raise meant from raised
        self._report(stage, StepState.DONE, began, "; ".join(found))

    def skip(self, stage: NetlogonStage, words: str = "") -> None:
        self._report(stage, StepState.SKIPPED, time.monotonic(), words)

    def _report(
        self, stage: NetlogonStage, state: StepState, began: float, words: str
    ) -> None:
        elapsed_ms = round((time.monotonic() - began) * 1000)
        self.progress(Step(stage, state, elapsed_ms, readable(words)))

    def may_go_on(self, error: DirectoryError) -> bool:
        """May another controller be asked? Never twice with the user's password."""
        if self.password_was_sent:
            return False
        before_any_answer = error.stage in (NetlogonStage.CONNECT, NetlogonStage.TLS)
        return before_any_answer or error.fault.kind is FaultKind.UNREACHABLE


def _meaning(stage: NetlogonStage, error: Exception) -> DirectoryError:
    if isinstance(error, ldap.LDAPError):
        return ldap_error(stage, error)
    return network_error(stage, error)
