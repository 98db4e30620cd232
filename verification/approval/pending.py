"""The pending login of a browser: where allauth keeps it, and its row."""

from __future__ import annotations

from allauth.account.stages import LoginStage, LoginStageController
from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from verification.approval.models import LoginSession

APPROVAL_STAGE = "approval"


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
