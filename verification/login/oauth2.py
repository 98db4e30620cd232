"""Logging in with OAuth2: the way to the provider, the way back, and who came."""

from __future__ import annotations

import secrets
import time
from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import record_authentication
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import is_myapps
from authconfig.models import current_rules
from authconfig.network import readable
from authconfig.oauth2 import identities
from authconfig.oauth2.adapter import LOGIN, TRIAL, OAuth2LoginAdapter, app_of
from authconfig.oauth2.discovery import LimitedSession
from authconfig.oauth2.faults import ProviderError, ProviderFault, sentence
from authconfig.oauth2.identities import ProviderClaims, identity_of, mapped_name
from authconfig.oauth2.provider import address_to_ask
from authconfig.policy import methods_for
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from verification.login import oauth2_trial
from verification.login.redirect_page import page_to_provider
from verification.login.stages import ELSEWHERE_KEY, Released, Shown, handed_over
from verification.sessions.models import ProviderLogin

# Sent with `request` where the provider logs nobody in, and a client waits for it.
turned_away_elsewhere = Signal()


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self, request: HttpRequest, provider: str = "", client_id: str = ""
    ) -> list[SocialApp]:
        """Return the provider of the settings; rows of allauth's count for nothing."""
        if provider == TRIAL:
            return oauth2_trial.apps(request)
        app = app_of(current_rules())
        fits = provider in ("", None, app.provider, app.provider_id)
        return [app] if fits and client_id in ("", None, app.client_id) else []

    def get_requests_session(self) -> LimitedSession:
        return LimitedSession()

    def is_open_for_signup(self, *args: Any) -> bool:
        # Administrators alone make PBX users.
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        claims, token = sociallogin.account.extra_data, sociallogin.token
        # Neither the session nor the database needs the tokens and claims.
        sociallogin.token, sociallogin.account.extra_data = None, {}
        if sociallogin.account.provider == TRIAL:
            raise ImmediateHttpResponse(oauth2_trial.ended(request, claims))
        try:
            # OAuth2 may have been switched off while the user was at the provider.
            _check_allowed()
            if request.user.is_authenticated and is_myapps(request):
                answer = _shown_elsewhere(request, sociallogin, claims, token)
                answer = answer or _prove_or_connect(request, sociallogin, claims)
                raise ImmediateHttpResponse(answer)
            sociallogin.user = identities.login_user(claims, current_rules())
        except ProviderError as error:
            raise ImmediateHttpResponse(turned_away(request, error)) from error
        sociallogin.state["account"] = identity_of(claims)
        sociallogin.state["provider_login"] = _noted(claims, token)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str = "",
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        if exception is None and "state" not in (extra_context or {}):
            raise ImmediateHttpResponse(_refuse_unasked(request, provider.sub_id))
        meant = _meaning(request, error, exception)
        raise ImmediateHttpResponse(_failed(request, provider.sub_id, meant))


def _noted(claims: ProviderClaims, token: SocialToken | None) -> str:
    """Keep what the provider knows the login by; return the name it has here.

    Somebody may still have to approve it. With its session it gets the key by which the
    provider ends it, and what the provider is asked with whether it still stands.
    """
    issuer, subject = identity_of(claims)
    sid = claims["id_token"].get("sid")
    made = ProviderLogin.objects.create(
        issuer=issuer,
        subject=subject,
        sid=sid if isinstance(sid, str) else "",
        refresh_token=token.token_secret if token else "",
    )
    return made.public_id.hex


def _unused(name: str) -> QuerySet[ProviderLogin]:
    return ProviderLogin.objects.filter(public_id=UUID(name), session=None)


def attach_provider_login(name: str, session: UserSession) -> bool:
    """Let the login at the provider end with the session, and the session with it."""
    if not name:
        return True
    now = timezone.now()
    facts = {
        "session": session,
        "proved_at": now,
        "next_check_at": now + settings.OAUTH2_RECHECK_INTERVAL,
    }
    return _unused(name).update(**facts) == 1


def attach_provider_login_or_end(name: str, sessions: QuerySet[UserSession]) -> None:
    """End a session that has begun after the provider ended its login."""
    for session in sessions:
        if not attach_provider_login(name, session):
            get_adapter().end_sessions([session])


def _check_allowed() -> None:
    if Method.OAUTH2 not in methods_for(current_rules(), Kind.MYAPPS):
        raise ProviderError(ProviderFault.NOT_ALLOWED)


def bind_account(request: HttpRequest, user: PbxUser, released: Released) -> None:
    """Bind the account at its first login, which has passed the second factor."""
    account, name = released.account, released.provider_login
    if account is None:
        return
    try:
        # The provider may have ended the login while it waited here.
        if name and not _unused(name).exists():
            raise ProviderError(ProviderFault.LOGGED_OUT)
        identities.bind_at_login(user, *account, origin=origin_of(request))
    except ProviderError as error:
        raise ImmediateHttpResponse(turned_away(request, error)) from error


def _shown_elsewhere(
    request: HttpRequest,
    sociallogin: SocialLogin,
    claims: ProviderClaims,
    token: SocialToken | None,
) -> HttpResponse | None:
    """Let the provider log in a client for the user who is signed in here."""
    if ELSEWHERE_KEY not in request.session:
        return None
    user = identities.login_user(claims, current_rules())
    if user != request.user:
        return None
    name = _noted(claims, token)
    shown = Shown(user, Method.OAUTH2, identity_of(claims), provider_login=name)
    return handed_over(request, shown, sociallogin.get_redirect_url(request))


def _prove_or_connect(
    request: HttpRequest, sociallogin: SocialLogin, claims: ProviderClaims
) -> HttpResponse:
    """Take the account of a signed-in user as proof who they are, or connect it."""
    if identities.bound_user(*identity_of(claims)) != request.user:
        return _connected(request, claims)
    if not _is_recent(claims["id_token"].get("auth_time")):
        raise ProviderError(
            ProviderFault.NOT_ASKED, "the provider did not ask for the password"
        )
    record_authentication(request, request.user, "socialaccount", reauthenticated=True)
    wanted: str = sociallogin.get_redirect_url(request) or reverse(ACCOUNT)
    return redirect(wanted)


def _is_recent(authenticated_at: object) -> bool:
    """Did the user log in at the provider just now (`auth_time`, Core 1.0, 2)?

    A provider that was asked for a max_age tells. Otherwise nothing is proved: anybody
    at the keyboard can change what the provider is asked.
    """
    if not isinstance(authenticated_at, int | float):
        return False
    age = time.time() - authenticated_at
    return age <= settings.REAUTHENTICATION_TTL.total_seconds()


def _connected(request: HttpRequest, claims: ProviderClaims) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    identities.connect(
        request.user,
        *identity_of(claims),
        mapped_name(claims, current_rules()),
        origin=origin_of(request),
    )
    provider = current_rules().oauth2_provider_name
    words = _("Your account at %(provider)s is connected: you can log in with it.")
    messages.success(request, words % {"provider": provider})
    return redirect(ACCOUNT)


def _meaning(
    request: HttpRequest, error: str, exception: Exception | None
) -> ProviderError:
    if isinstance(exception, ProviderError):
        return exception
    if error == AuthError.CANCELLED:
        return ProviderError(ProviderFault.CANCELLED)
    if exception is None:
        said = (request.GET.get(n, "") for n in ("error", "error_description"))
        return ProviderError(ProviderFault.NO_CODE, readable(" ".join(said)))
    return ProviderError(ProviderFault.CODE_REFUSED, str(exception)[:200])


def _refuse_unasked(request: HttpRequest, asked: str) -> HttpResponse:
    """Refuse an answer that nobody asked for; the limit keeps the audit log small."""
    limited: HttpResponse | None = ratelimit.consume_or_429(
        request, action="login", limit_get=True
    )
    return limited or _failed(request, asked, ProviderError(ProviderFault.NOT_ASKED))


def _failed(request: HttpRequest, asked: str, error: ProviderError) -> HttpResponse:
    if asked == TRIAL:
        return oauth2_trial.failed(request, error)
    return turned_away(request, error)


def turned_away(request: HttpRequest, error: ProviderError) -> HttpResponse:
    if ELSEWHERE_KEY in request.session:
        turned_away_elsewhere.send(ProviderError, request=request)
    reference = secrets.token_hex(4)
    user = request.user if isinstance(request.user, PbxUser) else None
    audit.record(
        Event.LOGIN_FAILED,
        user=user,
        origin=origin_of(request),
        kind=Kind.MYAPPS,
        method=Method.OAUTH2,
        detail=f"{reference}: {error}",
    )
    said = sentence(error.fault, current_rules().oauth2_provider_name)
    number = _("Reference: %(number)s") % {"number": reference}
    messages.error(request, f"{said} {number}")
    return redirect(ACCOUNT if user else "account_login")


@login_not_required
@never_cache
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    return lead_to_provider(request)


def lead_to_provider(request: HttpRequest, wanted: str = "") -> HttpResponse:
    """Begin a login at the provider; it leads to `wanted`, else to what is asked for.

    For POST requests that were checked.
    """
    limited = ratelimit.consume_or_429(request, action="login")
    if limited:
        return limited  # type: ignore[no-any-return]
    try:
        _check_allowed()
        address = address_to_ask(request, LOGIN, wanted)
    except ProviderError as error:
        return turned_away(request, error)
    return page_to_provider(request, current_rules(), address)


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    has_trial = oauth2_trial.KEPT_KEY in request.session
    asked = TRIAL if has_trial and oauth2_trial.is_answer(request) else LOGIN
    try:
        view = OAuth2CallbackView.adapter_view(OAuth2LoginAdapter(request, asked))
        answer: HttpResponse = view(request)
    except OAuth2Error as error:
        return _failed(request, asked, _meaning(request, "", error))
    return answer
