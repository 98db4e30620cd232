"""The pending login of a browser: where allauth keeps it, and its row."""

from __future__ import annotations

from allauth.account.stages import LoginStage, LoginStageController
from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from verification.approval.choices import LoginState
from verification.approval.models import LoginSession

APPROVAL_STAGE = "approval"
# Names the login that this browser waited for last. The session of a visitor ends
# while a browser or its machine sleeps, and all that it knows.
WAITED_COOKIE = "pbx_waited"
# Its browser was led on, or may still be.
NOT_ENDED = (LoginState.PENDING, LoginState.ACCEPTED, LoginState.COMPLETED)


def pending_stage(request: HttpRequest) -> LoginStage | None:
    """Return the stage in which this browser's login waits, for whatever it waits."""
    keys = (APPROVAL_STAGE, AuthenticateStage.key)
    stages = (LoginStageController.enter(request, key) for key in keys)
    return next(filter(None, stages), None)


def approval_stage(request: HttpRequest) -> LoginStage | None:
    stage = LoginStageController.enter(request, APPROVAL_STAGE)
    return stage if stage and stage.login.user else None


def login_of(stage: LoginStage | None) -> LoginSession | None:
    if stage is None:
        return None
    rows = LoginSession.objects.filter(user=stage.login.user)
    return rows.select_related("user").filter(pk=stage.state.get("login")).first()


def pending_login(request: HttpRequest) -> LoginSession | None:
    """Return the login that this browser waits for; it may be over by now."""
    return login_of(approval_stage(request))


def note_waited(response: HttpResponse, login: LoginSession) -> None:
    response.set_signed_cookie(
        WAITED_COOKIE,
        str(login.public_id),
        salt=WAITED_COOKIE,
        max_age=settings.SESSION_COOKIE_AGE,
        path=reverse("verification:wait"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=settings.SESSION_COOKIE_SAMESITE,
    )


def ended_login(request: HttpRequest) -> LoginSession | None:
    """Return the login that this browser waited for, if it ended without a session."""
    waited = request.get_signed_cookie(
        WAITED_COOKIE, None, salt=WAITED_COOKIE, max_age=settings.SESSION_COOKIE_AGE
    )
    rows = LoginSession.objects.filter(public_id=waited) if waited else ()
    login = next(iter(rows), None)
    return login if login and login.status not in NOT_ENDED else None
