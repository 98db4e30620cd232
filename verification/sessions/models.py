"""How second factors were approved, and what the mails about them tell."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db import models
from django.db.models import CheckConstraint, Q
from django.utils.translation import gettext_lazy as _

from verification.mail.models import OutgoingEmail
from verification.sessions.choices import FactorApprover, FactorChange


class FactorBinding(models.Model):
    """How the session was approved in which a factor was added, or a login with it.

    A factor without an approver was added by somebody who may have known the password
    alone. One without a row is older than this table, and nothing is known of it.
    Neither counts (NIST SP 800-63B-4, section 4).
    """

    factor = models.OneToOneField(
        Authenticator,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="binding",
    )
    approver = models.CharField(
        _("approved by"), max_length=10, blank=True, choices=FactorApprover.choices
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="factor_counts_by_a_known_approver",
                condition=Q(approver="", approved_at=None)
                | Q(approver__in=FactorApprover.values, approved_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"factor {self.factor_id} {self.approver}"


class FactorMail(models.Model):
    """What a mail about second factors tells; `type` is "" for all or any of them.

    It holds no name of a passkey: whoever added it chose that.
    """

    mail = models.OneToOneField(
        OutgoingEmail,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="factor_mail",
    )
    # "" where wrong codes were entered.
    change = models.CharField(max_length=10, blank=True, choices=FactorChange.choices)
    type = models.CharField(
        max_length=20, blank=True, choices=Authenticator.Type.choices
    )
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="factor_mail_tells_of_a_known_change",
                condition=Q(change__in=["", *FactorChange.values]),
            ),
        ]

    def __str__(self) -> str:
        return f"mail {self.mail_id} of a factor {self.change}"
