"""The words of the outgoing queue."""

from __future__ import annotations

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class MailPriority(IntegerChoices):
    """Mails that someone waits for at a screen go before recordings."""

    URGENT = 0
    LATER = 1


class MailState(TextChoices):
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    UNKNOWN = "unknown", _("Unknown")


class Part(TextChoices):
    WORKER = "worker", _("Worker")
    SCHEDULER = "scheduler", _("Scheduler")
    WEB = "web", _("Web server")


class TrialState(TextChoices):
    QUEUED = "queued", _("Waiting for a worker")
    RUNNING = "running", _("Running")
    ACCEPTED = "accepted", _("Accepted by the server")
    FAILED = "failed", _("Failed")


class SmtpStage(TextChoices):
    """The stages of a delivery, in their order."""

    # For a login by OAuth2, before the server is kept waiting.
    TOKEN = "token", _("Get an access token")
    RESOLVE = "resolve", _("Find the server")
    CONNECT = "connect", _("Connect")
    TLS = "tls", _("Encrypt (TLS)")
    EHLO = "ehlo", _("Greet (EHLO)")
    AUTH = "auth", _("Log in (AUTH)")
    MAIL_FROM = "mail_from", _("Name the sender (MAIL FROM)")
    RCPT_TO = "rcpt_to", _("Name the recipient (RCPT TO)")
    DATA = "data", _("Hand over the e-mail (DATA)")
