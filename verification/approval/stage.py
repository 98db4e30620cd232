"""The allauth login stage in which a login waits for somebody's approval."""

from __future__ import annotations

from typing import Any

from allauth.account.stages import LoginStage, LoginStageController
from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.crypto import constant_time_compare

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.models import current_settings
from authconfig.policy import needs_approval
from authconfig.users.audit import origin_of
from verification.approval import flows
from verification.approval.choices import LoginFacts, Refusal
from verification.approval.models import LoginSession
from verification.sessions.choices import Approver

# Where the released login's client waits until the session is the user's own.
RELEASED_KEY = "released_client"
# With it the provider's account, which is bound to the user as his session begins.
ACCOUNT_KEY = "provider_account"
Handled = tuple[HttpResponse | None, bool]


class ApprovalStage(LoginStage):
    key = "approval"
    urlname = "verification:wait"

    def handle(self) -> Handled:
        """Hold the login, refuse it, or let it pass: (response, whether to go on)."""
        client = kind_of(self.login)
        if self._was_shown_a_factor():
            if not self._is_unchanged():
                return redirect("account_login"), False
            self._release(Approver.FACTOR)
            return None, True
        if not needs_approval(current_settings(), client):
            self._release("")
            return None, True
        started = flows.start_login(self.login.user, self._facts(client))
        if isinstance(started, Refusal):
            return self._refused(started), False
        # Else the provider's tokens and claims would lie in the session.
        self.login.signal_kwargs = None
        renew_key(self.request)
        self.state["login"] = started.pk
        return redirect("verification:wait"), True

    def is_resumable(self, request: HttpRequest) -> bool:
        """The login page stays a login page while a login waits."""
        return False

    def _release(self, approver: str) -> None:
        facts = self.login.state
        release(
            self.request,
            kind_of(self.login),
            facts["method"],
            approver=approver,
            account=facts["account"],
        )

    def _was_shown_a_factor(self) -> bool:
        factor = self.controller.get_stage(AuthenticateStage.key)
        return bool(factor.state.get("authentication_required"))

    def _is_unchanged(self) -> bool:
        """The user may have been deactivated, or his password changed, meanwhile."""
        user = self.login.user
        if user is None or not user.is_active:
            return False
        hash_now = user.get_session_auth_hash()
        return constant_time_compare(self.login.state["auth_hash"], hash_now)

    def _facts(self, client: Kind) -> LoginFacts:
        return LoginFacts(
            client=client,
            method=Method(self.login.state["method"]),
            origin=origin_of(self.request),
            language=translation.get_language() or "en",
        )

    def _refused(self, refusal: Refusal) -> HttpResponse:
        minutes = -(-refusal.wait.total_seconds() // 60) if refusal.wait else 0
        return render(
            self.request,
            "verification/refused.html",
            {"minutes": int(minutes), "too_many": refusal.too_many},
            status=429 if refusal.wait else 200,
        )


def kind_of(login: Any) -> Kind:
    return Kind(login.state.get("client", Kind.MYAPPS))


def held_stage(request: HttpRequest) -> LoginStage | None:
    """Return where this browser's login is held, if it is."""
    keys = (ApprovalStage.key, AuthenticateStage.key)
    stages = (LoginStageController.enter(request, key) for key in keys)
    return next(filter(None, stages), None)


def renew_key(request: HttpRequest) -> None:
    """Whoever planted the browser's key must not go on with the login it holds."""
    if request.session.session_key:
        request.session.cycle_key()


def provider_account(login: Any) -> list[str] | None:
    """Return the OpenID provider's account (issuer, sub) that logs in, if one does."""
    social = (login.signal_kwargs or {}).get("sociallogin")
    return social.state.get("account") if social else None


def release(
    request: HttpRequest,
    client: Kind,
    method: str,
    *,
    approver: str,
    account: list[str] | None = None,
) -> None:
    """Note for the adapter what the session is for that is about to begin."""
    request.session[RELEASED_KEY] = {
        "client": client,
        "method": method,
        "approver": approver,
    }
    request.session[ACCOUNT_KEY] = account


def approval_stage(request: HttpRequest) -> LoginStage | None:
    """Return where this browser's login waits for approval, if one does."""
    stage = LoginStageController.enter(request, ApprovalStage.key)
    return stage if stage and stage.login.user else None


def login_of(stage: LoginStage | None) -> LoginSession | None:
    """Return our row of the login that the stage holds."""
    if stage is None:
        return None
    rows = LoginSession.objects.filter(user=stage.login.user)
    return rows.select_related("user").filter(pk=stage.state.get("login")).first()


def held_login(request: HttpRequest) -> LoginSession | None:
    return login_of(approval_stage(request))
