"""Whom the site tells when it needs somebody."""

from __future__ import annotations

import base64

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig.fields import SecretField
from authconfig.validators import validate_one_line, validate_secure_url

MOST_RECIPIENTS = 10
WEBHOOK_PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
# Makes a secret.
COMMAND = 'echo "whsec_$(openssl rand -base64 32)"'


def split_recipients(text: str) -> list[str]:
    """Return the addresses of a list with commas, each once."""
    parts = (part.strip() for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def validate_recipients(value: str) -> None:
    validate_one_line(value)
    addresses = split_recipients(value)
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError(
                _(
                    "“%(value)s” is not an e-mail address. Separate several addresses"
                    " with commas."
                ),
                code="email",
                params={"value": address},
            ) from error
    if len(addresses) > MOST_RECIPIENTS:
        raise ValidationError(
            _("Enter at most %(most)d addresses; a mailing list counts as one."),
            code="many",
            params={"most": MOST_RECIPIENTS},
        )


def webhook_key(secret: str) -> bytes:
    """Return the key of a secret in the form of the Standard Webhooks.

    Raises ValueError if it is no base64.
    """
    return base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX), validate=True)


def validate_webhook_secret(value: str) -> None:
    """Standard Webhooks 1.0: 24 to 64 random bytes, so that nobody guesses them."""
    try:
        length = len(webhook_key(value))
    except ValueError:
        length = 0
    if not value.startswith(WEBHOOK_PREFIX) or not LEAST_BYTES <= length <= MOST_BYTES:
        raise ValidationError(
            _(
                "Enter whsec_ and 24 to 64 random bytes in base64, as the receiver made"
                " it or as this command does: %(command)s"
            ),
            code="secret",
            params={"command": COMMAND},
        )


class AlarmFields(models.Model):
    alarm_recipients = models.CharField(
        _("E-mail to"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        validators=[validate_recipients],
        help_text=_(
            "E-mail addresses, separated by commas. Such an e-mail goes through this"
            " site's own e-mail account: an alarm that e-mails fail waits like all"
            " others, and comes when nobody needs it any more. The webhook does not"
            " wait for the mail server."
        ),
    )
    alarm_webhook_url = models.CharField(
        _("Webhook"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validate_secure_url],
        help_text=_(
            "An https address of your own monitoring or chat. It gets each alarm as"
            " JSON, when it begins and when it is over."
        ),
    )
    alarm_webhook_secret = SecretField(
        _("Webhook secret"),
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "It signs what the webhook gets, as the Standard Webhooks say: whsec_ and"
            " 24 to 64 bytes in base64. The receiver needs the same."
        ),
    )

    class Meta:
        abstract = True
