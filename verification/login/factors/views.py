"""The pages of passkeys and one-time codes, which only myApps sessions open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.account.stages import LoginStageController
from allauth.core.ratelimit import consume_or_429
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.signals import (
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse_lazy
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from authconfig.choices import Event
from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import myapps_required
from authconfig.fields import decrypted, encrypted
from authconfig.models import current_rules
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from verification.login.factors.forms import CodeForm, PasskeyForm
from verification.login.stages import SHOWN_KEY, FactorStage
from verification.sessions import factor_mails
from verification.sessions.choices import FactorChange
from verification.sessions.factors import (
    approver_of,
    factors_of,
    is_missing,
    may_do_without,
    passkey_fault,
)
from verification.sessions.reauthentication import reauthentication_required

View = Callable[..., Any]


class FactorView(base.AuthenticateView):
    def form_valid(self, form: CodeForm | PasskeyForm) -> HttpResponse:
        self.stage.state[SHOWN_KEY] = form.authenticator.pk
        response: HttpResponse = super().form_valid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.stage.login.user
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "factors": factors_of(user),
            "may_do_without": may_do_without(user),
        }


factor_view = FactorView.as_view()


@login_not_required
def authenticate(request: HttpRequest) -> HttpResponse:
    """Show allauth's page; it would fail for a user who was deleted meanwhile."""
    stage = LoginStageController.enter(request, FactorStage.key)
    deleted = stage is not None and stage.login.user is None
    answer: HttpResponse = stage.abort() if deleted else factor_view(request)
    return answer


@login_not_required
@never_cache
@require_POST
def go_on_without(request: HttpRequest) -> HttpResponse:
    """Go on to the approval, where somebody else may have added the factors."""
    stage = LoginStageController.enter(request, FactorStage.key)
    if stage is None or stage.login.user is None:
        return redirect("account_login")
    if not may_do_without(stage.login.user):
        return redirect("mfa_authenticate")
    response: HttpResponse = stage.exit()
    return response


class FactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy(
            "This was not accepted. Please try again; a code is valid for half a"
            " minute, and once."
        ),
        "not_approved": gettext_lazy(
            "This does not count yet: no login with it was approved. Take another way,"
            " or log in again with it."
        ),
    }

    def encrypt(self, text: str) -> str:
        return encrypted(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Refuse what no key opens, with an error that the form shows."""
        try:
            return decrypted(encrypted_text)
        except InvalidToken as error:
            raise self.validation_error("incorrect_code") from error

    def get_totp_issuer(self) -> str:
        return str(settings.SITE_NAME)

    def get_totp_label(self, user: PbxUser) -> str:
        return user.name

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        # The Host header does not count: visitors choose it.
        return {"id": urlsplit(settings.SITE_URL).hostname, "name": settings.SITE_NAME}

    def generate_authenticator_name(self, user: PbxUser, type: str) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return gettext("Passkey %(number)d") % {"number": number}


@receiver(authenticator_added)
def record_added(**facts: Any) -> None:
    _record(Event.FACTOR_ADDED, FactorChange.ADDED, **facts)


@receiver(authenticator_removed)
def record_removed(**facts: Any) -> None:
    _record(Event.FACTOR_REMOVED, FactorChange.REMOVED, **facts)


@receiver(authenticator_reset)
def record_renewed(**facts: Any) -> None:
    _record(Event.FACTOR_ADDED, FactorChange.RENEWED, **facts)


def _record(
    event: Event,
    change: FactorChange,
    *,
    request: HttpRequest,
    user: PbxUser,
    authenticator: Authenticator,
    **_: Any,
) -> None:
    type_, origin = authenticator.type, origin_of(request)
    audit.record(event, user=user, actor=user, origin=origin, detail=type_)
    factor_mails.tell(user, change, type_, origin=origin)


def passkeys_possible(view: View) -> View:
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if passkey_fault():
            return redirect("mfa_index")
        response: HttpResponse = view(request, *args, **kwargs)
        return response

    return checked


def _page(route: str, view: View, name: str) -> URLPattern:
    guarded = never_cache(myapps_required(view))
    return path(f"account/factors/{route}", guarded, name=name)


def _change(route: str, view: View, name: str) -> URLPattern:
    return _page(route, reauthentication_required(_seldom(view)), name)


def _seldom(view: View) -> View:
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        limited = consume_or_429(request, action="change_factor", user=request.user)
        response: HttpResponse = limited or view(request, *args, **kwargs)
        return response

    return checked


def needed(request: HttpRequest) -> HttpResponse:
    if not is_missing(request):
        return redirect(ACCOUNT)
    assert isinstance(request.user, PbxUser)
    context = {
        "passkey_fault": passkey_fault(),
        "factors": factors_of(request.user),
        **counting(request),
    }
    return render(request, "mfa/needed.html", context)


class SayingWhatCounts:
    """A page on which a factor is added: it may not count at once."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        known = super().get_context_data(**kwargs)  # type: ignore[misc]  # a mixin's
        return known | counting(self.request)  # type: ignore[no-any-return]


def counting(request: HttpRequest) -> dict[str, bool]:
    """Return for a page whether what this session adds counts at once."""
    return {
        "is_approved": bool(approver_of(request)),
        "two_factor": current_rules().two_factor,
    }


class AddAppView(SayingWhatCounts, totp.ActivateTOTPView):
    pass


class AddPasskeyView(SayingWhatCounts, webauthn.AddWebAuthnView):
    pass


add_passkey = passkeys_possible(AddPasskeyView.as_view())
account_security = RedirectView.as_view(url=reverse_lazy(ACCOUNT, fragment="factors"))
urlpatterns = [
    path("login/factor/", authenticate, name="mfa_authenticate"),
    path("login/factor/without/", go_on_without, name="mfa_without"),
    _page("", account_security, "mfa_index"),
    _page("needed/", needed, "mfa_needed"),
    _page("confirm/", base.reauthenticate, "mfa_reauthenticate"),
    _change("app/add/", AddAppView.as_view(), "mfa_activate_totp"),
    _change("app/remove/", totp.deactivate_totp, "mfa_deactivate_totp"),
    _page("passkeys/", account_security, "mfa_list_webauthn"),
    _change("passkeys/add/", add_passkey, "mfa_add_webauthn"),
    _page(
        "passkeys/confirm/",
        webauthn.reauthenticate_webauthn,
        "mfa_reauthenticate_webauthn",
    ),
    _change("passkeys/<int:pk>/edit/", webauthn.edit_webauthn, "mfa_edit_webauthn"),
    _change(
        "passkeys/<int:pk>/remove/", webauthn.remove_webauthn, "mfa_remove_webauthn"
    ),
    _change("codes/", recovery_codes.view_recovery_codes, "mfa_view_recovery_codes"),
    _change(
        "codes/new/",
        recovery_codes.generate_recovery_codes,
        "mfa_generate_recovery_codes",
    ),
    _change(
        "codes/download/",
        recovery_codes.download_recovery_codes,
        "mfa_download_recovery_codes",
    ),
]
