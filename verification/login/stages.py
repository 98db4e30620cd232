"""The allauth login stages between a right first factor and the session."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from allauth.account.stages import LoginStage
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth import logout
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import needs_approval
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.approval import flows
from verification.approval.choices import LoginFacts, Refusal
from verification.approval.pending import APPROVAL_STAGE
from verification.sessions import factors, lifecycle
from verification.sessions.choices import Approver, FactorApprover, Guessed, Source

# The key of what is known of a login: in the browser's session, and in what allauth
# keeps there of a pending login.
RELEASED_KEY = "released"
# In what the stage of factors keeps: the key of the row of the one that was shown.
SHOWN_KEY = "shown"
# In the browser's session while a login is for a session that begins elsewhere.
ELSEWHERE_KEY = "elsewhere"
# Sent with `request`, `shown` and `wanted`, the address that the login leads to; a
# receiver that takes the login over returns the page that the browser sees.
shown_elsewhere = Signal()
PASSWORD_METHODS = (Method.PASSWORD, Method.NETLOGON)
CODES = {
    Authenticator.Type.TOTP: Guessed.APP_CODE,
    Authenticator.Type.RECOVERY_CODES: Guessed.RECOVERY_CODE,
}
# The response that a login ends or waits with, and whether it goes on after it.
Handled = tuple[HttpResponse | None, bool]


@dataclass(frozen=True)
class Released:
    """What is known of a login whose session may begin.

    `approver` is "" where nobody had to approve. `account` is the issuer and subject at
    the OpenID provider, which are bound to the user as the session begins. `source` is
    where its tries were counted.
    """

    kind: Kind
    method: Method
    approver: Approver | str = ""
    account: tuple[str, str] | None = None
    source: Source = Source.ELSEWHERE
    # The name of the row that the provider ends the login by.
    provider_login: str = ""

    @property
    def proven(self) -> tuple[Guessed, ...]:
        """Whose failures are over with this login."""
        if self.approver not in ("", Approver.FACTOR):
            return tuple(Guessed)
        return (Guessed.PASSWORD,) if self.method in PASSWORD_METHODS else ()

    def keep(self, request: HttpRequest) -> None:
        request.session[RELEASED_KEY] = asdict(self)

    @property
    def approved_by(self) -> str:
        """Return what makes a factor count that is added in the session; else ""."""
        if self.method is Method.RESCUE:
            return FactorApprover.RESCUE
        known = self.approver in FactorApprover.values
        return self.approver if known else ""

    @classmethod
    def take(cls, request: HttpRequest) -> Self:
        """Take what was kept; KeyError where nobody released a login."""
        return cls.of(request.session.pop(RELEASED_KEY))

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Self:
        account = kept["account"]
        return cls(
            kind=Kind(kept["kind"]),
            method=Method(kept["method"]),
            approver=kept["approver"],
            account=tuple(account) if account else None,
            # Logins that began in an older release have none.
            source=Source(kept.get("source", Source.ELSEWHERE)),
            provider_login=kept.get("provider_login", ""),
        )


@dataclass(frozen=True)
class Shown:
    """What a login has shown by the time at which somebody may have to approve it.

    `factor` was shown too; `is_used_up`: so many failed before that it needs approval.
    """

    user: PbxUser
    method: Method
    account: tuple[str, str] | None = None
    factor: Authenticator | None = None
    is_used_up: bool = False
    source: Source = Source.ELSEWHERE
    provider_login: str = ""


def handed_over(request: HttpRequest, shown: Shown, wanted: str) -> HttpResponse | None:
    """Return the page of whoever takes the login over; None if it goes on here."""
    if ELSEWHERE_KEY not in request.session:
        return None
    words = {"request": request, "shown": shown, "wanted": wanted or ""}
    for _receiver, page in shown_elsewhere.send(Shown, **words):
        if isinstance(page, HttpResponse):
            return page
    return None


def _source_of(request: HttpRequest, user: PbxUser) -> Source:
    address = audit.origin_of(request).address
    return lifecycle.source_of(user.name_key, address, Kind.MYAPPS)


def _renew_key(request: HttpRequest) -> None:
    """Whoever planted the browser's key must not go on with the login it holds."""
    if request.session.session_key:
        request.session.cycle_key()


class FactorStage(AuthenticateStage):
    """Asks users with a passkey or one-time codes for one, whatever the settings.

    As the first stage it also notes what allauth forgets once a page is shown.
    """

    def handle(self) -> Handled:
        released = self._after_first_factor()
        self.login.state[RELEASED_KEY] = asdict(released)
        self.login.state["auth_hash"] = self.login.user.get_session_auth_hash()
        if released.kind is not Kind.MYAPPS:
            return None, True
        response, go_on = super().handle()
        if response:
            self._wait(released.method)
        return response, go_on

    def _after_first_factor(self) -> Released:
        """Return what the login page or OAuth2 found; nothing else begins a login."""
        state = self.login.state
        social = (self.login.signal_kwargs or {}).get("sociallogin")
        if social:
            source = _source_of(self.request, self.login.user)
            return Released(
                Kind.MYAPPS,
                Method.OAUTH2,
                account=social.state["account"],
                source=source,
                provider_login=social.state["provider_login"],
            )
        kind, method = Kind(state["kind"]), Method(state["method"])
        return Released(kind, method, source=Source(state["source"]))

    def _wait(self, method: Method) -> None:
        # Otherwise the session would hold the provider's tokens and claims.
        self.login.signal_kwargs = None
        # allauth shows its page for factors to anonymous visitors only.
        if self.request.user.is_authenticated:
            logout(self.request)
        else:
            _renew_key(self.request)
        audit.record(
            Event.FACTOR_ASKED,
            user=self.login.user,
            origin=audit.origin_of(self.request),
            kind=Kind.MYAPPS,
            method=method,
        )

    def is_resumable(self, request: HttpRequest) -> bool:
        return False


class ApprovalStage(LoginStage):
    """Lets a login wait for approval, where the policy asks for one."""

    key = APPROVAL_STAGE
    urlname = "verification:wait"

    def handle(self) -> Handled:
        released = Released.of(self.login.state[RELEASED_KEY])
        if self._was_asked_for_a_factor() and not self._is_unchanged():
            return redirect("account_login"), False
        factor = self._shown_factor()
        used_up = self._is_used_up(factor)
        page = self._handed_over(released, factor, used_up=used_up)
        if page:
            return page, False
        counts = factor is not None and factors.counts(factor)
        if counts and not used_up:
            self._release(Approver.FACTOR)
            return None, True
        if not used_up and not needs_approval(current_rules(), released.kind):
            self._release("")
            return None, True
        facts = LoginFacts(
            released.kind,
            released.method,
            audit.origin_of(self.request),
            translation.get_language() or "en",
            None if counts else factor,
            used_up,
        )
        return self._wait(facts)

    def _handed_over(
        self, released: Released, factor: Authenticator | None, *, used_up: bool
    ) -> HttpResponse | None:
        shown = Shown(
            self.login.user,
            released.method,
            released.account,
            factor,
            used_up,
            released.source,
            released.provider_login,
        )
        return handed_over(self.request, shown, self.login.redirect_url)

    def _is_used_up(self, factor: Authenticator | None) -> bool:
        """Was the code guessed at too often, or a password that no factor makes up?"""
        user, state = self.login.user, self.login.state
        guessed = CODES.get(factor.type) if factor else None
        if guessed:
            source = _source_of(self.request, user)
            if lifecycle.is_used_up(user, guessed, source):
                return True
        makes_up = factor and factors.proving(user).filter(pk=factor.pk).exists()
        return bool(state.get("is_used_up")) and not makes_up

    def _wait(self, facts: LoginFacts) -> Handled:
        started = flows.start_login(self.login.user, facts)
        if isinstance(started, Refusal):
            return self._refused(started), False
        # Otherwise the session would hold the provider's tokens and claims.
        self.login.signal_kwargs = None
        _renew_key(self.request)
        self.state["login"] = started.pk
        return redirect("verification:wait"), True

    def exit(self) -> HttpResponse:
        self._release(self.state["approver"])
        response: HttpResponse = super().exit()
        return response

    def is_resumable(self, request: HttpRequest) -> bool:
        """The login page stays a login page while a login is pending."""
        return False

    def _release(self, approver: Approver | str) -> None:
        released = Released.of(self.login.state[RELEASED_KEY])
        replace(released, approver=approver).keep(self.request)

    def _was_asked_for_a_factor(self) -> bool:
        asked = self.controller.get_stage(FactorStage.key).state
        return bool(asked.get("authentication_required"))

    def _shown_factor(self) -> Authenticator | None:
        shown = self.controller.get_stage(FactorStage.key).state.get(SHOWN_KEY)
        if shown is None:
            return None
        return Authenticator.objects.filter(pk=shown, user=self.login.user).first()

    def _is_unchanged(self) -> bool:
        """The user may have been deactivated, or their password changed, meanwhile."""
        user = self.login.user
        if user is None or not user.is_active:
            return False
        return bool(user.is_bound_by(self.login.state["auth_hash"]))

    def _refused(self, refusal: Refusal) -> HttpResponse:
        minutes = -(-refusal.wait.total_seconds() // 60) if refusal.wait else 0
        return render(
            self.request,
            "verification/approval/refused.html",
            {
                "minutes": int(minutes),
                "too_many": refusal.too_many,
                "used_up": refusal.used_up,
                "after_reset": refusal.after_reset,
            },
            status=429 if refusal.wait or refusal.used_up else 200,
        )
