"""Erasing a person: every row goes, and what must stay names them no more.

The audit log stays, and so do the histories: digests take the place of the name, the
address and the browser (authconfig/users/pseudonyms.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, transaction
from django.db.models import Q

from authconfig.choices import Event, Origin
from authconfig.sync.models import ScimRequest, ScimUser, SyncedUser, SyncItem
from authconfig.users import audit
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from authconfig.users.pseudonyms import pseudonym_of
from pbxsite.people import naming
from verification.mail.models import AccountTrial, OutgoingEmail
from verification.password_links.models import InvitationRun
from verification.sessions import tries
from verification.voicemail import recordings
from verification.voicemail.models import KeptRecording, Voicemail

# A mail that goes out at this moment, or a login, may be in the way.
TRIES, WAIT_SECONDS = 3, 0.2


@dataclass(frozen=True)
class Erased:
    """`settings` are the keys of settings that still hold the person's address."""

    name: str
    pseudonym: str
    sessions: int
    events: int
    settings: tuple[str, ...]


def erase(
    user: PbxUser, *, actor: PbxUser | None, origin: Origin = audit.NOWHERE
) -> Erased:
    """Erase the user, all at once or not at all; PbxUser.DoesNotExist if gone.

    Raises DatabaseError if others hold the user's rows for too long.
    """
    for left in reversed(range(TRIES)):
        try:
            return _erase(user.pk, actor, origin)
        except DatabaseError:
            if not left:
                raise
            time.sleep(WAIT_SECONDS)
    raise AssertionError


@transaction.atomic
def _erase(pk: int, actor: PbxUser | None, origin: Origin) -> Erased:
    # In the order of whoever records a mail: first its row, then the user's.
    mails = OutgoingEmail.objects.select_for_update(of=("self",)).order_by("pk")
    list(mails.filter(user=pk).values_list("pk"))
    # From here on nobody can write a row of this user: its key needs this very row.
    user = PbxUser.objects.select_for_update().get(pk=pk)
    sessions = end_sessions([user])
    _forget_files(user)
    tries.forget_all(user)
    person = naming.person_of(user)
    events = naming.leave_digests(person)
    _forget_rows_beside(user, person)
    user.delete()
    pseudonym = pseudonym_of(user.name)
    _record(pseudonym, actor, origin)
    return Erased(user.name, pseudonym, sessions, events, naming.settings_with(person))


def erase_name(name: str, *, actor: PbxUser | None) -> Erased | None:
    """Erase a name that no user has any more from the histories; None if in none."""
    with transaction.atomic():
        person = naming.person_called(name)
        events = naming.leave_digests(person)
        if not events:
            return None
        pseudonym = pseudonym_of(name)
        _record(pseudonym, actor, audit.NOWHERE)
    return Erased(name, pseudonym, 0, events, ())


def _record(pseudonym: str, actor: PbxUser | None, origin: Origin) -> None:
    audit.record(
        Event.DATA_ERASED, user=None, user_name=pseudonym, actor=actor, origin=origin
    )


def _forget_files(user: PbxUser) -> None:
    """Remove the recordings once their rows are gone; a sweep finds what is left."""
    mailed = Voicemail.objects.filter(mail__user=user)
    names = [
        name for pair in mailed.values_list("recording", "smaller") for name in pair
    ]
    names += KeptRecording.objects.filter(user=user).values_list("file", flat=True)
    for name in filter(None, names):
        transaction.on_commit(partial(recordings.remove, name), robust=True)


def _forget_rows_beside(user: PbxUser, person: naming.Person) -> None:
    """Empty what outlives the user's row, and names the user."""
    # What operators are told goes to an address, whoever has it.
    OutgoingEmail.objects.filter(user=None, recipient__in=person.addresses).delete()
    InvitationRun.objects.filter(actor=user).update(address=None, user_agent="")
    trials = AccountTrial.objects.filter(recipient__in=person.addresses)
    trials |= AccountTrial.objects.filter(requested_by=user)
    for trial in trials:
        trial.steps.all().delete()
    trials.update(recipient="", remedy="")
    identities = SyncedUser.objects.filter(user=user).values_list("identity", flat=True)
    SyncItem.objects.filter(
        Q(name__in=person.names) | Q(identity__in=list(identities))
    ).delete()
    told = Q(user=user) | Q(user_name__in=person.names)
    ScimUser.objects.filter(told).delete()
    # Their filters may name anybody, and none is of use for long.
    ScimRequest.objects.all().delete()
    of_users = ContentType.objects.get_for_model(PbxUser)
    LogEntry.objects.filter(content_type=of_users, object_id=str(user.pk)).delete()
