"""The pages of a forgotten password, and of a link that sets a new one."""

from __future__ import annotations

from http import HTTPStatus

from allauth.core.ratelimit import consume, respond_429
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import methods_for, offers_new_password
from authconfig.users.audit import origin_of
from verification.links import token_of
from verification.password_links import use
from verification.password_links.forgotten import ask, key_of
from verification.password_links.forms import ForgottenForm, NewPasswordForm
from verification.password_links.making import is_offered

LOGIN_OF = {Kind.MYAPPS: "account_login", Kind.MYPBX: "account_login_mypbx"}
FOLDER = "verification/password_links"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest, kind: Kind) -> HttpResponse:
    """Take a user name, and say the same whoever has it or whether anybody does."""
    if not offers_new_password(current_rules(), kind):
        raise Http404
    form = ForgottenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        entered = form.cleaned_data["login"]
        if not consume(request, action="forgotten_password", key=key_of(entered)):
            return respond_429(request)  # type: ignore[no-any-return]
        ask(entered, kind=kind, origin=origin_of(request))
        return redirect("verification:forgotten_sent")
    context = {"form": form, "kind": kind, "login_url": LOGIN_OF[kind]}
    return render(request, f"{FOLDER}/forgotten.html", context)


@login_not_required
@never_cache
@require_safe
def forgotten_sent(request: HttpRequest) -> HttpResponse:
    minutes = current_rules().forgotten_password_minutes
    return render(request, f"{FOLDER}/sent.html", {"minutes": minutes})


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Ask for the password; mail scanners open links, so only the POST uses one."""
    link = use.find(token_of(request.GET.get("id", "")))
    if link is None:
        return _stale(request)
    form = NewPasswordForm(link.user, request.POST or None)
    if form.is_valid():
        new = form.cleaned_data["new_password1"]
        if not use.set_password(link, new, origin=origin_of(request)):
            return _stale(request)
        return redirect("verification:password_set")
    context = {
        "form": form,
        "owner": link.user,
        "purpose": link.purpose,
        "needs_more": use.needs_more(link),
        "ends_sessions": use.ends_sessions(link),
        "min_length": current_rules().password_min_length,
    }
    return render(request, f"{FOLDER}/set_password.html", context)


def _stale(request: HttpRequest) -> HttpResponse:
    context = {"is_offered": is_offered(current_rules())}
    return render(request, f"{FOLDER}/stale.html", context, status=HTTPStatus.GONE)


@login_not_required
@never_cache
@require_safe
def password_set(request: HttpRequest) -> HttpResponse:
    rules = current_rules()
    kinds = [kind for kind in Kind if Method.PASSWORD in methods_for(rules, kind)]
    context = {"login_url": LOGIN_OF[kinds[0]] if kinds else LOGIN_OF[Kind.MYAPPS]}
    return render(request, f"{FOLDER}/done.html", context)
