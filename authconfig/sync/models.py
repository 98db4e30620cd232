"""Which entry a user is, and what the runs of the synchronisation did."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.sync.choices import (
    OVER,
    Change,
    Phase,
    Reason,
    RunState,
    Source,
    Stop,
    Trigger,
)
from authconfig.users.bearer_keys import BearerKey


class SyncedUser(models.Model):
    """The entry that a user is, by an identity that outlives its name and place."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="synced",
    )
    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.DIRECTORY
    )
    identity = models.CharField(max_length=200)
    # When a run deactivated the user: only whom a run deactivated it activates again.
    removed_at = models.DateTimeField(null=True)
    # When the account begins or ends by itself, or a refused change is tried again.
    look_again_at = models.DateTimeField(null=True)
    # The administrators' group gave all rights, and may take them.
    has_rights_of_group = models.BooleanField(default=False)

    class Meta:
        constraints = [
            CheckConstraint(
                name="synced_source_is_known", condition=Q(source__in=Source.values)
            ),
            CheckConstraint(
                name="synced_user_has_an_identity", condition=~Q(identity="")
            ),
            UniqueConstraint(name="entry_is_one_user", fields=["source", "identity"]),
        ]

    def __str__(self) -> str:
        return f"{self.identity} ({self.source})"


class SyncRun(models.Model):
    """A run or a preview: what it counted, and how it ended."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.DIRECTORY
    )
    state = models.CharField(
        max_length=10, choices=RunState.choices, default=RunState.WAITING
    )
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    is_preview = models.BooleanField(default=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # How many users may be deactivated though that is too many; None: the rule holds.
    allowed_removals = models.PositiveIntegerField(null=True)
    # The run or preview that was confirmed, with the users that a preview would link.
    preview = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Its fields may change for as many users as it says, though that is too many.
    allows_fields = models.BooleanField(default=False, db_default=False)
    made_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # A run renews it; whoever finds it over ends the run, which then writes no more.
    lease_until = models.DateTimeField(null=True)
    phase = models.CharField(max_length=10, blank=True, choices=Phase.choices)
    progress = models.PositiveIntegerField(default=0)
    # None: nobody knows yet.
    total = models.PositiveIntegerField(null=True)
    found = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    renamed = models.PositiveIntegerField(default=0)
    deactivated = models.PositiveIntegerField(default=0)
    reactivated = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    stop = models.CharField(max_length=10, blank=True, choices=Stop.choices)
    # How many a stop kept from being deactivated, of how many active ones.
    kept = models.PositiveIntegerField(default=0)
    active = models.PositiveIntegerField(default=0)
    # The stage and name of the fault that ended it, and the directory's words.
    stage = models.CharField(max_length=20, blank=True)
    fault = models.CharField(max_length=40, blank=True)
    words = models.TextField(blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="sync_run_state_is_known", condition=Q(state__in=RunState.values)
            ),
            CheckConstraint(
                name="sync_run_trigger_is_known",
                condition=Q(trigger__in=Trigger.values),
            ),
            CheckConstraint(
                name="sync_run_over_has_ended",
                condition=Q(state__in=OVER, ended_at__isnull=False)
                | (~Q(state__in=OVER) & Q(ended_at=None)),
            ),
            CheckConstraint(
                name="sync_run_that_runs_has_a_lease",
                condition=Q(state=RunState.RUNNING, lease_until__isnull=False)
                | (~Q(state=RunState.RUNNING) & Q(lease_until=None)),
            ),
            UniqueConstraint(
                name="one_sync_run_at_a_time",
                fields=["source"],
                condition=Q(state=RunState.RUNNING, is_preview=False),
            ),
        ]
        indexes = [
            # The last runs, and what retention forgets.
            Index(name="sync_run_by_time", fields=["-made_at"]),
            # What a worker takes up, and which dead one's run is over.
            Index(
                name="sync_run_open",
                fields=["id"],
                condition=Q(state__in=[RunState.WAITING, RunState.RUNNING]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.state} ({self.made_at})"

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class SyncItem(models.Model):
    """What a run did or would do with one user."""

    run = models.ForeignKey(
        SyncRun, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    change = models.CharField(_("change"), max_length=12, choices=Change.choices)
    name = models.CharField(_("name"), max_length=200)
    reason = models.CharField(max_length=12, blank=True, choices=Reason.choices)
    detail = models.TextField(blank=True)
    identity = models.CharField(max_length=200)
    is_linked = models.BooleanField(default=False)
    # A stop keeps this one from happening.
    is_kept = models.BooleanField(default=False)

    class Meta:
        constraints = [
            CheckConstraint(
                name="sync_item_change_is_known", condition=Q(change__in=Change.values)
            ),
            CheckConstraint(
                name="sync_item_refused_for_a_reason",
                condition=Q(change=Change.REFUSED) & ~Q(reason="")
                | ~Q(change=Change.REFUSED) & Q(reason=""),
            ),
        ]
        # A run's list, by one filter.
        indexes = [Index(name="sync_item_of_run", fields=["run", "change", "id"])]

    def __str__(self) -> str:
        return f"{self.change}: {self.name}"


class SyncFieldStop(models.Model):
    """A field that a run left as it is, since too many users would have lost it.

    `kept` of the `had` active users who have a value; `is_emptied`: it would be empty
    then, and otherwise another one.
    """

    run = models.ForeignKey(
        SyncRun, on_delete=models.CASCADE, related_name="field_stops", db_index=False
    )
    field = models.CharField(max_length=20)
    kept = models.PositiveIntegerField()
    had = models.PositiveIntegerField()
    is_emptied = models.BooleanField()

    class Meta:
        constraints = [
            UniqueConstraint(name="a_run_stops_a_field_once", fields=["run", "field"]),
            CheckConstraint(
                name="a_stopped_field_is_kept_by_somebody", condition=Q(kept__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.kept} of {self.had}"


class SyncPlace(models.Model):
    """Up to where the directory was read: of which one, by which rules, and when."""

    source = models.CharField(max_length=10, primary_key=True, choices=Source.choices)
    server = models.CharField(max_length=200, blank=True)
    mark = models.CharField(max_length=40, blank=True)
    read_all_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="sync_place_source_is_known", condition=Q(source__in=Source.values)
            ),
        ]

    def __str__(self) -> str:
        return self.source


class ScimUser(models.Model):
    """What the provider says of somebody by SCIM, whatever has come of it here.

    Its identity as an entry is the `public_id`, which the provider keeps as our `id`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The PBX user that it is; None: not yet, or no more.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="scim_users",
    )
    external_id = models.CharField(max_length=200, blank=True)
    user_name = models.CharField(max_length=254)
    # RFC 7643, 4.1.1: user names are compared without case.
    user_key = models.CharField(max_length=300)
    is_active = models.BooleanField(default=True)
    # Names, addresses and numbers, written as the provider reads them again.
    resource = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    made_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    # The provider has deleted it: only the same `external_id` brings it back.
    deleted_at = models.DateTimeField(null=True)
    # Why nothing has come of it, or not all.
    reason = models.CharField(max_length=12, blank=True, choices=Reason.choices)
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [
            CheckConstraint(name="scim_user_has_a_name", condition=~Q(user_key="")),
            CheckConstraint(
                name="scim_user_reason_is_known",
                condition=Q(reason="") | Q(reason__in=Reason.values),
            ),
            UniqueConstraint(
                name="external_id_is_one_scim_user",
                fields=["external_id"],
                condition=~Q(external_id=""),
            ),
            UniqueConstraint(
                name="user_name_is_one_scim_user",
                fields=["user_key"],
                condition=Q(deleted_at=None),
            ),
        ]
        indexes = [
            # What changed since a run began to read.
            Index(name="scim_user_by_change", fields=["changed_at"]),
            # What waits for somebody's decision.
            Index(
                name="scim_user_refused",
                fields=["id"],
                condition=~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return self.user_name

    @property
    def identity(self) -> str:
        return self.public_id.hex

    @property
    def is_wanted(self) -> bool:
        """Does the provider want a user who can log in?"""
        return self.is_active and self.deleted_at is None


class ScimKey(BearerKey):
    """The provider's key; there is one at most, kept as a digest."""

    class Meta:
        constraints = [CheckConstraint(name="scim_key_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"SCIM key of {self.made_at}"


class ScimRequest(models.Model):
    """One of the last requests, for whoever looks for a fault at the provider."""

    at = models.DateTimeField(default=timezone.now)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField()
    # What was wrong with it; "" if nothing was.
    words = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True)

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"
