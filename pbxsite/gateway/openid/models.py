"""What the provider keeps beside allauth's clients and tokens."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from allauth.idp.oidc.models import Client, Token
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import models
from django.db.models import (
    CASCADE,
    CheckConstraint,
    Index,
    Q,
    QuerySet,
    UniqueConstraint,
)
from django.db.models.deletion import Collector
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.clients.models import ClientApplication
from authconfig.fields import SecretField
from authconfig.validators import validate_secure_url
from pbxsite.gateway.openid.redirect_uris import validate_redirect_uris


class OpenIdClientQuerySet(models.QuerySet["OpenIdClient"]):
    def telling_groups(self, client_id: str) -> OpenIdClientQuerySet:
        return self.filter(client=client_id, application__tells_groups=True)


class OpenIdClient(models.Model):
    """How an application asks by OpenID Connect; its secret is in allauth's row."""

    application = models.OneToOneField(
        ClientApplication, on_delete=models.CASCADE, related_name="openid"
    )
    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="+")
    redirect_uris = models.TextField(
        _("redirect URIs"),
        blank=True,
        validators=[validate_redirect_uris],
        help_text=_(
            "One in each line, exactly as the client sends it:"
            " https://apps.example.com/callback. Of a public client's http://127.0.0.1/"
            " and http://[::1]/ any port is right."
        ),
    )
    logout_uris = models.TextField(
        _("redirect URIs after logging out"),
        blank=True,
        validators=[validate_redirect_uris],
        help_text=_("One in each line. Empty: logging out there ends on a page here."),
    )
    back_channel_uri = models.CharField(
        _("back-channel logout URI"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validate_secure_url],
        help_text=_(
            "The site itself tells the client there that a session is over. Empty: the"
            " client learns of it when it asks."
        ),
    )
    is_public = models.BooleanField(
        _("public client"),
        default=False,
        help_text=_(
            "A program on users' own devices, which can keep no secret. It proves"
            " itself by PKCE alone."
        ),
    )
    without_pkce = models.BooleanField(
        _("without PKCE"),
        default=False,
        db_default=False,
        help_text=_(
            "For a client with a secret that cannot do PKCE. It then has to send a"
            " nonce (RFC 9700, 2.1.1)."
        ),
    )
    checks_tokens = models.BooleanField(
        _("checks tokens"),
        default=False,
        db_default=False,
        help_text=_(
            "For mail and chat servers, which other clients show their access tokens"
            " to: it may ask the site whose they are. Tokens count that come from"
            " clients of its kind that are marked as our own."
        ),
    )
    # When it was last refused for want of PKCE, so that its page can say so.
    refused_without_pkce_at = models.DateTimeField(
        null=True, blank=True, editable=False
    )
    secret_made_at = models.DateTimeField(
        _("secret made"), null=True, blank=True, editable=False
    )

    objects = OpenIdClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("OpenID client")
        verbose_name_plural = _("OpenID clients")
        constraints = [
            CheckConstraint(
                name="openid_client_has_a_redirect_uri",
                condition=~Q(redirect_uris="") | Q(checks_tokens=True),
                violation_error_code="redirect_uris",
                violation_error_message=_(
                    "Enter a redirect URI: only a client that checks tokens needs none."
                ),
            ),
            CheckConstraint(
                name="public_client_checks_no_tokens",
                condition=Q(is_public=False) | Q(checks_tokens=False),
                violation_error_code="checks_tokens",
                violation_error_message=_(
                    "A public client checks no tokens, for it has no secret to ask"
                    " with: untick “checks tokens”, or “public client”."
                ),
            ),
            CheckConstraint(
                name="openid_client_is_told_at_a_web_address",
                condition=Q(back_channel_uri="")
                | Q(back_channel_uri__startswith="https://")
                | Q(back_channel_uri__startswith="http://"),
            ),
            CheckConstraint(
                name="public_client_has_no_secret",
                condition=Q(is_public=False) | Q(secret_made_at=None),
            ),
            CheckConstraint(
                name="public_client_has_pkce",
                condition=Q(is_public=False) | Q(without_pkce=False),
                violation_error_code="without_pkce",
                violation_error_message=_(
                    "A public client proves itself by PKCE alone: untick “without"
                    " PKCE”, or “public client”."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.client_id


class Subject(models.Model):
    """The name that clients know a user by: it stays when the user is renamed."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="openid_subject",
    )
    value = models.UUIDField(default=uuid4, unique=True, editable=False)

    def __str__(self) -> str:
        return str(self.value)


class SigningKey(models.Model):
    """An RSA key in PEM; the public half of each is published until it is over."""

    pem = SecretField(editable=False)
    is_current = models.BooleanField(default=True, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    over_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            UniqueConstraint(
                name="one_key_signs",
                fields=["is_current"],
                condition=Q(is_current=True),
            ),
            CheckConstraint(
                name="signing_key_is_over_unless_current",
                condition=Q(is_current=True, over_at=None)
                | Q(is_current=False, over_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d}"


def cascade_to_tokens(
    collector: Collector,
    field: models.Field[Any, Any],
    granted: QuerySet[GrantedToken],
    using: str,
) -> None:
    """Delete allauth's tokens with a grant: no key of theirs leads to a session."""
    hashes = granted.values("hash")
    # They come first, for they are found by the rows that go next.
    collector.collect(Token.objects.using(using).filter(hash__in=hashes))
    CASCADE(collector, field, granted, using)


class Grant(models.Model):
    """What one session let one client know; it is deleted with the session."""

    session = models.ForeignKey(UserSession, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    code_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    spent_at = models.DateTimeField(null=True, blank=True)
    # The claims auth_time and amr, as they were when the code was given.
    authenticated_at = models.DateTimeField()
    authentication_methods = models.CharField(max_length=30)
    # Without one, a code verifier belongs to another request.
    has_challenge = models.BooleanField(default=True, db_default=True)

    class Meta:
        indexes = [
            # The cleaning task's only query.
            Index(name="grant_by_time", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} #{self.pk}"


class Visit(models.Model):
    """A session's login at a client that is to hear of its end.

    The end of the session, whatever ends it, leaves it without one: then it is due.
    """

    # The database holds nobody to these keys: a process of an older release, which
    # knows no visits, has to be able to end sessions and to delete clients.
    session = models.ForeignKey(
        UserSession, null=True, on_delete=models.SET_NULL, db_constraint=False
    )
    client = models.ForeignKey(Client, on_delete=models.CASCADE, db_constraint=False)
    # What the client knows of the session, and of its user.
    sid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.UUIDField(editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    fault = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(
                name="one_visit_of_a_session_at_a_client", fields=["session", "client"]
            ),
            CheckConstraint(
                name="visit_is_due_once_it_has_ended",
                condition=Q(ended_at=None, due_at=None)
                | Q(session=None, ended_at__isnull=False, due_at__isnull=False),
            ),
        ]
        indexes = [
            # The sweep's two queries, every five seconds.
            Index(
                name="visit_without_session",
                fields=["id"],
                condition=Q(session=None, ended_at=None),
            ),
            Index(
                name="visit_by_due_time",
                fields=["due_at", "id"],
                condition=Q(due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} #{self.pk}"


class GrantedToken(models.Model):
    """An access or refresh token of a grant, also one that was used up."""

    grant = models.ForeignKey(Grant, on_delete=cascade_to_tokens, related_name="tokens")
    hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"{self.grant_id} #{self.pk}"
