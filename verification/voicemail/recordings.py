"""The files of voicemails, which lie in Django's storage "recordings"."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db.models import QuerySet
from django.utils import timezone

from verification.mail.choices import MailState
from verification.voicemail.models import KeptRecording, Voicemail

logger = logging.getLogger(__name__)
# The row of a younger file may be about to be written.
ORPHAN_AGE = timedelta(hours=1)
# Mails in other states may be sent again, with their recordings.
DONE_STATES = (MailState.SENT, MailState.EXPIRED)
DONE_AGE = timedelta(minutes=10)
AT_ONCE = 500


def storage() -> Storage:
    return storages["recordings"]


def read(name: str) -> bytes:
    """Return the whole file; raises OSError."""
    with storage().open(name, "rb") as file:
        content: bytes = file.read()
    return content


def keep(file: File[bytes], suffix: str) -> str:
    """Store the file under a name that tells nothing, and return the name.

    Raises OSError, and then leaves nothing.
    """
    name = f"{uuid4().hex}{suffix}"
    file.seek(0)
    try:
        storage().save(name, file)
        _flush(name)
    except OSError:
        remove(name)
        raise
    return name


def _flush(name: str) -> None:
    """Make the file survive a power cut, as its row does, if it is on a local disk."""
    try:
        path = Path(storage().path(name))
    except NotImplementedError:
        return
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove(name: str) -> None:
    """Delete the file; if that fails now, the next sweep finds it."""
    try:
        storage().delete(name)
    except OSError as error:
        logger.warning("recording %s: not deleted (%s)", name, error)


def sweep() -> int:
    return _remove_done() + _remove_orphans()


def _remove_done() -> int:
    ended_before = timezone.now() - DONE_AGE
    done = Voicemail.objects.exclude(recording="").filter(
        mail__state__in=DONE_STATES, mail__ended_at__lt=ended_before
    )
    count = 0
    while found := list(done[:AT_ONCE]):
        count += len(found)
        _forget(done, found)
    return count


def _forget(done: QuerySet[Voicemail], found: list[Voicemail]) -> None:
    for voicemail in found:
        for name in filter(None, (voicemail.recording, voicemail.smaller)):
            remove(name)
    done.filter(pk__in=[v.pk for v in found]).update(recording="", smaller="")


def _remove_orphans() -> int:
    orphans = list(_orphans())
    for name in orphans:
        remove(name)
    return len(orphans)


def _orphans() -> Iterator[str]:
    """Yield the files that no row names: it was deleted, or never was written."""
    since = timezone.now() - ORPHAN_AGE
    stored = _names()
    for start in range(0, len(stored), AT_ONCE):
        names = stored[start : start + AT_ONCE]
        for name in set(names) - _known(names):
            if storage().get_modified_time(name) < since:
                yield name


def _known(names: list[str]) -> set[str]:
    """Return those of the names that a row holds."""
    held = ((Voicemail, "recording"), (Voicemail, "smaller"), (KeptRecording, "file"))
    known = set[str]()
    for model, field in held:
        rows = model._default_manager.filter(**{f"{field}__in": names})
        known.update(rows.values_list(field, flat=True))
    return known


def _names() -> list[str]:
    try:
        _directories, names = storage().listdir("")
    except FileNotFoundError:  # nothing was ever kept
        return []
    return sorted(names)
