"""The login page of each client."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.account.views import LoginView as AllauthLoginView
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.destinations import ACCOUNT, leading_path
from authconfig.clients.kinds import session_kind
from authconfig.models import current_settings
from authconfig.policy import methods_for, password_methods_for
from verification.approval.choices import LoginState
from verification.approval.stage import held_login
from verification.login.forms import LoginForm


@method_decorator(login_not_required, name="dispatch")
class LoginView(AllauthLoginView):
    """allauth's login, for one client and by the methods that the policy names."""

    client = Kind.MYAPPS
    # A second login beside a session, which it takes the place of when it succeeds.
    again = False
    form_class = LoginForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if session_kind(request) is self.client and not self.again:
            return redirect(self.get_authenticated_redirect_url())
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def get_authenticated_redirect_url(self) -> str:
        return leading_path(super().get_authenticated_redirect_url())

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        return kwargs | {"client": self.client}

    def form_invalid(self, form: LoginForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.has_error("__all__", code="too_many_login_attempts"):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        left = session_kind(self.request)
        other = left if left is not self.client else None
        return context | page_facts(self.client) | {"other_session": other}


def page_facts(client: Kind) -> dict[str, Any]:
    """What the present settings make of this client's login page."""
    settings = current_settings()
    methods = methods_for(settings, client)
    passwords = password_methods_for(settings, client)
    oauth2 = Method.OAUTH2 in methods
    return {
        "client": client,
        "password_allowed": bool(passwords),
        "password_hint": password_hint(passwords),
        "oauth2_label": settings.oauth2_provider_name if oauth2 else "",
        "oauth2_url": reverse("oauth2_start"),
        "closed_reason": "" if methods else closed_reason(),
    }


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


class HoldingLoginView(LoginView):
    """The login page, which also says that a login of this browser waits already."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        login = held_login(self.request)
        waits = login is not None and login.status == LoginState.PENDING
        pending = {"pending_login": login if waits else None}
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | pending


class LoginAgainView(HoldingLoginView):
    """For users who can prove in no other way that a session is still their own."""

    again = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {"again": True, "redirect_field_value": self.get_success_url()}

    def get_success_url(self) -> str:
        """What was wanted may have been a POST; that is not kept over a login."""
        url: str = super().get_success_url() or ""
        pages = (reverse("admin:index"), reverse("openid:authorize"))
        return url if url.startswith(pages) else reverse(ACCOUNT)
