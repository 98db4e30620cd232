"""The login page of each kind."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.views import LoginView as AllauthLoginView
from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.destinations import ACCOUNT, leading_path
from authconfig.clients.session_kinds import session_kind
from authconfig.methods.refusal import LoginRefusedError
from authconfig.models import current_rules
from authconfig.policy import (
    methods_for,
    offers_new_password,
    password_methods_for,
)
from verification.approval.choices import LoginState
from verification.approval.pending import pending_login
from verification.login.authentication import Attempt

# The errors that another try would not change; the page's status is 429.
TOO_MANY = ("too_many_login_attempts", "too_many_in_a_row")
FORGOTTEN_OF = {
    Kind.MYAPPS: "verification:forgotten",
    Kind.MYPBX: "verification:forgotten_mypbx",
}


class LoginForm(AllauthLoginForm):
    """allauth's form, for one kind."""

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        self.attempt = Attempt(kind)
        super().__init__(*args, **kwargs)
        self.fields["login"].label = gettext_lazy("User name")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].widget.attrs |= {
            "autocapitalize": "none",
            "spellcheck": "false",
            "autofocus": True,
        }

    def user_credentials(self) -> dict[str, Any]:
        credentials: dict[str, Any] = super().user_credentials()
        return credentials | {"attempt": self.attempt}

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except LoginRefusedError as refusal:
            raise forms.ValidationError(refusal.sentence, refusal.code) from refusal
        return cleaned

    def login(
        self, request: HttpRequest, redirect_url: str | None = None
    ) -> HttpResponse:
        self._login.state |= {
            "kind": self.attempt.kind.value,
            "method": self.attempt.method,
            "source": self.attempt.source.value,
            "is_used_up": self.attempt.is_used_up,
        }
        response: HttpResponse = super().login(request, redirect_url)
        return response


@method_decorator(login_not_required, name="dispatch")
class LoginView(AllauthLoginView):
    """allauth's login, for one kind and by the methods that the policy names."""

    kind = Kind.MYAPPS
    # Whether this is a second login, which replaces the session when it succeeds.
    again = False
    form_class = LoginForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._has_session() and not self.again:
            return redirect(self.get_authenticated_redirect_url())
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def _has_session(self) -> bool:
        user = self.request.user
        return user.is_authenticated and session_kind(self.request) is self.kind

    def get_authenticated_redirect_url(self) -> str:
        return leading_path(super().get_authenticated_redirect_url())

    def get_initial(self) -> dict[str, Any]:
        """A client application may say who is about to log in."""
        initial: dict[str, Any] = super().get_initial()
        return initial | {"login": self.request.GET.get("login_hint", "")}

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        return kwargs | {"kind": self.kind}

    def form_invalid(self, form: LoginForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if any(form.has_error("__all__", code=code) for code in TOO_MANY):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        left = session_kind(self.request)
        login = pending_login(self.request)
        is_pending = login is not None and login.status == LoginState.PENDING
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return (
            context
            | page_facts(self.kind)
            | {
                "other_session": left if left is not self.kind else None,
                "pending_login": login if is_pending else None,
            }
        )


class LoginAgainView(LoginView):
    """For users who can prove in no other way that a session is still their own."""

    again = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {"again": True, "redirect_field_value": self.get_success_url()}

    def get_success_url(self) -> str:
        """What was wanted may have been a POST, which is not kept over a login."""
        url: str = super().get_success_url() or ""
        pages = (reverse("admin:index"), reverse("openid:authorize"))
        return url if url.startswith(pages) else reverse(ACCOUNT)


def page_facts(kind: Kind) -> dict[str, Any]:
    rules = current_rules()
    methods = methods_for(rules, kind)
    passwords = password_methods_for(rules, kind)
    oauth2 = Method.OAUTH2 in methods
    return {
        "kind": kind,
        "password_allowed": bool(passwords),
        "password_hint": password_hint(passwords),
        "forgotten_url": forgotten_url(kind),
        "oauth2_label": rules.oauth2_provider_name if oauth2 else "",
        "oauth2_url": reverse("oauth2_start"),
        "closed_reason": "" if methods else closed_reason(),
    }


def forgotten_url(kind: Kind) -> str:
    """Return where a forgotten password is replaced; "" if that is not offered."""
    if not offers_new_password(current_rules(), kind):
        return ""
    return reverse(FORGOTTEN_OF[kind])


def password_hint(methods: tuple[Method, ...]) -> str:
    if len(methods) > 1:
        return _("Your PBX password or your Windows password")
    if Method.NETLOGON in methods:
        return _("Your Windows password")
    return _("Your PBX password") if methods else ""


def closed_reason() -> str:
    return _(
        "Nobody can log in to myPBX at present: the administrator has set"
        " “Authentication type” to “OAuth2 only”, which is for myApps."
    )
