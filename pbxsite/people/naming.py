"""Where a person is named in what stays: the audit log and the histories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db.models import Model, Q, QuerySet

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.names import name_key
from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import AuditEvent, PbxUser, SettingChange
from authconfig.users.pseudonyms import origin_of_erased, pseudonym_of
from verification.approval.choices import Ending
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver

# Of the person's own events these details say nothing of the person; all others go.
HARMLESS_DETAILS = (
    *Approver.values,
    *Ending.values,
    *Authenticator.Type.values,
    *("added", "deleted", "set", "removed", "unlocked", "all", "all others"),
    "is_active: on → off",
)
# Events of others whose details may quote a user's name.
QUOTING = (
    Event.LOGIN_FAILED,
    Event.NETLOGON_TESTED,
    Event.OAUTH2_TESTED,
    Event.MAIL_TESTED,
    Event.DATA_EXPORTED,
    Event.AUDIT_EXPORTED,
)
# Texts of which any may quote an e-mail address.
TEXTS = (
    ("users.AuditEvent", "detail"),
    ("users.SettingChange", "before"),
    ("users.SettingChange", "after"),
    ("alarms.Alarm", "sentence"),
    ("alarms.Call", "body"),
)
AT_ONCE = 500


@dataclass(frozen=True)
class Person:
    """`key`: of the user's row, None where it is gone. `names`: earlier ones too."""

    key: int | None
    name: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()

    @property
    def pseudonym(self) -> str:
        return pseudonym_of(self.name)

    @property
    def own(self) -> Q:
        """Events of the person, also of a time before the row was made anew."""
        of_the_name = Q(user=None, user_name__in=self.names)
        return of_the_name | Q(user=self.key) if self.key else of_the_name

    @property
    def acted(self) -> Q:
        by_the_name = Q(actor=None, actor_name__in=self.names)
        return by_the_name | Q(actor=self.key) if self.key else by_the_name


def person_of(user: PbxUser) -> Person:
    events = AuditEvent.objects.filter(user=user).order_by()
    told = {user.name, *events.values_list("user_name", flat=True).distinct()}
    mails = OutgoingEmail.objects.filter(user=user).order_by()
    addresses = {user.email, *mails.values_list("recipient", flat=True).distinct()}
    return Person(
        key=user.pk,
        name=user.name,
        names=tuple(name for name in told if name and not _is_of_another(name, user)),
        addresses=tuple(filter(None, addresses)),
    )


def person_called(name: str) -> Person:
    """Return whom the histories call so, in any spelling, where no user is left."""
    rows = AuditEvent.objects.filter(user=None, user_name__iexact=name).order_by()
    told = {name, *rows.values_list("user_name", flat=True).distinct()}
    return Person(None, name, tuple(told))


def _is_of_another(name: str, user: PbxUser) -> bool:
    """A name that the user had before may be another user's by now."""
    return PbxUser.objects.filter(name_key=name_key(name)).exclude(pk=user.pk).exists()


def leave_digests(person: Person) -> int:
    """Put digests in the place of what names the person; count the events."""
    own = AuditEvent.objects.filter(person.own)
    acted = AuditEvent.objects.filter(person.acted).exclude(person.own)
    count = own.count() + acted.count()
    # What another one did comes from where that one was.
    by_nobody_else = Q(actor=None, actor_name="") | person.acted
    _leave_origins(own.filter(by_nobody_else), person)
    _leave_origins(acted, person)
    AuditEvent.objects.filter(person.acted).update(
        actor=None, actor_name=person.pseudonym
    )
    own.exclude(detail__in=HARMLESS_DETAILS).update(detail="")
    own.update(user=None, user_name=person.pseudonym)
    _leave_in_texts(person)
    changes = SettingChange.objects.filter(actor_name__in=person.names)
    changes.update(actor_name=person.pseudonym)
    return count


def _leave_origins(events: QuerySet[AuditEvent], person: Person) -> None:
    """Replace each pair of address and browser at once; a person has few."""
    with_origin = events.exclude(address=None, user_agent="").order_by()
    pairs = with_origin.values_list("address", "user_agent").distinct()
    for address, user_agent in list(pairs):
        same = events.filter(address=address, user_agent=user_agent)
        digests = origin_of_erased(person.name, address, user_agent)
        same.update(address=None, user_agent=digests)


def _leave_in_texts(person: Person) -> None:
    for address in person.addresses:
        whole = re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-])", re.IGNORECASE)
        for model, column in TEXTS:
            rows = apps.get_model(model)._default_manager.all()
            _replace(rows, column, address, whole, person)
    quoting = AuditEvent.objects.filter(event__in=QUOTING)
    for name in person.names:
        whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        _replace(quoting, "detail", name, whole, person)


def _replace(
    rows: QuerySet[Any],
    column: str,
    text: str,
    whole: re.Pattern[str],
    person: Person,
) -> None:
    found = rows.filter(**{f"{column}__icontains": text})
    changed = list(_replaced(found, column, whole, person.pseudonym))
    rows.model._default_manager.bulk_update(changed, [column], AT_ONCE)


def _replaced(
    rows: QuerySet[Any], column: str, whole: re.Pattern[str], pseudonym: str
) -> Iterator[Model]:
    for row in rows.order_by("pk"):
        setattr(row, column, whole.sub(pseudonym, getattr(row, column)))
        yield row


def settings_with(person: Person) -> tuple[str, ...]:
    """Return the settings that hold an address of the person: people mend those."""
    rules = AuthenticationSettings.load()
    held = [address.casefold() for address in person.addresses]
    return tuple(
        key
        for key in FIELDS
        if key not in SECRETS
        and any(address in str(getattr(rules, key)).casefold() for address in held)
    )
