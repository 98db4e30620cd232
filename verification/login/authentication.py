"""How Django and allauth ask who somebody is, and begin the session."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import (
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.clients.destinations import ACCOUNT, client_of, leading_path, start_path
from authconfig.clients.session_kinds import (
    BEGAN_KEY,
    SESSION_KEY,
    is_myapps,
)
from authconfig.methods import CHECKS
from authconfig.methods.refusal import LoginRefusedError, Said
from authconfig.models import current_rules
from authconfig.names import name_key
from authconfig.policy import offers_digest, password_methods_for
from authconfig.users import audit, kept_passwords
from authconfig.users.audit import origin_of, proof_of
from authconfig.users.models import PbxUser
from authconfig.users.passwords import NotHashedError
from verification.approval.flows import can_be_approved
from verification.login.oauth2 import attach_provider_login_or_end, bind_account
from verification.login.stages import Released
from verification.proxies import HEADER, AddressUnknownError, tell_of_silent_proxy
from verification.sessions import lifecycle, passwords, signed_in, tries
from verification.sessions.choices import PASSWORD_LIMIT, Guessed, Source
from verification.sessions.factors import APPROVED_BY, Type, proving
from verification.sessions.reauthentication import can_reauthenticate_by_password

# allauth's name for asking for the password again.
PASSWORD_AGAIN = "reauthenticate"  # noqa: S105
# allauth's names for asking for a factor, and which ones it takes there.
TYPES_OF = {
    "mfa_reauthenticate": [Type.TOTP, Type.RECOVERY_CODES],
    "mfa_reauthenticate:webauthn": [Type.WEBAUTHN],
}
# Django calls no address safe that has more than 2048 characters; a client's request,
# which the site itself packed into it, may have more.
LONG_REQUEST = re.compile(r"/openid/authorize\?asked=[A-Za-z0-9_.%-]{1,16000}")
FACTORS = (Type.TOTP, Type.WEBAUTHN)
# In the audit log.
USED_UP = "too many failures in a row"


@dataclass
class Attempt:
    """A password that is tried: for which kind, from where, and what was found of it.

    `method`: by which it was right. `was_wrong`: at least one method said so.
    `is_used_up`: so many failed before that it opens nothing without an approval.
    """

    kind: Kind = Kind.MYAPPS
    source: Source = Source.ELSEWHERE
    method: Method | None = None
    was_wrong: bool = False
    is_used_up: bool = False


class PolicyBackend(ModelBackend):
    """The one door for passwords: it asks the policy, then the methods it names."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        attempt: Attempt | None = None,
        **kwargs: Any,
    ) -> PbxUser | None:
        # An empty password can be an "unauthenticated bind" (RFC 4513, 5.1.2).
        if not username or not password or not password.strip("\0 \t\r\n"):
            return None
        attempt = attempt or Attempt()
        rules = current_rules()
        name = rules.login_name(username)
        is_known = attempt.source is not Source.ELSEWHERE
        for method in password_methods_for(rules, attempt.kind):
            user = CHECKS[method](name, password, is_known=is_known)
            if user:
                attempt.method = method
                keeps = method is Method.PASSWORD and offers_digest(rules)
                return _let_go_on(user, password, attempt, keeps=keeps)
            attempt.was_wrong = True
        return None


def _let_go_on(
    user: PbxUser, password: str, attempt: Attempt, *, keeps: bool
) -> PbxUser | None:
    """Renew an old hash only now: the time of a second one says that it was right."""
    if not may_go_on(user, attempt):
        return None
    if user.has_old_hash:
        user.renew_hash(password)
    if keeps:
        kept_passwords.keep(user, password)
    return user


def may_go_on(user: PbxUser, attempt: Attempt) -> bool:
    """After too many failures a right password is a wrong one, unless more can follow.

    The count is asked once the password is known to be right, and not before: of many
    tries at once, none passes after the last failure that was allowed.
    """
    attempt.is_used_up = lifecycle.is_used_up(user, Guessed.PASSWORD, attempt.source)
    return (
        not attempt.is_used_up
        or can_be_approved(user, attempt.kind, attempt.method or "")
        or (attempt.kind is Kind.MYAPPS and is_mfa_enabled(user, FACTORS))
    )


class AccountAdapter(DefaultAccountAdapter):
    # One message for an unknown user, a wrong password and an inactive user.
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": _(
            "The user name or the password is not right. Please try again."
        ),
        "too_many_in_a_row": _(
            "Too many logins in a row failed for this user name. Ask the administrator"
            " of your telephone system to unlock it."
        ),
    }

    def get_login_stages(self) -> list[str]:
        # Where a user's own factor was right, nobody has to approve.
        return [
            "verification.login.stages.FactorStage",
            "verification.login.stages.ApprovalStage",
        ]

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        # Administrators alone make PBX users.
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Answer scripts as browsers: allauth's JSON repeats the password."""
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Stay silent: the page where a login ends says enough."""

    def is_safe_url(self, url: str) -> bool:
        """Only this site and its clients are safe; the Host header never counts."""
        host = urlsplit(settings.SITE_URL).netloc
        is_ours = url_has_allowed_host_and_scheme(url, allowed_hosts={host})
        is_ours = is_ours or LONG_REQUEST.fullmatch(url) is not None
        return is_ours or client_of(url) is not None

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        kind = request.session.get(SESSION_KEY)
        return start_path(Kind(kind)) if kind else reverse(ACCOUNT)

    def login(self, request: HttpRequest, user: PbxUser) -> None:
        released = Released.take(request)
        bind_account(request, user, released)
        if request.user.is_authenticated:
            logout(request)
        super().login(request, user)
        request.session[SESSION_KEY] = released.kind
        request.session[BEGAN_KEY] = time.time()
        released.keep(request)

    def logout(self, request: HttpRequest) -> None:
        signed_in.log_out(request)

    def post_login(
        self, request: HttpRequest, user: PbxUser, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        response["Location"] = leading_path(response["Location"])
        released = Released.take(request)
        sources = {released.source, Source.SESSION}
        if released.proven:
            tries.forget_failures(user, sources, released.proven)
        address = self.get_client_ip(request)
        lifecycle.remember(user, address, released.kind, released.approver)
        if user.is_from_mailbox:
            key = request.session.session_key or ""
            passwords.confirm(user, released.approver, besides=key)
        own = UserSession.objects.filter(session_key=request.session.session_key)
        own.update(
            data={
                "kind": released.kind,
                "method": released.method,
                "approver": released.approver,
                APPROVED_BY: released.approved_by,
            }
        )
        attach_provider_login_or_end(released.provider_login, own)
        audit.record(
            Event.LOGIN,
            user=user,
            origin=origin_of(request),
            kind=released.kind,
            method=released.method,
            detail=released.approver,
            proof=proof_of(current_rules(), released.method),
        )
        return response

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            key = self._get_login_attempts_cache_key(request, **credentials)
            raise must_wait(key) from error

    def authenticate(self, request: HttpRequest, **credentials: Any) -> PbxUser | None:
        """Record why a login is refused, and raise only what the visitor may hear."""
        credentials.setdefault("attempt", Attempt())
        try:
            user: PbxUser | None = super().authenticate(request, **credentials)
        except LoginRefusedError as refusal:
            self._record_failure(request, credentials, refusal)
            if refusal.sentence:
                raise
            return None
        except NotHashedError:
            # Nobody looked at the password, so it was not wrong.
            self.forget_try()
            raise
        return user

    def forget_try(self) -> None:
        """Take back what `pre_authenticate` has counted: the try was right."""
        self._rollback_login_failed_rl_usage()

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        # allauth never asks; `reauthentication_required` does, by our own rule.
        return False

    def get_reauthentication_methods(
        self, user: PbxUser | AnonymousUser
    ) -> list[dict[str, Any]]:
        """Return the ways that work for this user at present; the last always does."""
        if not isinstance(user, PbxUser):
            return []
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_factor = [
            method
            for method in methods
            if proving(user).filter(type__in=TYPES_OF.get(method["id"], [])).exists()
        ]
        by_password = [_way(PASSWORD_AGAIN, _("Use your password"))]
        return [
            *(by_password if can_reauthenticate_by_password(user) else []),
            *by_factor,
            _way("login_again", _("Log in again")),
        ]

    def reauthenticate(self, user: PbxUser, password: str) -> bool:
        source = self._source_of(context.request, user.name_key, Kind.MYAPPS)
        try:
            is_right = bool(super().reauthenticate(user, password))
        except LoginRefusedError as refusal:
            raise ValidationError(refusal.sentence) from refusal
        if is_right and lifecycle.is_used_up(user, Guessed.PASSWORD, source):
            raise self.validation_error("too_many_in_a_row")
        if is_right:
            tries.forget_failures(user, [source], [Guessed.PASSWORD])
        return is_right

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        self._record_failure(request, credentials, None)

    def _record_failure(
        self,
        request: HttpRequest,
        credentials: dict[str, Any],
        refusal: LoginRefusedError | None,
    ) -> None:
        """Record and count it; past the limit right and wrong ones hear the same."""
        entered, attempt = _login_name(credentials), credentials["attempt"]
        user = PbxUser.objects.filter(name_key=entered).first()
        is_over = _is_past_limit(user, entered, attempt, refusal)
        audit.record(
            Event.LOGIN_FAILED,
            user=user,
            user_name=user.name if user else audit.unknown_name(entered),
            origin=origin_of(request),
            kind=attempt.kind,
            method=refusal.method if refusal else "",
            detail=refusal.detail if refusal else USED_UP if is_over else "",
        )
        if is_over:
            raise self.validation_error("too_many_in_a_row")

    def _get_login_attempts_cache_key(
        self, request: HttpRequest, **credentials: Any
    ) -> str:
        """Count apart in the user's own sessions, and where they logged in before.

        Strangers' failures from elsewhere then keep the owner out of nothing there.
        """
        name, attempt = _login_name(credentials), credentials.get("attempt", Attempt())
        attempt.source = self._source_of(request, name, attempt.kind)
        spot = lifecycle.spot_of(attempt.source, self.get_client_ip(request))
        return PASSWORD_LIMIT.format(name=name, spot=spot)

    def _source_of(self, request: HttpRequest, name: str, kind: Kind) -> Source:
        """A session of myPBX does not count: the password alone begins it."""
        own = request.user
        if isinstance(own, PbxUser) and own.name_key == name and is_myapps(request):
            return Source.SESSION
        return lifecycle.source_of(name, self.get_client_ip(request), kind)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the one address that all limits and logs know the visitor by.

        Of IPv4 behind a proxy that listens on both families it is the plain one (RFC
        4291, 2.5.5.2), and without the zone of a link's own address (RFC 4007, 11).
        """
        if settings.ALLAUTH_TRUSTED_PROXY_COUNT and HEADER not in request.headers:
            tell_of_silent_proxy()
        try:
            address = ip_address(super().get_client_ip(request))
        except (ImproperlyConfigured, PermissionDenied) as error:
            raise AddressUnknownError(request) from error
        if isinstance(address, IPv6Address):
            return str(address.ipv4_mapped or IPv6Address(int(address)))
        return str(address)


def _is_past_limit(
    user: PbxUser | None,
    entered: str,
    attempt: Attempt,
    refusal: LoginRefusedError | None,
) -> bool:
    """Count a wrong password; past the limit nobody hears of a right one either."""
    if user and refusal and refusal.said is Said.RIGHT:
        return lifecycle.is_used_up(user, Guessed.PASSWORD, attempt.source)
    if not _was_wrong(attempt, refusal):
        return False
    if user is None:
        return tries.is_over_limit(tries.add_unknown_failure(entered))
    count = tries.add_failure(user, Guessed.PASSWORD, attempt.source)
    return tries.is_over_limit(count)


def _was_wrong(attempt: Attempt, refusal: LoginRefusedError | None) -> bool:
    """Is it a failure for the owner's count, as far as somebody judged the password?"""
    said = refusal.said if refusal else Said.WRONG
    return said is Said.WRONG or (said is Said.NOTHING and attempt.was_wrong)


def must_wait(key: str) -> ValidationError:
    minutes = tries.minutes_left(key)
    sentence = ngettext(
        "Too many failed logins for this user name. Please wait a minute.",
        "Too many failed logins for this user name. Please wait %(minutes)d minutes.",
        minutes,
    )
    code = "too_many_login_attempts"
    return ValidationError(sentence, code=code, params={"minutes": minutes})


def _way(name: str, description: str | Promise) -> dict[str, Any]:
    url = reverse(f"account_{name}")
    return {"id": name, "description": description, "url": url}


def _login_name(credentials: dict[str, Any]) -> str:
    """Return the key of the name, so that all its spellings count as one."""
    entered = credentials.get("username", "")
    return name_key(current_rules().login_name(entered))
