"""What began with a password alone, when the command line switches two-factor on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import OutputWrapper

from pbxsite.administration.authentication import summary
from verification.sessions import factors, signed_in


class Leftovers:
    """Ends and removes what the options name, and tells of the rest."""

    def __init__(self, stdout: OutputWrapper, stderr: OutputWrapper) -> None:
        self.stdout, self.stderr = stdout, stderr

    def clear(self, *, end_sessions: bool, remove_factors: bool, **_: Any) -> None:
        if end_sessions:
            count = signed_in.end_never_approved(actor=None)
            self.stdout.write(summary.sessions_ended(count))
        elif count := signed_in.never_approved().count():
            self.stderr.write(
                f"{count} myApps sessions that nobody approved go on;"
                " --end-sessions ends them."
            )
        self._clear_factors(remove_them=remove_factors)

    def _clear_factors(self, *, remove_them: bool) -> None:
        if remove_them:
            count = factors.remove_unapproved(actor=None)
            self.stdout.write(summary.factors_removed(count))
        elif count := factors.users_of_unapproved().count():
            self.stderr.write(
                f"{count} users have passkeys or codes that nobody approved;"
                " --remove-factors removes them."
            )
