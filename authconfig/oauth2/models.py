"""The table of accounts at the OpenID provider that users log in with."""

from __future__ import annotations

from django.db import models
from django.db.models import UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.users.models import PbxUser


class ProviderIdentity(models.Model):
    """An account at the OpenID provider that a user logs in with.

    A provider may give a name to another person, but never a `sub`.
    """

    user = models.ForeignKey(
        PbxUser, on_delete=models.CASCADE, related_name="identities"
    )
    issuer = models.CharField(_("issuer"), max_length=500)
    subject = models.CharField(_("subject"), max_length=255)
    created_at = models.DateTimeField(_("connected"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("OAuth2 account")
        verbose_name_plural = _("OAuth2 accounts")
        constraints = [
            UniqueConstraint(
                name="one_user_for_an_account", fields=["issuer", "subject"]
            ),
            UniqueConstraint(
                name="one_account_of_an_issuer_for_a_user", fields=["issuer", "user"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.issuer})"
