"""The allauth login stage that asks for the user's own second factor."""

from __future__ import annotations

from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth import logout
from django.http import HttpRequest

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.audit import origin_of
from verification.approval.stage import Handled, kind_of, provider_account, renew_key


class FactorStage(AuthenticateStage):
    """Asks whoever has a passkey or one-time codes for one, whatever the settings.

    Being the first stage, it also notes what nobody knows any more after a page.
    """

    def handle(self) -> Handled:
        user, facts = self.login.user, self.login.state
        facts["method"] = user.login_method or Method.OAUTH2
        facts["auth_hash"] = user.get_session_auth_hash()
        facts["account"] = provider_account(self.login)
        if kind_of(self.login) is not Kind.MYAPPS:
            return None, True
        response, go_on = super().handle()
        if response:
            self._hold()
        return response, go_on

    def _hold(self) -> None:
        # Else the provider's tokens and claims would lie in the session.
        self.login.signal_kwargs = None
        # allauth's page for factors is for anonymous visitors alone.
        if self.request.user.is_authenticated:
            logout(self.request)
        else:
            renew_key(self.request)
        audit.record(
            Event.FACTOR_ASKED,
            user=self.login.user,
            origin=origin_of(self.request),
            client=Kind.MYAPPS,
            method=self.login.state["method"],
        )

    def is_resumable(self, request: HttpRequest) -> bool:
        return False
