"""An e-mail account, the settings' own or one that is tried, and its server's pace."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from django.db.models import Model
from django.utils import timezone
from django.utils.crypto import salted_hmac

from authconfig.choices import SmtpLogin, SmtpSecurity
from authconfig.models import AuthenticationSettings
from verification.mail.choices import MailPriority
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.settings import configuration_of

FIRST_REST = timedelta(seconds=2)
# Somebody waits for most mails, so the server is asked again at least so often,
LONGEST_REST = timedelta(seconds=30)
# but for a server that counts its mails by the minute: it is known when it will refuse.
LONGEST_PERIOD = timedelta(minutes=2)
# A little less than was seen, or each rest would make the next one longer.
SHARE_OF_PERIOD = 0.9
# After so long one more connection is tried again.
FEWER_CONNECTIONS_FOR = timedelta(minutes=10)
FIELDS = (
    *("server", "port", "client_host_name", "sender_name", "email_address"),
    *("username", "password", "ca_certificate"),
)


@dataclass(frozen=True)
class Account:
    server: str
    port: int
    security: SmtpSecurity
    client_host_name: str = "127.0.0.1"
    sender_name: str = ""
    email_address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_certificate: str = ""
    # The login is by an access token instead of the password.
    oauth2: Configuration | None = None
    # A trial shows whether a token is to be had now, whatever is kept.
    renews_token: bool = False
    mails_per_connection: int = 10
    connect_timeout: float = 10
    reply_timeout: float = 30
    # For the body, and once more for the reply to it. RFC 5321 would wait ten
    # minutes, longer than most logins last.
    data_timeout: float = 120


def account_of(rules: AuthenticationSettings) -> Account:
    """Return the account of the settings row."""
    account = account_from(rules, "smtp_", *FIELDS, "mails_per_connection")
    if rules.smtp_login == SmtpLogin.PASSWORD:
        return account
    return replace(account, password="", oauth2=configuration_of(rules))


def account_from(row: Model, prefix: str = "", *fields: str) -> Account:
    values = {name: getattr(row, prefix + name) for name in fields or FIELDS}
    values["client_host_name"] = values["client_host_name"] or "127.0.0.1"
    security = SmtpSecurity(getattr(row, f"{prefix}security"))
    return Account(security=security, **values)


def fingerprint(account: Account) -> str:
    """Return a keyed digest of everything that decides whether the server accepts."""
    values: tuple[object, ...] = (
        account.server,
        account.port,
        account.security.value,
        account.client_host_name,
        account.email_address,
        account.username,
        account.password,
        account.ca_certificate,
    )
    if account.oauth2:
        values = (*values, account.oauth2.proof)
    # Stored fingerprints were made with this salt, so it stays as it is.
    keyed = salted_hmac("verification.accounts", repr(values), algorithm="sha256")
    return keyed.hexdigest()


@dataclass
class Rest:
    """How long mails wait while the server takes none of them."""

    refusals: int = 0
    ends_at: datetime | None = None
    # Has it taken as many as it wants for now? Then it may count the mails of each
    # minute: when did it begin to take some, how long after the time before?
    is_by_count: bool = False
    began_at: datetime | None = None
    period: timedelta | None = None

    @property
    def is_on(self) -> bool:
        return self.ends_at is not None and self.ends_at > timezone.now()

    def begin(self, *, is_by_count: bool) -> datetime:
        self.refusals += 1
        self.is_by_count = is_by_count
        now = timezone.now()
        # Jitter, or all processes would come back together.
        self.ends_at = now + self._pause(now) * (0.9 + secrets.randbelow(200) / 1000)
        return self.ends_at

    def _pause(self, now: datetime) -> timedelta:
        # After ten doublings every pause is the longest one.
        pause = min(FIRST_REST * 2.0 ** min(self.refusals - 1, 10), LONGEST_REST)
        is_known = self.is_by_count and self.refusals == 1
        if not (is_known and self.began_at and self.period):
            return pause
        return max(pause, self.began_at + self.period * SHARE_OF_PERIOD - now)

    def end(self) -> None:
        now = timezone.now()
        since = now - self.began_at if self.began_at else None
        if self.is_by_count:
            self.period = since if since and since < LONGEST_PERIOD else None
        self.began_at, self.refusals, self.ends_at = now, 0, None


class Pace:
    """What a process has seen of how much the server takes from the account.

    A refusal of the account is no fault of a mail: all mails wait together, and none
    of them has used up a try. What refused a recording need not refuse a short mail,
    so urgent mails are tried until one of them is refused.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        self._rests = {priority: Rest() for priority in MailPriority}
        self._connections: int | None = None
        self._until = timezone.now()

    def refuse(self, priority: MailPriority, *, is_by_count: bool = False) -> datetime:
        """Have mails of this priority, and less urgent ones, wait; return until when.

        Several threads may be refused at once; that counts once.
        """
        with self._lock:
            rest = self._rests[priority]
            if rest.ends_at and rest.is_on:
                return rest.ends_at
            return rest.begin(is_by_count=is_by_count)

    def accept(self, priority: MailPriority) -> None:
        """The server took a mail, so it takes all that are as urgent or more."""
        for each, rest in self._rests.items():
            if each <= priority and (rest.refusals or rest.began_at is None):
                with self._lock:
                    rest.end()

    def least_urgent(self) -> MailPriority | None:
        """Return how urgent a mail has to be to go out now; None if none may."""
        if self._rests[MailPriority.URGENT].is_on:
            return None
        later = self._rests[MailPriority.LATER]
        return MailPriority.URGENT if later.is_on else MailPriority.LATER

    @property
    def is_asking(self) -> bool:
        """The next mail shows whether the server takes any again."""
        return self._rests[MailPriority.URGENT].refusals > 0

    def note_connections(self, most: int) -> None:
        """The server takes no more connections than these."""
        self._connections = max(most, 1)
        self._until = timezone.now() + FEWER_CONNECTIONS_FOR

    @property
    def connections(self) -> int | None:
        """How many connections the server takes, if it has refused a further one."""
        if self._connections and timezone.now() > self._until:
            self._connections = None
        return self._connections
