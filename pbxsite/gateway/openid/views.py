"""The pages of the provider: they lead a browser to the client, or stop it."""

from __future__ import annotations

from copy import copy
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from allauth.core import ratelimit
from allauth.idp.oidc import views as allauth
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.clients.destinations import LOGIN_PAGES
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.asking_time import (
    browser_of,
    is_marked,
    keep_browser,
    marked_query,
    with_marked_request,
)
from pbxsite.gateway.openid.clients import note_missing_pkce
from pbxsite.gateway.openid.forms import (
    PKCE_REQUIRED,
    AuthorizationForm,
    ConsentForm,
    EndSessionForm,
    RecipientForm,
)
from pbxsite.gateway.openid.hints import in_wanted_language, login_hint
from pbxsite.gateway.openid.models import OpenIdClient
from pbxsite.gateway.openid.preconditions import Reaction, note_consent, reaction_to
from verification.login.redirect_page import page_to


def answer(
    request: HttpRequest, name: str, redirect_uri: str, **values: str
) -> HttpResponse:
    known = {key: value for key, value in values.items() if value}
    # RFC 9207: the answer says who gives it.
    query = urlencode(known | {"iss": settings.SITE_URL})
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return lead_on(request, name, f"{redirect_uri}{separator}{query}")


def lead_on(request: HttpRequest, name: str, address: str) -> HttpResponse:
    """Browsers hold a form to `form-action` over every redirect that follows it.

    So where a form of ours may have come before, a page leads on, and no redirect.
    """
    if request.method == "POST" or is_marked(request):
        return page_to(request, name, address, _("This page leads on by itself."))
    # Django's own redirect takes no scheme of an app.
    return HttpResponse(status=302, headers={"Location": address})


LOGINS_AGAIN = {
    Kind.MYAPPS: "account_reauthenticate",
    Kind.MYPBX: "account_login_mypbx_again",
}
# What a client hears if it wanted no page, or if nobody may log in to it.
FAULTS = {
    Reaction.SHUT: ("access_denied", "nobody may log in to this client at present"),
    Reaction.OTHER_USER: ("login_required", "id_token_hint is not of this user"),
    Reaction.LOG_IN: ("login_required", "the user has to log in"),
    Reaction.LOG_IN_AGAIN: ("login_required", "the user has to log in again"),
    Reaction.CONSENT: ("consent_required", "the user has to agree"),
}
NO_PAGE_HELPS = {Reaction.SHUT, Reaction.OTHER_USER}
# These parts of allauth's answer go on to the client.
PASSED_ON = ("code", "error", "error_description")


# Ours to allauth; the state is the client's, who gets it back from us.
HANDED_ON = ("code_challenge", "code_challenge_method", "nonce")


@login_not_required
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
@with_marked_request
@in_wanted_language
def authorize(request: HttpRequest) -> HttpResponse:
    """Serve the authorization endpoint; a client's POST goes on as a GET."""
    if request.method == "POST":
        return redirect(f"{request.path}?{request.POST.urlencode()}")
    recipient = RecipientForm(request.GET)
    if not recipient.is_valid():
        return _refused(request, recipient)
    asked = AuthorizationForm(request.GET, openid=recipient.openid)
    if not asked.is_valid():
        return _fault(request, recipient, asked, *asked.fault)
    reaction = reaction_to(request, recipient.openid, asked)
    if reaction is Reaction.ANSWER:
        return _answered(request, recipient, asked)
    if reaction in NO_PAGE_HELPS or "none" in asked.cleaned_data["prompt"]:
        return _fault(request, recipient, asked, *FAULTS[reaction])
    if reaction is Reaction.CONSENT:
        return _consent_page(request, recipient.openid, asked)
    return _login(request, recipient.openid, reaction)


def _refused(request: HttpRequest, form: Any) -> HttpResponse:
    """Tell the user here: the request does not say for sure which client to tell."""
    context = {"form": form}
    return render(request, "gateway/openid/refused.html", context, status=400)


def _fault(
    request: HttpRequest,
    recipient: RecipientForm,
    asked: AuthorizationForm,
    code: str,
    words: str,
) -> HttpResponse:
    openid = recipient.openid
    if _is_recorded(request):
        advice = note_missing_pkce(openid) if words == PKCE_REQUIRED else ""
        told = f"{code}: {words}{advice}"
        _record(request, Event.CLIENT_REFUSED, openid, told)
    return answer(
        request,
        openid.application.name,
        recipient.cleaned_data["redirect_uri"],
        error=code,
        error_description=words,
        state=asked.given_state,
    )


def _is_recorded(request: HttpRequest) -> bool:
    """Keep whoever asks again and again from filling the audit log."""
    action = "openid_asked" if request.user.is_authenticated else "openid_refused"
    return ratelimit.consume_or_429(request, action=action, limit_get=True) is None


def _login(
    request: HttpRequest, openid: OpenIdClient, reaction: Reaction
) -> HttpResponse:
    pages = LOGIN_PAGES if reaction is Reaction.LOG_IN else LOGINS_AGAIN
    page = reverse(pages[Kind(openid.application.kind)])
    browser = browser_of(request)
    wanted = f"{reverse('openid:authorize')}?{marked_query(request.GET, browser)}"
    query = urlencode({"next": wanted} | login_hint(request))
    response = redirect(f"{page}?{query}")
    keep_browser(response, browser)
    return response


def _consent_page(
    request: HttpRequest, openid: OpenIdClient, asked: AuthorizationForm
) -> HttpResponse:
    browser = browser_of(request)
    context = {
        "application": openid.application,
        "scopes": asked.cleaned_data["scope"],
        "host": urlsplit(request.GET["redirect_uri"]).netloc,
        "address": f"{reverse('openid:consent')}?{marked_query(request.GET, browser)}",
    }
    response = render(request, "gateway/openid/consent.html", context)
    keep_browser(response, browser)
    return response


@login_not_required
@never_cache
@require_POST
@with_marked_request
@in_wanted_language
def consent(request: HttpRequest) -> HttpResponse:
    """Note the user's decision; the client's request stands in the address.

    No code is given here: the authorization endpoint checks everything again.
    """
    recipient, decision = RecipientForm(request.GET), ConsentForm(request.POST)
    if not recipient.is_valid():
        return _refused(request, recipient)
    asked = AuthorizationForm(request.GET, openid=recipient.openid)
    if not asked.is_valid():
        return _fault(request, recipient, asked, *asked.fault)
    if not decision.is_valid():
        return _fault(request, recipient, asked, "access_denied", "not understood")
    if decision.cleaned_data["decision"] == "deny":
        return _fault(request, recipient, asked, "access_denied", "the user said no")
    if request.user.is_authenticated:
        note_consent(request, recipient.openid, asked)
    # The question's mark goes along.
    query = request.META["QUERY_STRING"]
    return redirect(f"{reverse('openid:authorize')}?{query}")


def _answered(
    request: HttpRequest, recipient: RecipientForm, asked: AuthorizationForm
) -> HttpResponse:
    """Have allauth make the code, and bind it to the session."""
    limited = ratelimit.consume_or_429(request, action="openid_asked", limit_get=True)
    if limited:
        return limited  # type: ignore[no-any-return]
    openid, uri = recipient.openid, recipient.cleaned_data["redirect_uri"]
    made = allauth.authorization(_checked_request(request, recipient, asked))
    if "Location" not in made:
        return _refused(request, None)
    words = dict(parse_qsl(urlsplit(made["Location"]).query))
    if "code" in words:
        if not grants.begin(
            request,
            openid.client_id,
            words["code"],
            has_challenge=bool(asked.cleaned_data["code_challenge"]),
        ):
            return _fault(request, recipient, asked, *FAULTS[Reaction.LOG_IN])
        _record(request, Event.CLIENT_OPENED, openid, "OpenID Connect")
    passed_on = {name: words[name] for name in PASSED_ON if name in words}
    name, state = openid.application.name, asked.given_state
    return answer(request, name, uri, **passed_on, state=state)


def _checked_request(
    request: HttpRequest, recipient: RecipientForm, asked: AuthorizationForm
) -> HttpRequest:
    """Return the request as our forms read it, with nothing that they did not check."""
    facts = asked.cleaned_data
    query = urlencode(
        {
            "client_id": recipient.openid.client_id,
            "redirect_uri": recipient.cleaned_data["redirect_uri"],
            "response_type": "code",
            "scope": " ".join(facts["scope"]),
        }
        | {name: facts[name] for name in HANDED_ON if facts[name]}
    )
    checked = copy(request)
    checked.GET = QueryDict(query)
    checked.META = request.META | {"QUERY_STRING": query}
    return checked


def _record(
    request: HttpRequest, event: Event, openid: OpenIdClient, words: str
) -> None:
    user = request.user if request.user.is_authenticated else None
    audit.record(
        event,
        user=user,
        origin=origin_of(request),
        kind=openid.application.kind,
        detail=f"client {openid.application.slug}: {words}",
    )


@method_decorator([login_not_required, csrf_exempt, never_cache], name="dispatch")
@method_decorator(in_wanted_language, name="dispatch")
class EndSessionView(allauth.LogoutView):
    """Logs out as a client wishes, once the user agrees."""

    form_class = EndSessionForm
    template_name = "gateway/openid/log_out.html"

    def form_invalid(self, form: EndSessionForm) -> HttpResponse:
        return _refused(self.request, form)

    def _handle(self, form: EndSessionForm, op_logout: bool) -> HttpResponse:  # noqa: FBT001
        """End what the client has of this session; allauth would end all it has."""
        client = form.cleaned_data["client"]
        form.cleaned_data["client"] = None
        if client:
            grants.end_at(client.pk, self.request.session)
        response: HttpResponse = super()._handle(form, op_logout)
        return response

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A client's POST goes on as a GET: its browser sends no cookie with it."""
        if request.method == "POST" and "action" not in request.POST:
            return redirect(f"{request.path}?{request.POST.urlencode()}")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        address = response.get("Location", "/")
        if response.status_code != HTTPStatus.FOUND or address.startswith("/"):
            return response
        return lead_on(request, urlsplit(address).netloc, address)
