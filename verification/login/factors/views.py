"""The pages of passkeys and one-time codes, which only myApps sessions open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.account.stages import LoginStageController
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.signals import authenticator_added, authenticator_removed
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
from django.views.generic import RedirectView

from authconfig.choices import Event
from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import myapps_required
from authconfig.fields import decrypted, encrypted
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.login.stages import FactorStage
from verification.sessions.factors import factors_of, is_missing, passkey_fault
from verification.sessions.reauthentication import reauthentication_required

View = Callable[..., Any]


class FactorView(base.AuthenticateView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"factors": factors_of(self.stage.login.user)}


factor_view = FactorView.as_view()


@login_not_required
def authenticate(request: HttpRequest) -> HttpResponse:
    """Show allauth's page; it would fail for a user who was deleted meanwhile."""
    stage = LoginStageController.enter(request, FactorStage.key)
    deleted = stage is not None and stage.login.user is None
    answer: HttpResponse = stage.abort() if deleted else factor_view(request)
    return answer


class FactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy(
            "This was not accepted. Please try again; a code is valid for half a"
            " minute, and once."
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
def record_added(user: PbxUser, authenticator: Authenticator, **_: Any) -> None:
    _record(Event.FACTOR_ADDED, user, authenticator)


@receiver(authenticator_removed)
def record_removed(user: PbxUser, authenticator: Authenticator, **_: Any) -> None:
    _record(Event.FACTOR_REMOVED, user, authenticator)


def _record(event: Event, user: PbxUser, authenticator: Authenticator) -> None:
    audit.record(event, user=user, actor=user, detail=authenticator.type)


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
    return _page(route, reauthentication_required(view), name)


def needed(request: HttpRequest) -> HttpResponse:
    if not is_missing(request):
        return redirect(ACCOUNT)
    context = {"passkey_fault": passkey_fault()}
    return render(request, "mfa/needed.html", context)


add_passkey = passkeys_possible(webauthn.add_webauthn)
account_security = RedirectView.as_view(url=reverse_lazy(ACCOUNT, fragment="factors"))
urlpatterns = [
    path("login/factor/", authenticate, name="mfa_authenticate"),
    _page("", account_security, "mfa_index"),
    _page("needed/", needed, "mfa_needed"),
    _page("confirm/", base.reauthenticate, "mfa_reauthenticate"),
    _change("app/add/", totp.activate_totp, "mfa_activate_totp"),
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
