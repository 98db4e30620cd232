"""What is wrong with the site: findings, each of a kind and with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AlarmKind(TextChoices):
    """What programs know an alarm by; the values never change."""

    DATABASE = "database", _("The database takes no writes")
    PAUSED = "paused", _("Sending is paused")
    BROKER = "broker", _("The broker (Redis) does not answer")
    WORKER = "worker", _("No Celery worker reports")
    SCHEDULER = "scheduler", _("The scheduler (beat) does not report")
    CLOCK = "clock", _("A clock is wrong")
    WAITING = "waiting", _("E-mails wait")
    MAIL_LOGIN = "mail_login", _("The e-mail account gets no token")
    MAIL_SECRET = "mail_secret", _("A client secret expires")
    SMTP = "smtp", _("The SMTP server takes no e-mails")
    CONTROLLER = "controller", _("A domain controller does not answer")
    PROVIDER = "provider", _("The OpenID provider does not answer")
    FAILING = "failing", _("E-mails fail")
    NO_ROOM = "no_room", _("There is no room for recordings")
    REJECTED = "rejected", _("A login was rejected by its user")
    WEBHOOK = "webhook", _("The webhook of alarms fails")
    NO_ENTRY = "no_entry", _("Users cannot log in")
    DIRECTORY = "directory", _("Users are not read from the directory")
    SCIM = "scim", _("Users by SCIM wait for a decision")
    CLIENT = "client", _("A client application is refused")


@dataclass(frozen=True)
class Finding:
    """`link` leads to where it is mended; `about` tells two of a kind apart."""

    kind: AlarmKind
    sentence: str
    link: str
    about: str = ""
