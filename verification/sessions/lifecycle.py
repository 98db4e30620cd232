"""How sessions begin and last, and what each request does for its own.

Where one began, its user is known from then on: strangers who guess keep nobody out
there. A session is noted as used and renewed, but not with each request: that is a
write.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from ipaddress import ip_address, ip_network
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import BEGAN_KEY
from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from verification.sessions.choices import Approver, Guessed, Source
from verification.sessions.factors import is_missing
from verification.sessions.models import FailureCount, KnownAddress

View = Callable[..., Any]
# Any other text may be one that the database refuses.
SESSION_KEY = re.compile(r"[a-z0-9]{8,40}")
RENEWED_KEY = "renewed_at"
# How exactly the time of a session's last use is known.
USE_NOTED_EVERY = timedelta(minutes=1)
# Of a visitor who logs in, or is at an OpenID provider: longer than that may take.
VISITOR_TTL = timedelta(hours=1)
# A session is renewed when this part of its idle time has passed.
RENEWAL_PART = 30
# In what is kept of a session: it is one of a myApps client, not of a browser.
IS_CLIENT = "is_client"
KNOWN_TTL = timedelta(days=90)
MOST_KNOWN = 50
# Views that stay open to users who have yet to set up the required factor.
OPEN_WITHOUT_FACTOR = {
    "mfa_needed",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "account_reauthenticate",
    "account_logout",
}
# Pages that need no session, but lead the user of one on to a client.
LEADING_ON = {"open_client", "openid:authorize", "openid:consent"}


class Noted:
    """Remembers whose use this process has noted of late."""

    MOST = 10_000

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def is_due(self, key: str) -> bool:
        now = time.time()
        if self._until.get(key, 0.0) > now:
            return False
        if len(self._until) >= self.MOST:
            self._until.clear()
        self._until[key] = now + USE_NOTED_EVERY.total_seconds()
        return True

    def forget(self) -> None:
        self._until.clear()


noted = Noted()


def shown_key(request: HttpRequest) -> str:
    """Return the key of a session that the browser shows; "" if it can be none."""
    key: str = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return key if SESSION_KEY.fullmatch(key) else ""


class OwnSessions(SessionMiddleware):
    """Django's middleware, which looks for no session under what is no key."""

    def process_request(self, request: HttpRequest) -> None:
        request.session = self.SessionStore(shown_key(request) or None)


class PersistentSessions:
    """Middleware: keep the session alive; one of a visitor ends soon.

    It does so after the response, when it is known whose session this is by now.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key_before = request.session.session_key
        response: HttpResponse = self.get_response(request)
        if request.session.accessed:
            self._keep(request, key_before)
        return response

    def _keep(self, request: HttpRequest, key_before: str | None) -> None:
        if not request.user.is_authenticated:
            if request.session.modified and not request.session.is_empty():
                request.session.set_expiry(VISITOR_TTL)
        elif is_listed(request, key_before):
            renew(request.session)
            note_use([request.session.session_key or ""])


class FactorRequirement:
    """Middleware: lead users who have to have a factor and have none to setting one up.

    What needs no login stays open: another login may begin, and this session may end.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response

    def process_view(
        self, request: HttpRequest, view: View, *_arguments: Any
    ) -> HttpResponse | None:
        if _is_open(request, view):
            return None
        return redirect("mfa_needed") if is_missing(request) else None


def _is_open(request: HttpRequest, view: View) -> bool:
    match = request.resolver_match
    if match is None or match.view_name in LEADING_ON:
        return False
    is_public = not getattr(view, "login_required", True)
    return is_public or match.url_name in OPEN_WITHOUT_FACTOR


def network_of(address: str) -> str:
    """Return what an address is known by: of IPv6 its network of 64 bits."""
    if not address or ip_address(address).version == 4:
        return address
    return str(ip_network(f"{address}/64", strict=False).network_address)


def known_addresses(kind: Kind) -> QuerySet[KnownAddress]:
    """Return where logins of the kind are known.

    One of myPBX, which the password alone opens, makes an address known to myPBX alone.
    """
    known = KnownAddress.objects.filter(last_success_at__gt=_known_since())
    return known if kind is Kind.MYPBX else known.filter(kind=Kind.MYAPPS)


def source_of(name: str, address: str, kind: Kind) -> Source:
    """Return from where the user of this name, if there is one, is being tried."""
    if not address:
        return Source.ELSEWHERE
    known = known_addresses(kind).filter(address=network_of(address))
    is_known = known.filter(user__name_key=name).exists()
    return Source.KNOWN if is_known else Source.ELSEWHERE


def spot_of(source: Source, address: str) -> str:
    """Return whose tries of some minutes count together: each known address' own."""
    return network_of(address) if source is Source.KNOWN else source.value


def remember(
    user: PbxUser, address: str, kind: Kind, approver: Approver | str = ""
) -> None:
    """Note a completed login; the addresses that were not used for longest go."""
    own = KnownAddress.objects.filter(user=user, kind=kind)
    facts = {
        "is_approved": approver not in ("", Approver.UNAPPROVED),
        "last_success_at": timezone.now(),
    }
    network = network_of(address)
    if own.filter(address=network).update(**facts):
        return
    row = KnownAddress(user=user, kind=kind, address=network, **facts)
    KnownAddress.objects.bulk_create([row], ignore_conflicts=True)
    newest = own.order_by("-last_success_at", "-pk").values_list("pk", flat=True)
    own.filter(pk__in=list(newest[MOST_KNOWN:])).delete()


def forget_unapproved() -> None:
    """Forget the addresses of myApps where the password alone has opened."""
    KnownAddress.objects.filter(kind=Kind.MYAPPS, is_approved=False).delete()


def forget_old_addresses() -> int:
    old = KnownAddress.objects.filter(last_success_at__lte=_known_since())
    return old.delete()[0]


def _known_since() -> datetime:
    """An address is known no longer than the audit log tells of its login."""
    return timezone.now() - min(KNOWN_TTL, settings.AUDIT_RETENTION_TTL or KNOWN_TTL)


def is_used_up(user: PbxUser, guessed: Guessed, source: Source) -> bool:
    """Have so many failed in a row that a right one alone opens nothing any more?"""
    return FailureCount.objects.filter(
        user=user,
        guessed=guessed,
        source=source,
        in_row__gte=settings.LIMIT_FAILURES_IN_ROW,
    ).exists()


def mailbox_approves(user: PbxUser, method: str) -> bool:
    """May an e-mail approve the login? Not where its password came by e-mail.

    The same mailbox would be both factors.
    """
    if not (user.is_from_mailbox and method == Method.PASSWORD):
        return bool(user.email)
    return bool(user.email) and current_rules().forgotten_password_same_mailbox


def stored_sessions() -> QuerySet[Session]:
    """Return what the store holds of sessions that are not over."""
    return Session.objects.filter(expire_date__gt=timezone.now())


def live_sessions() -> QuerySet[UserSession]:
    sessions: QuerySet[UserSession] = UserSession.objects.filter(
        session_key__in=stored_sessions().values("session_key")
    )
    return sessions


def approving_sessions() -> QuerySet[UserSession]:
    """Return the sessions in which a login may be accepted.

    One of myPBX approves nothing: it never passed a second factor. Nobody types digits
    into a myApps client: there two screens are compared, where the rules allow it.
    """
    sessions = live_sessions().filter(data__kind=Kind.MYAPPS)
    if current_rules().myapps_approve_by_comparing:
        return sessions
    return sessions.exclude(data__has_key=IS_CLIENT)


def keep_alive(sessions: dict[str, dict[str, Any]]) -> None:
    """Keep sessions alive that are used where none of our pages is seen.

    `sessions` holds their decoded contents by key. Few of them cost a write.
    """
    note_use(sessions)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for key, kept in sessions.items():
        if _is_renewal_due(kept, time.time()):
            session = store(key)
            renew(session)
            # A session that ended meanwhile has no key any more, or no row.
            if session.session_key == key:
                with suppress(UpdateError):
                    session.save()


def is_listed(request: HttpRequest, key_before: str | None) -> bool:
    """Keep a session listed that Django gave a new key; else nobody could end it.

    Django gives a new key when it checks a session with an older SECRET_KEY. If the
    session ended while the request was under way, its new key must not revive it.
    """
    key = request.session.session_key
    if key == key_before or UserSession.objects.filter(session_key=key).exists():
        return True
    own = UserSession.objects.filter(session_key=key_before, user=request.user.pk)
    if own.update(session_key=key):
        return True
    request.session.flush()
    return False


def renew(session: SessionBase) -> None:
    """Set the moment at which the session ends; no later write moves a moment."""
    now = time.time()
    # A session without this key counts as too old to prove who its user is.
    began_at = session.setdefault(
        BEGAN_KEY, now - settings.REAUTHENTICATION_TTL.total_seconds()
    )
    if not _is_renewal_due(session, now):
        return
    session[RENEWED_KEY] = now
    idle = settings.SESSION_IDLE_TTL.total_seconds()
    ends_at = min(now + idle, began_at + settings.SESSION_MAX_TTL.total_seconds())
    session.set_expiry(datetime.fromtimestamp(ends_at, UTC))


def _is_renewal_due(kept: SessionBase | dict[str, Any], now: float) -> bool:
    idle: float = settings.SESSION_IDLE_TTL.total_seconds()
    renewed_at: float = kept.get(RENEWED_KEY, 0)
    return now - renewed_at >= idle / RENEWAL_PART


def note_use(keys: Iterable[str]) -> None:
    """Note that the sessions are used; of many processes one writes in a minute."""
    due, now = [key for key in keys if noted.is_due(key)], timezone.now()
    if due:
        UserSession.objects.filter(
            session_key__in=due, last_seen_at__lt=now - USE_NOTED_EVERY
        ).update(last_seen_at=now)


def list_session(*, request: HttpRequest, **_words: Any) -> None:
    """List the session of a new login, in the place of allauth's own receiver.

    That one also asks Django whose each other session is. One that is bound to an older
    key or hash gets a new session key by that, and its browser never hears of it.
    """
    assert isinstance(request.user, PbxUser)
    _forget_ended(UserSession.objects.filter(user=request.user))
    UserSession.objects.create_from_request(request)


def clear_expired() -> None:
    engine = import_module(settings.SESSION_ENGINE)
    engine.SessionStore.clear_expired()
    _forget_ended(UserSession.objects.all())


def _forget_ended(sessions: QuerySet[UserSession]) -> None:
    # Not "NOT IN": PostgreSQL would look through all stored keys for each session.
    stored = Session.objects.filter(session_key=OuterRef("session_key"))
    sessions.filter(~Exists(stored)).delete()
