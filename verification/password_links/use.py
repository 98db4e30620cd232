"""Setting a password by a link, once."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db import transaction
from django.utils import timezone, translation

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import mailbox_is_one_factor
from authconfig.users import audit, kept_passwords
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from authconfig.users.passwords import PASSWORD_FIELDS
from verification.mail.queue import enqueue_notice
from verification.password_links.choices import LinkEnding, Purpose
from verification.password_links.mails import SET_BY_LINK
from verification.password_links.making import may_have
from verification.password_links.models import PasswordLink
from verification.password_links.tokens import read_token
from verification.sessions.lifecycle import live_sessions
from verification.sessions.signed_in import is_unchanged


def find(token: str) -> PasswordLink | None:
    """Return the open link; None if it is forged, used, too old, or no longer fits."""
    pk = read_token(token)
    if pk is None:
        return None
    link = PasswordLink.objects.open().select_related("user").filter(pk=pk).first()
    return link if link and _fits(link, link.user) else None


def _fits(link: PasswordLink, user: PbxUser) -> bool:
    """Are the address and the password the same as when the mail was written?"""
    is_same = user.email == link.address and user.is_bound_by(link.auth_hash)
    return is_same and may_have(user, link.purpose, current_rules())


def needs_more(link: PasswordLink) -> bool:
    """Must something beside the mailbox confirm the login after this link?

    An administrator vouches for whom they invite.
    """
    is_forgotten = link.purpose == Purpose.FORGOTTEN
    return is_forgotten and mailbox_is_one_factor(current_rules())


def ends_sessions(link: PasswordLink) -> bool:
    """Has the user any that end as soon as the password is set?

    Most who are invited have none yet.
    """
    return not needs_more(link) and live_sessions().filter(user=link.user).exists()


def set_password(link: PasswordLink, new: str, *, origin: Origin) -> bool:
    """Use the link up and set the password; of two at once only one does."""
    user, binds = link.user, needs_more(link)
    # A transaction would keep its connection while the hash waits for its turn.
    user.set_password(new)
    user.is_from_mailbox = binds
    with transaction.atomic():
        present = PbxUser.objects.select_for_update().get(pk=user.pk)
        if not _fits(link, present) or not _use_up(link):
            return False
        user.save(update_fields=PASSWORD_FIELDS)
        kept_passwords.keep(user, new)
        kept = _kept_sessions(user, present) if binds else ()
        end_sessions([user], kept=kept)
        _tell(link, origin)
    return True


def _use_up(link: PasswordLink) -> bool:
    row = PasswordLink.objects.open().filter(pk=link.pk)
    return row.update(over_at=timezone.now(), ending=LinkEnding.USED) == 1


def _kept_sessions(user: PbxUser, before: PbxUser) -> list[str]:
    """Let sessions of myApps go on, since one of them may have to approve the login.

    They end with it; those of myPBX approve nothing and end at once, as do those of a
    password before the present one.
    """
    own = live_sessions().filter(user=user, data__kind=Kind.MYAPPS)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    sessions = [store(key) for key in own.values_list("session_key", flat=True)]
    kept = [session for session in sessions if is_unchanged(before, session)]
    for session in kept:
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        # It may have ended meanwhile.
        with suppress(UpdateError):
            session.save()
    return [session.session_key or "" for session in kept]


def _tell(link: PasswordLink, origin: Origin) -> None:
    audit.record(
        Event.PASSWORD_CHANGED,
        user=link.user,
        actor=link.user,
        origin=origin,
        detail=f"by a link ({link.purpose})",
    )
    enqueue_notice(SET_BY_LINK, link.user, language=translation.get_language() or "en")
