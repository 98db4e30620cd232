"""A client's login: its first factor, whether somebody has to approve it, its session.

The rules are those of the login page, by the same code where there is one: limits,
waits, failures in a row, approval, audit log.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache, partial

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from allauth.core.ratelimit import consume
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.fields import decrypted, encrypted
from authconfig.models import current_rules
from authconfig.names import name_key
from authconfig.oauth2 import identities
from authconfig.oauth2.faults import ProviderError, ProviderFault, sentence
from authconfig.policy import needs_approval
from authconfig.users import audit
from authconfig.users.kept_passwords import kept_password_of
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps import browser_logins, client_sessions
from pbxsite.gateway.myapps.models import BrowserLogin, ClientSession
from pbxsite.gateway.myapps.proofs import Asked, response_digest
from verification.approval import flows
from verification.approval.choices import LoginFacts, Refusal
from verification.approval.models import LoginSession
from verification.login.authentication import FACTORS, Attempt, may_go_on
from verification.login.oauth2 import attach_provider_login
from verification.login.stages import Released, Shown
from verification.redis_access import announce_user
from verification.sessions import factors
from verification.sessions.choices import Approver, Source

INVALID, REFUSED, EXPIRED = 1, 2, 5
SESSION_FAILED = "myapps_session_failed"
# The key of no row.
NOBODY = 0


@dataclass(frozen=True)
class Failed:
    """Why a login ends; `error` is the protocol's number."""

    error: int
    text: str


@dataclass(frozen=True)
class Proven:
    """A first factor that is right, and the password by which it was proven."""

    shown: Shown
    secret: str


def invalid() -> Failed:
    return Failed(INVALID, _("This login is not as the myApps protocol has it."))


def not_offered() -> Failed:
    text = _("Users do not log in with this client in this way. Ask the administrator.")
    return Failed(REFUSED, text)


def failed_in_browser() -> Failed:
    text = _("The login in the browser did not succeed. Please log in again.")
    return Failed(REFUSED, text)


def too_many() -> Failed:
    return Failed(REFUSED, _("Too many logins at once. Please wait a minute."))


def begin_in_browser(request: HttpRequest, origin: Origin) -> BrowserLogin | Failed:
    if not consume(request, action="login"):
        return too_many()
    return browser_logins.ask(origin)


def show_session(
    request: HttpRequest, asked: Asked, response: str
) -> ClientSession | Failed:
    """Check a session's digest; wrong ones are limited before the database hears."""
    if _has_failed_too_often(request):
        return too_many()
    client = client_sessions.named(asked.username)
    if client is not None and client_sessions.knows_password(client, asked, response):
        over = client_sessions.is_over(client)
        return _session_over() if over else client
    consume(request, action=SESSION_FAILED)
    return wrong() if client else _session_over()


def _has_failed_too_often(request: HttpRequest) -> bool:
    """Look at the limit as `consume` does, which would let one login in at a time."""
    limit = {"app": "allauth.account", "action": SESSION_FAILED}
    for rate in ratelimit.get_rates(**limit):
        key = ratelimit.get_cache_key(request, rate=rate, **limit)
        since = time.time() - rate.duration
        if sum(at > since for at in cache.get(key, [])) >= rate.amount:
            return True
    return False


def _session_over() -> Failed:
    return Failed(EXPIRED, _("The session has ended. Please log in again."))


def wrong() -> Failed:
    """One sentence for an unknown user, a wrong password and an inactive user."""
    return Failed(REFUSED, _("The user name or the password is not right."))


def check_response(
    request: HttpRequest, asked: Asked, response: str
) -> Proven | Failed:
    """Check a user's digest under the limits of the login page, and count failures."""
    if not consume(request, action="login"):
        return too_many()
    adapter, attempt = get_adapter(request), Attempt()
    words = {"username": asked.username, "attempt": attempt}
    try:
        adapter.pre_authenticate(request, **words)
        user, secret = _proven_user(asked, response)
        if user and may_go_on(user, attempt):
            adapter.forget_try()
            shown = Shown(
                user,
                Method.PASSWORD,
                is_used_up=attempt.is_used_up,
                source=attempt.source,
            )
            return Proven(shown, secret)
        attempt.was_wrong = user is None
        adapter.authentication_failed(request, **words)
    except ValidationError as error:
        return Failed(REFUSED, " ".join(error.messages))
    return wrong()


def _proven_user(asked: Asked, response: str) -> tuple[PbxUser | None, str]:
    """Compare always, with nobody's password too: every answer costs the same."""
    key = name_key(current_rules().login_name(asked.username))
    user = PbxUser.objects.filter(name_key=key).first()
    kept = kept_password_of(user or PbxUser(pk=NOBODY))
    secret = kept or decrypted(_nobodys_password())
    digest = response_digest(asked, secret)
    is_right = constant_time_compare(response, digest)
    return (user if is_right and kept else None), secret


@lru_cache(maxsize=1)
def _nobodys_password() -> str:
    """It takes part where nobody's does; to decrypt one takes its time as well."""
    return encrypted("0" * 23)


def go_on(
    shown: Shown, origin: Origin, language: str
) -> LoginSession | Released | Failed:
    """Say what follows a right first factor, as the login page's stages do."""
    factor = shown.factor
    missing = _missing_factor(shown)
    if missing:
        return missing
    counts = factor is not None and factors.counts(factor)
    if not shown.is_used_up:
        if counts:
            return _released(shown, Approver.FACTOR)
        if not needs_approval(current_rules(), Kind.MYAPPS):
            return _released(shown, "")
    facts = LoginFacts(
        Kind.MYAPPS,
        shown.method,
        origin,
        language,
        None if counts else factor,
        shown.is_used_up,
    )
    started = flows.start_login(shown.user, facts)
    if isinstance(started, Refusal):
        return Failed(REFUSED, _refusal_text(started))
    return started


def _missing_factor(shown: Shown) -> Failed | None:
    """A client asks for no passkey and no code of an app: the browser does.

    A factor that the provider's login has shown in the browser is in `shown`.
    """
    if shown.factor is not None:
        return None
    user, by_provider = shown.user, shown.method is Method.OAUTH2
    if not by_provider and is_mfa_enabled(user, FACTORS):
        text = _(
            "Your account asks for a passkey or one-time code, which this client"
            " cannot show. Log in with a browser."
        )
        return _refused(shown, text, "asks for a factor")
    if factors.is_missing_for(user.pk, Kind.MYAPPS):
        text = _(
            "Set up a passkey or an authenticator app first: log in with a browser."
        )
        return _refused(shown, text, "has no factor")
    return None


def _refused(shown: Shown, text: str, detail: str) -> Failed:
    audit.record(
        Event.LOGIN_REFUSED,
        user=shown.user,
        kind=Kind.MYAPPS,
        method=shown.method,
        detail=detail,
    )
    return Failed(REFUSED, text)


def _released(shown: Shown, approver: Approver | str) -> Released:
    return Released(
        Kind.MYAPPS,
        shown.method,
        approver,
        shown.account,
        shown.source,
        shown.provider_login,
    )


def _refusal_text(refusal: Refusal) -> str:
    if refusal.wait:
        minutes = -(-int(refusal.wait.total_seconds()) // 60)
        return ngettext(
            "Please wait a minute, then log in again.",
            "Please wait %(minutes)d minutes, then log in again.",
            minutes,
        ) % {"minutes": minutes}
    return _(
        "Nothing can confirm this login. Please ask the administrator of your telephone"
        " system."
    )


def complete(
    shown: Shown, ready: Released | LoginSession, origin: Origin
) -> ClientSession | Failed:
    """Begin the session of a login that is released, or was accepted.

    An accepted login is used up by it; the user may have been changed meanwhile.
    """
    try:
        with transaction.atomic():
            return _complete(shown, ready, origin)
    except ProviderError as error:
        name = current_rules().oauth2_provider_name
        return Failed(REFUSED, sentence(error.fault, name))


def _complete(
    shown: Shown, ready: Released | LoginSession, origin: Origin
) -> ClientSession | Failed:
    if isinstance(ready, LoginSession):
        ready.refresh_from_db()
        user = PbxUser.objects.get(pk=shown.user.pk)
        if not flows.complete(ready, user):
            return over(ready)
        released = _released(shown, ready.approver)
    else:
        user = PbxUser.objects.select_for_update().get(pk=shown.user.pk)
        before = shown.user.get_session_auth_hash()
        if not user.is_active or not user.is_bound_by(before):
            return wrong()
        released = ready
    if released.account:
        identities.bind_at_login(user, *released.account, origin=origin)
    made = client_sessions.begin(user, released, origin)
    if not attach_provider_login(released.provider_login, made.session):
        raise ProviderError(ProviderFault.LOGGED_OUT)
    transaction.on_commit(partial(announce_user, user.pk))
    return made


def over(login: LoginSession) -> Failed:
    """Say why a login that waited begins no session."""
    texts = {
        "rejected": _("This login was rejected. Nobody has been logged in."),
        "wrong_codes": _(
            "Wrong digits were entered three times, so this login has ended."
            " Nobody has been logged in."
        ),
        "superseded": _("A newer login took its place."),
        "expired": _(
            "This login was not confirmed in time. Nobody has been logged in."
        ),
    }
    other = _("This login can no longer be confirmed. Nobody has been logged in.")
    return Failed(REFUSED, texts.get(login.status, other))


def shown_in_browser(login: BrowserLogin) -> Shown:
    factor = login.factor
    assert isinstance(login.user, PbxUser)
    assert factor is None or isinstance(factor, Authenticator)
    return Shown(
        login.user,
        Method.OAUTH2,
        (login.issuer, login.subject),
        factor,
        login.is_used_up,
        Source(login.source),
        login.provider_login,
    )
