"""The words of logins that wait for approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Method, Origin
from authconfig.clients.choices import Kind


class LoginState(TextChoices):
    PENDING = "pending", _("Waiting for approval")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    COMPLETED = "completed", _("Logged in")


class Ending(TextChoices):
    """Why a login was rejected; only REJECTED is the user's own word."""

    REJECTED = "rejected", _("Rejected by the user")
    WRONG_CODES = "wrong_codes", _("Three wrong codes")
    CANCELLED = "cancelled", _("Cancelled where it was started")
    SUPERSEDED = "superseded", _("A newer login took its place")
    ENDED = "ended", _("Ended by an administrator")
    REVOKED = "revoked", _("Ended with all sessions of the user")
    NEW_ADDRESS = "new_address", _("The user's e-mail address was changed")
    CLIENT_GONE = "client_gone", _("The client that waited went away")


class MailNews(TextChoices):
    """What the waiting page says of its mail."""

    ON_ITS_WAY = "on_its_way"
    DELAYED = "delayed"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    NOT_SENT = "not_sent"
    # Another mail would be refused as well.
    REFUSED = "refused"
    ADDRESS_REFUSED = "address_refused"


class Decision(TextChoices):
    ACCEPT = "accept", _("Accept")
    REJECT = "reject", _("Reject")


class Outcome(TextChoices):
    DECIDED = "decided"
    WRONG_CODE = "wrong_code"
    # By the third wrong code.
    ENDED = "ended"
    OVER = "over"


@dataclass(frozen=True)
class LoginFacts:
    """What is known of a login when its first factor was right.

    `factor` was shown as well, but does not count yet. `used_up`: so many tries failed
    before that it needs an approval.
    """

    kind: Kind
    method: Method
    origin: Origin
    language: str
    factor: Authenticator | None = None
    used_up: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a login does not even become pending.

    Either nobody could approve it, or the user has to wait: after a rejection, or after
    too many logins. `used_up`: it would need no approval if fewer tries had failed.
    `after_reset`: its password came by e-mail, which then approves nothing.
    """

    wait: timedelta | None = None
    too_many: bool = False
    used_up: bool = False
    after_reset: bool = False

    @property
    def reason(self) -> str:
        if self.after_reset:
            return "password by e-mail, nothing else to approve"
        if self.used_up:
            return "too many failures in a row"
        if self.too_many:
            return "too many held logins"
        return "waits after a rejection" if self.wait else "no way to approve"
