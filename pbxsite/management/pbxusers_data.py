"""`manage.py pbxusers export-data` and `erase`: what is kept of a user."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ValidationError

from authconfig import lockout
from authconfig.choices import Event
from authconfig.names import name_key
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.people.erasure import Erased, erase, erase_name
from pbxsite.people.export import as_json


def find(name: str) -> PbxUser | None:
    return PbxUser.objects.filter(name_key=name_key(name)).first()


def user_called(name: str) -> PbxUser:
    user = find(name)
    if user is None:
        raise ValidationError(f"{name} is no PBX user. See: manage.py pbxusers export")
    return user


def exported(name: str) -> str:
    user = user_called(name)
    text = as_json(user)
    audit.record(Event.DATA_EXPORTED, user=user)
    return text


def warnings(name: str) -> Iterator[str]:
    user = find(name)
    if user and lockout.leaves_nobody([user]):
        yield (
            "Warning: no administrator can log in any more; manage.py pbxusers add NAME"
            " --admin --password-stdin makes one.\n"
        )


def erased(name: str) -> list[str]:
    """Erase whoever has this name, or had it; return what to say."""
    user = find(name)
    done = erase(user, actor=None) if user else erase_name(name, actor=None)
    if done is None:
        raise ValidationError(
            f"{name} is no PBX user, and the audit log knows nobody of this name."
        )
    return list(_report(done))


def _report(done: Erased) -> Iterator[str]:
    yield f"{done.name} erased: {done.sessions} sessions ended"
    yield f"{done.events} events of the audit log now say “{done.pseudonym}”"
    for key in done.settings:
        yield f"The setting {key} still holds the e-mail address. Change it there."
