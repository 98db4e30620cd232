"""How users change their own PBX password."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.ratelimit import consume
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import uses
from authconfig.users import audit, kept_passwords
from authconfig.users.audit import origin_of
from authconfig.users.changes import end_sessions, follow_session
from authconfig.users.models import PbxUser
from authconfig.users.passwords import PASSWORD_FIELDS
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue_notice
from verification.sessions import lifecycle, tries
from verification.sessions.choices import PASSWORD_CHANGE, Approver, Guessed, Source


def may_change(user: PbxUser) -> bool:
    """A PBX password that nobody logs in with cannot be changed: it would mislead."""
    rules = current_rules()
    allowed = uses(rules, Method.PASSWORD) and not rules.password_changes_forbidden
    return allowed and user.has_usable_password()


def change(request: HttpRequest, user: PbxUser, new: str, origin: Origin) -> int | None:
    """Return how many sessions ended; None if somebody changed it meanwhile."""
    key_before, before = request.session.session_key or "", user.password
    # A transaction would keep its connection while the hash waits for its turn.
    user.set_password(new)
    with transaction.atomic():
        present = PbxUser.objects.filter(pk=user.pk, password=before, is_active=True)
        if not present.update(
            **{name: getattr(user, name) for name in PASSWORD_FIELDS}
        ):
            return None
        kept_passwords.keep(user, new)
        # This session goes on with a new key.
        update_session_auth_hash(request, user)
        key = request.session.session_key or ""
        follow_session(key_before, key)
        ended = end_sessions([user], besides=key)
        audit.record(Event.PASSWORD_CHANGED, user=user, actor=user, origin=origin)
        tries.forget_failures(user, [Source.SESSION], [Guessed.PASSWORD])
        tell_of_new_password(user)
    return ended


def confirm(user: PbxUser, approver: str, *, besides: str) -> None:
    """Trust a password that came by e-mail, once a login was approved otherwise.

    The sessions end that had to stay, as one of them might approve this login.
    """
    if approver not in (Approver.SESSION, Approver.FACTOR):
        return
    user.is_from_mailbox = False
    user.save(update_fields=["is_from_mailbox"])
    end_sessions([user], besides=besides)


def may_guess(request: HttpRequest, user: PbxUser) -> bool:
    used_up = lifecycle.is_used_up(user, Guessed.PASSWORD, Source.SESSION)
    return not used_up and _count_failure(request, user, dry_run=True)


def record_wrong(request: HttpRequest, user: PbxUser) -> None:
    """Count and record it: whoever found an open session may be guessing."""
    _count_failure(request, user)
    tries.add_failure(user, Guessed.PASSWORD, Source.SESSION)
    audit.record(
        Event.LOGIN_FAILED,
        user=user,
        origin=origin_of(request),
        kind=Kind.MYAPPS,
        method=Method.PASSWORD,
        detail=PASSWORD_CHANGE,
    )


def _count_failure(request: HttpRequest, user: PbxUser, **how: bool) -> bool:
    key = get_adapter()._get_login_attempts_cache_key(request, username=user.name)
    return bool(consume(request, action="login_failed", key=key, **how))


def tell_of_new_password(user: PbxUser) -> None:
    language = translation.get_language() or "en"
    enqueue_notice(PASSWORD_NOTICE, user, language=language)


def _notice_context(mail: OutgoingEmail) -> dict[str, Any]:
    link = f"{settings.SITE_URL}{reverse('verification:account')}"
    return {"user": mail.user, "at": mail.created_at, "link": link}


PASSWORD_NOTICE = MailKind(
    "password",
    _("Notice of a changed password"),
    "verification/mail/password",
    context=_notice_context,
)
