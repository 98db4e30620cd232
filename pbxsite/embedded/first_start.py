"""The database of the embedded mode: its tables, and what a first start adds."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.management import call_command
from django.db import transaction

from authconfig.choices import Event, SmtpSecurity
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.tables.release import lacks_migrations

MAILBOX_HOST = "127.0.0.1"
MAILBOX_SENDER = "pbx@pbx.example"


@dataclass(frozen=True)
class Administrator:
    name: str
    email: str
    password: str


def migrate() -> bool:
    needed = lacks_migrations()
    if needed:
        call_command("migrate", verbosity=0, interactive=False)
    return needed


def is_first() -> bool:
    return not PbxUser.objects.exists()


@transaction.atomic
def furnish(administrator: Administrator, mailbox_port: int) -> None:
    PbxUser.objects.create_superuser(
        administrator.name, administrator.password, email=administrator.email
    )
    rules = AuthenticationSettings.load()
    rules.smtp_server, rules.smtp_port = MAILBOX_HOST, mailbox_port
    rules.smtp_security = SmtpSecurity.NONE
    rules.smtp_sender_name, rules.smtp_email_address = "PBX", MAILBOX_SENDER
    rules.full_clean()
    rules.save()


@transaction.atomic
def follow_mailbox(old_port: int, new_port: int) -> None:
    """Let the account follow the mailbox, if it is the account that is in use."""
    rules = AuthenticationSettings.objects.filter(
        smtp_server=MAILBOX_HOST, smtp_port=old_port, smtp_security=SmtpSecurity.NONE
    )
    if rules.update(smtp_port=new_port):
        detail = f"smtp_port: {old_port} -> {new_port} (the local mailbox moved)"
        audit.record(Event.SETTING_CHANGED, user=None, detail=detail)
