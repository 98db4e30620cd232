"""“Authorize …”: to the provider of the mail server's tokens, and back from there."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.core import ratelimit
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from authconfig.choices import Event, SmtpLogin
from authconfig.models import AuthenticationSettings
from authconfig.network import readable
from authconfig.smtp_login.account_form import MailAccountForm
from authconfig.smtp_login.modes import grant_of, is_interactive, mode_of, shown_fields
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.administration.authentication import cards
from pbxsite.administration.authentication.posted_form import OWN_PASSWORD, user_of
from pbxsite.administration.authentication.smtp_login import visit
from pbxsite.administration.authentication.smtp_login.visit import Visit
from verification.login.oauth2_trial import may_try
from verification.login.redirect_page import page_to
from verification.mail.oauth2 import account_told
from verification.mail.oauth2.account_told import OtherAnswerError, Told
from verification.mail.oauth2.authorization import exchange_code, keep_authorization
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.faults import FAULT_OF_ERROR, TokenError, TokenFault
from verification.mail.oauth2.settings import configuration_of
from verification.sessions.reauthentication import (
    can_reauthenticate_by_password,
    reauthentication_fault,
)

TEMPLATE = "admin/authconfig/authenticationsettings/smtp_login/authorized.html"
# What decides where the administrator is sent, beside the fields of the login.
WHERE = (
    *("smtp_login", "smtp_server", "smtp_port", "smtp_security"),
    *("smtp_ca_certificate", "smtp_username"),
)
LONGEST_WORDS = 300


class RefusedError(Exception):
    """This site takes no tokens from this visit; the text says why, and what to do."""


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the provider, with the values on the screen or the stored ones."""
    if not may_try(request):
        raise PermissionDenied
    if limited := ratelimit.consume_or_429(request, action="login"):
        return limited  # type: ignore[no-any-return]
    if reauthentication_fault(request, request.POST.get(OWN_PASSWORD, "")):
        # What stands on the screen would be lost to a form of this page's own.
        has_values = "smtp_login" in request.POST
        asks = can_reauthenticate_by_password(user_of(request)) and not has_values
        field = OWN_PASSWORD if asks else ""
        return _page(request, error=_old_login(), own_password=field)
    form = _form(request)
    if faults := _faults(form):
        return _page(request, faults=faults)
    rules = form.new_rules()
    configuration = configuration_of(rules)
    assert configuration
    address = visit.begin(request, rules, configuration)
    words = _("You log in there as %(mailbox)s, and come back here by yourself.") % {
        "mailbox": rules.smtp_username
    }
    mode = mode_of(rules)
    known = mode.provider.name if mode and mode.provider else configuration.provider
    return page_to(request, known, address, words)


def _form(request: HttpRequest) -> MailAccountForm:
    """Fill the form; without scripts a page sends no values: the stored ones count."""
    posted = request.POST if "smtp_login" in request.POST else None
    return MailAccountForm(posted, instance=AuthenticationSettings.load())


def _faults(form: MailAccountForm) -> dict[str, list[str]]:
    form.is_valid()
    rules = form.new_rules()
    if not is_interactive(rules):
        words = _("The chosen login needs nobody to authorize it: press “Send test”.")
        return {cards.name_of("smtp_login"): [words]}
    shown = shown_fields(SmtpLogin(rules.smtp_login), grant_of(rules))
    return {
        cards.name_of(name): form.faults[name]
        for name in (*WHERE, *shown)
        if name in form.faults
    }


@require_safe
def finish(request: HttpRequest) -> HttpResponse:
    """Take the answer, in the browser and by the administrator that asked."""
    if not may_try(request):
        raise PermissionDenied
    found = visit.take(request)
    if found is None:
        return _page(request, HTTPStatus.BAD_REQUEST, error=_not_asked())
    configuration = found.asked_with()
    try:
        told = _authorized(request, found, configuration)
    except RefusedError as error:
        return _failed(request, configuration, str(error))
    except OtherAnswerError as error:
        return _failed(request, configuration, _other_answer(), str(error))
    except TokenError as error:
        return _failed(request, configuration, error.remedy, error.words)
    account = told.account(found.mailbox)
    _record(request, configuration, account or "the provider does not say")
    return _page(request, is_done=True, account=account, mailbox=found.mailbox)


def _authorized(
    request: HttpRequest, found: Visit, configuration: Configuration
) -> Told:
    """Keep what the code brings, if it is of the mailbox that it should be of."""
    account_told.check_issuer(configuration, request.GET.get("iss"))
    tokens = exchange_code(
        configuration,
        code=_code(request),
        redirect_uri=visit.redirect_uri(),
        code_verifier=found.verifier,
    )
    told = account_told.account_told(configuration, tokens, found.nonce)
    account = told.account(found.mailbox)
    if told.names and not told.fits(found.mailbox) and not found.is_shared:
        raise RefusedError(_other_mailbox(account, found.mailbox))
    keep_authorization(configuration, tokens, account=account)
    return told


def _code(request: HttpRequest) -> str:
    """Return the code; else raise what the provider says (RFC 6749, 4.1.2.1)."""
    if code := request.GET.get("code", ""):
        return code
    error = readable(request.GET.get("error", ""))
    said = [error, readable(request.GET.get("error_description", ""))]
    words = ": ".join(filter(None, said))[:LONGEST_WORDS]
    if error == "access_denied":
        raise RefusedError(_cancelled(words))
    raise TokenError(FAULT_OF_ERROR.get(error, TokenFault.REQUEST), words)


def _failed(
    request: HttpRequest, configuration: Configuration, error: str, words: str = ""
) -> HttpResponse:
    _record(request, configuration, f"refused: {words or error}")
    return _page(request, error=error, words=words)


def _record(request: HttpRequest, configuration: Configuration, words: str) -> None:
    audit.record(
        Event.MAIL_AUTHORIZED,
        user=None,
        actor=user_of(request),
        origin=origin_of(request),
        detail=f"{configuration.provider}: {words}"[:1000],
    )


def _page(
    request: HttpRequest, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    return render(request, TEMPLATE, context, status=status)


def _not_asked() -> str:
    return _(
        "This answer belongs to no authorization that you have begun in this browser,"
        " or it came too late. Press “Authorize” on the page “Authentication” again,"
        " and log in at the provider in the same browser."
    )


def _other_answer() -> str:
    return _(
        "The answer is not to what this site has asked, so nothing was authorized."
        " Check the two endpoints, then press “Authorize” again."
    )


def _other_mailbox(account: str, mailbox: str) -> str:
    return _(
        "You logged in at the provider as %(account)s, but the user name is"
        " %(mailbox)s, so nothing was authorized. Press “Authorize” again and log in as"
        " %(mailbox)s; or, if %(account)s may send for that mailbox, switch “Shared"
        " mailbox” on first."
    ) % {"account": account, "mailbox": mailbox}


def _cancelled(words: str) -> str:
    told = _("The provider did not authorize this site: %(words)s.") % {"words": words}
    remedy = _(
        "Press “Authorize” again and agree there; if an administrator of the provider"
        " has to agree first, ask for that."
    )
    return f"{told} {remedy}"


def _old_login() -> str:
    return _(
        "Your login is older than 15 minutes. Enter your password beside “Save” and"
        " press “Authorize” again, or log in again first."
    )


urlpatterns = [
    path(
        "admin/smtp-oauth2/authorize/",
        admin.site.admin_view(start),
        name="smtp_oauth2_authorize",
    ),
    path(
        "admin/smtp-oauth2/callback/",
        admin.site.admin_view(finish),
        name=visit.CALLBACK,
    ),
]
