"""Links by which users set their PBX password, and what asks for them."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from verification.mail.models import OutgoingEmail
from verification.password_links.choices import LinkEnding, Obstacle, Purpose


class InvitationRun(models.Model):
    """Users whom somebody invited at once."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # None: on the command line.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="", db_default="")
    language = models.CharField(max_length=8, default="en")
    started_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # What retention forgets.
        indexes = [Index(name="invitation_run_by_time", fields=["started_at"])]

    def __str__(self) -> str:
        return f"invitations of {self.started_at}"


class PasswordLinkQuerySet(models.QuerySet["PasswordLink"]):
    def waiting(self) -> Self:
        """Nobody has written their mails yet."""
        return self.filter(expires_at=None, over_at=None)

    def open(self) -> Self:
        return self.filter(expires_at__gt=timezone.now(), over_at=None)

    def unfinished(self) -> Self:
        return self.filter(over_at=None)


class PasswordLink(models.Model):
    """A link for one change of a password; its token is signed and stored nowhere."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="password_links",
        db_index=False,
    )
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    run = models.ForeignKey(
        InvitationRun, null=True, on_delete=models.CASCADE, related_name="links"
    )
    # The mail's address, and what the user's session hash was then: if one of them
    # differs at the end, the address or the password was changed meanwhile.
    address = models.EmailField(blank=True)
    auth_hash = models.CharField(max_length=128, blank=True, editable=False)
    made_at = models.DateTimeField(default=timezone.now)
    # None until its mail is written.
    expires_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=10, blank=True, choices=LinkEnding.choices)

    objects = PasswordLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            CheckConstraint(
                name="password_link_has_a_purpose",
                condition=Q(purpose__in=Purpose.values),
            ),
            CheckConstraint(
                name="password_link_over_has_an_ending",
                condition=Q(over_at=None, ending="")
                | Q(over_at__isnull=False, ending__in=LinkEnding.values),
            ),
            CheckConstraint(
                name="password_link_that_expires_is_bound",
                condition=Q(expires_at=None) | (~Q(address="") & ~Q(auth_hash="")),
            ),
            # Otherwise somebody could ask for many and read the oldest.
            UniqueConstraint(
                name="user_has_one_open_link_of_a_purpose",
                fields=["user", "purpose"],
                condition=Q(over_at=None),
            ),
        ]
        indexes = [
            # A user's newest link, on the user's page.
            Index(name="password_link_by_user", fields=["user", "-made_at"]),
            # The worker's "what is there to be written?".
            Index(
                name="password_link_waiting",
                fields=["id"],
                condition=Q(expires_at=None, over_at=None),
            ),
            # What retention forgets.
            Index(name="password_link_by_time", fields=["made_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk} of user {self.user_id}"


class LinkMail(models.Model):
    """Which link an e-mail holds."""

    mail = models.OneToOneField(
        OutgoingEmail,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="link_mail",
    )
    link = models.ForeignKey(
        PasswordLink, on_delete=models.CASCADE, related_name="mails"
    )

    def __str__(self) -> str:
        return f"mail {self.mail_id} of link {self.link_id}"


class Uninvited(models.Model):
    """Whom a run left out, and why."""

    run = models.ForeignKey(
        InvitationRun, on_delete=models.CASCADE, related_name="uninvited"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    obstacle = models.CharField(_("obstacle"), max_length=10, choices=Obstacle.choices)

    class Meta:
        constraints = [
            CheckConstraint(
                name="uninvited_for_a_known_reason",
                condition=Q(obstacle__in=Obstacle.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.obstacle}"


class ForgottenRequest(models.Model):
    """Somebody asked for a link; of a name that no user has, the user is None.

    Both cost the same, and a worker finds out what comes of it: how long the page takes
    tells nobody whether there is such a user.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    language = models.CharField(max_length=8, default="en")
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"asked at {self.asked_at}"
