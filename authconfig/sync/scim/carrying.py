"""From what the provider says to PBX users, by the plan of a run of the directory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.settings_fields.attributes import FILLABLE, wishes_of
from authconfig.sync import present
from authconfig.sync.applying import Writer, apply
from authconfig.sync.choices import OVER, Change, Reason, RunState, Source
from authconfig.sync.models import ScimUser, SyncedUser, SyncPlace, SyncRun
from authconfig.sync.people import (
    Consent,
    Found,
    Person,
    Plan,
    Refusal,
    is_too_many,
)
from authconfig.sync.plan import make_plan
from authconfig.sync.scim.mapping import person_of

# Whoever leaves within this time leaves "at once".
WINDOW = timedelta(hours=1)
# A sweep looks at so many again whom something kept from being carried out.
LOOKED_AT_AGAIN = 200
NOTED_AT_ONCE = 500


def hold() -> SyncPlace:
    """Let one request or run after the other change what is kept, until the commit."""
    SyncPlace.objects.get_or_create(source=Source.SCIM)
    return SyncPlace.objects.select_for_update().get(source=Source.SCIM)


def is_confirmed() -> bool:
    """Has an administrator seen what the first run does, and let it?"""
    done = SyncPlace.objects.filter(source=Source.SCIM, read_all_at__isnull=False)
    return done.exists()


def carry_out_if_confirmed(rows: Sequence[ScimUser]) -> None:
    if is_confirmed():
        carry_out(rows)


@transaction.atomic
def carry_out(rows: Sequence[ScimUser]) -> None:
    """Make of these rows what a run would, and note what became of each."""
    rules = current_rules()
    people = [person_of(row, rules) for row in rows]
    here = present.present_beside(people, Source.SCIM)
    # Whether it is too much is asked below: a run's rules are for all at once.
    losses = dict.fromkeys(FILLABLE, len(people))
    consent = Consent(removals=len(people), losses=losses)
    plan = make_plan(found(people, here.marks), here, consent)
    if plan.removals and not _may_deactivate(plan, rows):
        plan.steps = [s for s in plan.steps if s.change is not Change.DEACTIVATED]
    outcome = apply(plan.steps, Writer(Source.SCIM))
    note([row.pk for row in rows], [*plan.refused, *outcome.refused])


def everybody(rules: AuthenticationSettings) -> Found:
    """Return all that the provider says, as a run reads a directory."""
    rows = ScimUser.objects.filter(deleted_at=None).iterator()
    return found([person_of(row, rules) for row in rows])


def follow_run(people: Collection[Person], refusals: Sequence[Refusal]) -> None:
    """Note what a run has done with everybody whom it read."""
    ids = [UUID(person.identity) for person in people]
    for start in range(0, len(ids), NOTED_AT_ONCE):
        some = ScimUser.objects.filter(public_id__in=ids[start : start + NOTED_AT_ONCE])
        note(list(some.values_list("pk", flat=True)), refusals)


def confirm(*, since: datetime) -> None:
    """Let requests count from now on, and what came in while the run went on.

    In the transaction in which the run ends.
    """
    place = hold()
    if place.read_all_at is None:
        late = list(ScimUser.objects.filter(changed_at__gte=since))
        if late:
            carry_out(late)
    SyncPlace.objects.filter(source=Source.SCIM).update(read_all_at=timezone.now())


def found(people: Sequence[Person], identities: Collection[str] = ()) -> Found:
    seen = dict.fromkeys([*identities, *(person.identity for person in people)], False)
    fields = tuple(wish.field for wish in wishes_of(current_rules().scim_attributes))
    return Found(seen, people, fields=fields)


def kept_back() -> QuerySet[ScimUser]:
    """Return whom the provider has let go, and a stop keeps active."""
    gone = Q(is_active=False) | Q(deleted_at__isnull=False)
    return ScimUser.objects.filter(gone, user__is_active=True, reason="")


def refused() -> QuerySet[ScimUser]:
    return ScimUser.objects.exclude(reason="")


def look_again() -> None:
    """Try again what was kept back or refused; what is in its way may be over."""
    waiting = kept_back() | refused()
    # By chance, or those who wait for ever would keep all others waiting.
    rows = list(waiting.order_by("?")[:LOOKED_AT_AGAIN])
    if rows:
        with transaction.atomic():
            hold()
            pks = [row.pk for row in rows]
            carry_out(list(ScimUser.objects.filter(pk__in=pks)))


def _may_deactivate(plan: Plan, rows: Sequence[ScimUser]) -> bool:
    """A tenth at once, and more than three, is a mistake until somebody confirms it."""
    synced = SyncedUser.objects.filter(source=Source.SCIM)
    gone = synced.filter(removed_at__gt=_window_begins()).count()
    others = kept_back().exclude(pk__in=[row.pk for row in rows]).count()
    active = synced.filter(user__is_active=True).count() + gone
    line = Consent(current_rules().scim_most_removals_percent)
    return not is_too_many(gone + others + len(plan.removals), active, line)


def _window_begins() -> datetime:
    since = timezone.now() - WINDOW
    runs = SyncRun.objects.filter(source=Source.SCIM, is_preview=False, state__in=OVER)
    confirmed = runs.exclude(state=RunState.FAILED).order_by("-ended_at").first()
    ended = confirmed.ended_at if confirmed else None
    return max(since, ended) if ended else since


def note(pks: Collection[int], refusals: Sequence[Refusal]) -> None:
    """Write down which user each row is, and why nothing came of some."""
    rows = list(ScimUser.objects.filter(pk__in=pks))
    reasons = {refusal.identity: refusal for refusal in refusals}
    synced = SyncedUser.objects.filter(
        source=Source.SCIM, identity__in=[row.identity for row in rows]
    )
    users = dict(synced.values_list("identity", "user_id"))
    for row in rows:
        refusal = reasons.get(row.identity)
        row.user_id = users.get(row.identity)
        row.reason = Reason(refusal.reason) if refusal else ""
        row.detail = refusal.detail if refusal else ""
    ScimUser.objects.bulk_update(rows, ["user", "reason", "detail"], batch_size=500)
