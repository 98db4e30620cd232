"""The allauth login stage that holds a login until it is approved."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginStage, LoginStageController
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation

from authconfig.choices import Client, Method
from authconfig.clients import origin_of
from authconfig.models import current_settings
from authconfig.policy import needs_approval
from verification import flows
from verification.choices import LoginFacts, Refusal
from verification.models import LoginSession

# Where the released login's client waits until the session is the user's own.
RELEASED_KEY = "released_client"


class ApprovalStage(LoginStage):
    key = "approval"
    urlname = "verification:wait"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Hold the login, refuse it, or let it pass: (response, whether to go on)."""
        client = Client(self.login.state.get("client", Client.MYAPPS))
        self.state["method"] = self.login.user.login_method or Method.OAUTH2
        if not needs_approval(current_settings(), client):
            release(self.request, client, self.state["method"], approver="")
            return None, True
        started = flows.start_login(self.login.user, self._facts(client))
        if isinstance(started, Refusal):
            return self._refused(started), False
        # Else the provider's tokens and claims would lie in the session.
        self.login.signal_kwargs = None
        self.state["login"] = started.pk
        return redirect("verification:wait"), True

    def is_resumable(self, request: HttpRequest) -> bool:
        """The login page stays a login page while a login waits."""
        return False

    def _facts(self, client: Client) -> LoginFacts:
        address = get_adapter().get_client_ip(self.request)
        return LoginFacts(
            client=client,
            method=Method(self.state["method"]),
            origin=origin_of(self.request, address),
            language=translation.get_language() or "en",
        )

    def _refused(self, refusal: Refusal) -> HttpResponse:
        minutes = -(-refusal.wait.total_seconds() // 60) if refusal.wait else 0
        return render(
            self.request,
            "verification/refused.html",
            {"minutes": int(minutes)},
            status=429 if refusal.wait else 200,
        )


def release(request: HttpRequest, client: Client, method: str, approver: str) -> None:
    """Note for the adapter what the session is for that is about to begin."""
    request.session[RELEASED_KEY] = {
        "client": client,
        "method": method,
        "approver": approver,
    }


def held_login(request: HttpRequest) -> tuple[Any, LoginSession | None]:
    """Return this browser's held login as allauth's stage and as our row."""
    stage = LoginStageController.enter(request, ApprovalStage.key)
    if not stage or not stage.login.user:
        return None, None
    rows = LoginSession.objects.filter(user=stage.login.user)
    login = rows.select_related("user").filter(pk=stage.state.get("login")).first()
    return stage, login
