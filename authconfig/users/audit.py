"""Writing to the audit log, and the proofs that it keeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from authconfig.choices import Event, Method, Origin
from authconfig.inserting import insert_alike
from authconfig.models import AuthenticationSettings
from authconfig.sections import SECTIONS
from authconfig.users.models import AuditEvent, PbxUser, SettingChange

NOWHERE = Origin()
FORGOTTEN_AT_ONCE = 5000
# These only stop wrong passwords or end sessions: a change makes no proof void.
HARMLESS = ("netlogon_max_failures", "oauth2_session_hours")


def _section(key: str) -> tuple[str, ...]:
    fields = next(s.all_fields for s in SECTIONS if s.key == key)
    return tuple(name for name in fields if name not in HARMLESS)


# The fields that decide whether a login by the method succeeds.
FIELDS_OF: dict[Method, tuple[str, ...]] = {
    Method.NETLOGON: ("pbx_domain", *_section("netlogon")),
    Method.OAUTH2: ("oauth2_domain", "pbx_domain", *_section("oauth2")),
}


def origin_of(request: HttpRequest) -> Origin:
    address = get_adapter().get_client_ip(request)
    return Origin(address, request.headers.get("User-Agent", "")[:200])


def record(
    event: Event, *, user: PbxUser | None, origin: Origin = NOWHERE, **facts: Any
) -> AuditEvent:
    """Add an event; `facts` are the fields actor, kind, method, detail, user_name."""
    made = _event(event, user=user, origin=origin, **facts)
    made.save()
    return made


def record_many(
    event: Event,
    details: Iterable[tuple[PbxUser | None, str]],
    *,
    actor: PbxUser | None,
    origin: Origin = NOWHERE,
) -> None:
    insert_alike(
        AuditEvent,
        ("user_id", "user_name", "detail"),
        (
            (user.pk if user else None, user.name if user else "", _storable(detail))
            for user, detail in details
        ),
        event=event,
        actor_id=actor.pk if actor else None,
        address=origin.address or None,
        user_agent=origin.user_agent[:200],
    )


def kept_since() -> datetime | None:
    """Return from when on histories are kept; None where they are for ever."""
    kept = settings.AUDIT_RETENTION_TTL
    return timezone.now() - kept if kept else None


def forget_old() -> int:
    """Delete what is too old, also of the settings and of pages; count the events."""
    since = kept_since()
    if since is None:
        return 0
    SettingChange.objects.filter(at__lt=since).delete()
    LogEntry.objects.filter(action_time__lt=since).delete()
    return forget(AuditEvent.objects.filter(at__lt=since))


def forget(old: QuerySet[Any]) -> int:
    """Delete rows in small steps, so that no login waits for the table; count them."""
    forgotten = 0
    while pks := list(old.order_by().values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        forgotten += old.model._default_manager.filter(pk__in=pks).delete()[0]
    return forgotten


def keep_actors(users: Iterable[PbxUser]) -> None:
    """Have the log say who did what once these users' rows are gone."""
    for user in users:
        AuditEvent.objects.filter(actor=user).update(actor_name=user.name)


def proof_of(rules: AuthenticationSettings, method: Method) -> str:
    """Return a keyed digest of the method's rules; "" for the PBX password.

    An audit event keeps it, and so proves something of these very rules and no others.
    """
    if method not in FIELDS_OF:
        return ""
    values = [str(getattr(rules, name)) for name in FIELDS_OF[method]]
    # Another algorithm would take their proofs from sites that have some.
    keyed = salted_hmac("authconfig.proofs", repr(values), algorithm="sha1")
    return keyed.hexdigest()[:16]


def unknown_name(entered: str) -> str:
    """Return what the log says instead of a name that no user has.

    People type their passwords into the name's field by mistake. The keyed digest shows
    that two entries were alike, and nothing of the entry.
    """
    digest = salted_hmac("authconfig.audit", entered, algorithm="sha256").hexdigest()
    return f"unknown name {digest[:8]}"


def _event(
    event: Event, *, user: PbxUser | None, origin: Origin, **facts: Any
) -> AuditEvent:
    name = facts.pop("user_name", user.name if user else "")
    facts["detail"] = _storable(facts.get("detail", ""))
    return AuditEvent(
        event=event,
        user=user,
        user_name=name[:150],
        address=origin.address or None,
        user_agent=origin.user_agent[:200],
        **facts,
    )


def _storable(detail: object) -> str:
    """PostgreSQL takes no NUL, which some events quote from a request."""
    return str(detail).replace("\0", "\ufffd")
