"""The words of the second factor and of the outgoing queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Client, Method, Origin

# Where a wrong password was entered that was no login.
PASSWORD_CHANGE = "change of the password"  # noqa: S105


class LoginState(TextChoices):
    PENDING = "pending", _("Waiting for approval")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    COMPLETED = "completed", _("Logged in")


class Ending(TextChoices):
    """Why a login was rejected; only the first is the user's own word."""

    REJECTED = "rejected", _("Rejected by the user")
    WRONG_CODES = "wrong_codes", _("Three wrong codes")
    CANCELLED = "cancelled", _("Cancelled where it was started")
    SUPERSEDED = "superseded", _("A newer login took its place")
    ENDED = "ended", _("Ended by an administrator")
    REVOKED = "revoked", _("Ended with all sessions of the user")


class Approver(TextChoices):
    EMAIL = "email", _("E-mail link")
    SESSION = "session", _("Existing session")
    FACTOR = "factor", _("Passkey or one-time code")


class Decision(TextChoices):
    ACCEPT = "accept", _("Accept")
    REJECT = "reject", _("Reject")


class Outcome(TextChoices):
    """What came of a decision."""

    DECIDED = "decided"
    WRONG_CODE = "wrong_code"
    OVER = "over"


class MailKind(TextChoices):
    APPROVAL = "approval", _("Verification e-mail")
    REJECTION = "rejection", _("Notice of a rejected login")
    PASSWORD = "password", _("Notice of a changed password")
    VOICEMAIL = "voicemail", _("Voicemail")


class MailPriority(IntegerChoices):
    """Who waits for a mail before a screen does not wait behind recordings."""

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
    """What of this site tells that it runs."""

    WORKER = "worker", _("Worker")
    SCHEDULER = "scheduler", _("Scheduler")


class AccountTestState(TextChoices):
    QUEUED = "queued", _("Waiting for a worker")
    RUNNING = "running", _("Running")
    ACCEPTED = "accepted", _("Accepted by the server")
    FAILED = "failed", _("Failed")


class Stage(TextChoices):
    """A stage of delivering a mail, in the order in which they are passed."""

    RESOLVE = "resolve", _("Find the server")
    CONNECT = "connect", _("Connect")
    TLS = "tls", _("Encrypt (TLS)")
    EHLO = "ehlo", _("Greet (EHLO)")
    AUTH = "auth", _("Log in (AUTH)")
    MAIL_FROM = "mail_from", _("Name the sender (MAIL FROM)")
    RCPT_TO = "rcpt_to", _("Name the recipient (RCPT TO)")
    DATA = "data", _("Hand over the e-mail (DATA)")


class VoicemailFault(Enum):
    """Why a voicemail is not taken; for scripts, so in English alone."""

    NOBODY = "No user has this name or extension number."
    TWO_USERS = (
        "Two users fit: one by name and one by extension number. Change one of them."
    )
    INACTIVE = "The user is not active."
    NO_EMAIL = "The user has no e-mail address. Enter one, then post it again."
    NO_ACCOUNT = (
        "No e-mail account is set up on the page “Authentication”, so nothing goes out."
    )
    NO_ROOM = "The recording could not be stored. The site's log says why."
    TOO_MANY = "Too many voicemails for this user of late. Post it again later."
    OTHER_REQUEST = "This Idempotency-Key was used for another voicemail."


@dataclass(frozen=True)
class LoginFacts:
    """What is known of a login when its first factor was right."""

    client: Client
    method: Method
    origin: Origin
    language: str


@dataclass(frozen=True)
class Refusal:
    """Why a login is not even held: no way to approve it, or a wait.

    One waits after a rejection, or when too many logins were held already.
    """

    wait: timedelta | None = None
    too_many: bool = False

    @property
    def reason(self) -> str:
        if self.too_many:
            return "too many held logins"
        return "waits after a rejection" if self.wait else "no way to approve"
