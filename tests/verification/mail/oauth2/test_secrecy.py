"""What logs in at the mail server is found nowhere but there."""

from __future__ import annotations

import io
import logging
import socket
from base64 import b64encode
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from pbxsite.administration.authentication.account_trials import start
from tests.conftest import SettingsSetter
from tests.support.certificates import make_authority
from tests.support.mail_provider import MAILBOX, SECRET, MailProvider
from tests.support.scripted_smtp import ScriptedServer, scripted_server
from tests.test_secrecy import broker_and_cache, database
from tests.verification.mail.oauth2.test_grants import authorize
from tests.verification.mail.oauth2.test_submission import MODES, configuration, queue
from verification.mail import sending
from verification.mail.account import account_of
from verification.mail.account_trial import run_trial
from verification.mail.models import OutgoingEmail
from verification.mail.oauth2 import renewal, standing, upkeep
from verification.mail.oauth2.authorization import keep_authorization

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
PAGES = (
    *("", "queue/", "mail/outgoingemail/", "users/auditevent/"),
    "authconfig/authenticationsettings/",
)


def repeating(server: ScriptedServer) -> None:
    """Refuse a login with all that was sent, as no server should."""

    def answer(connection: socket.socket) -> None:
        said = server.lines[-1].partition(" ")[2]
        connection.sendall(f"535 5.7.8 I do not like {said}\r\n".encode())

    server.script["AUTH"] = answer


def settings_of(provider: MailProvider, server: ScriptedServer) -> dict[str, Any]:
    return MODES["exchange"] | {
        "smtp_server": "localhost",
        "smtp_port": server.port,
        "smtp_security": "starttls",
        "smtp_email_address": MAILBOX,
        "smtp_username": MAILBOX,
        "smtp_connections": 1,
        "smtp_oauth2_token_url": provider.token_url,
        "smtp_oauth2_authorize_url": f"{provider.issuer}/auth",
        "smtp_oauth2_scope": "smtp",
    }


def test_no_token_or_secret_is_found_anywhere(
    mail_provider: MailProvider,
    administrator: PbxUser,
    admin: Browser,
    user: PbxUser,
    configure: SettingsSetter,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    authority, output = make_authority(), io.StringIO()
    offers = b"250-scripted\r\n250-STARTTLS\r\n250 AUTH XOAUTH2\r\n"
    with scripted_server(
        {"EHLO": offers}, context=authority.server_context()
    ) as server:
        rules = configure(
            smtp_ca_certificate=authority.ca_pem, **settings_of(mail_provider, server)
        )
        brought = authorize(mail_provider, configuration(rules))
        keep_authorization(configuration(rules), brought, account=MAILBOX)
        queue(user, 2)
        repeating(server)
        sending.deliver_due()
        trial = start(account_of(rules), "anna@example.com", administrator)
        waiting = database() + broker_and_cache()
        run_trial(trial.pk)
        upkeep.keep_up()
        call_command("authconfig", "show", "--json", stdout=output)
        logins = [line for line in server.lines if line.startswith("AUTH")]

    renewed = renewal.row_of(configuration(rules))
    tokens = {brought.access_token, brought.refresh_token}
    tokens |= {renewed.access_token, renewed.refresh_token}
    secrets = tokens | {SECRET} | {b64encode(each.encode()).decode() for each in tokens}
    secrets |= {line.split()[2] for line in logins}
    mail = OutgoingEmail.objects.first()
    assert mail
    places = {
        "database": database(),
        "database and Redis while a trial waits": waiting,
        "Redis": broker_and_cache(),
        "words of a mail": mail.words,
        "standing": repr(standing.standing_of(configuration(rules))),
        "configuration": repr(account_of(rules)) + repr(brought),
        "command": output.getvalue(),
        "log": caplog.text,
        "output": "".join(capfd.readouterr()),
        "admin": "".join(
            admin.get(f"/admin/{page}").content.decode()
            for page in (*PAGES, f"mail/outgoingemail/{mail.pk}/change/")
        ),
    }
    assert len(tokens) == 4
    assert len(logins) >= 2
    assert mail.words == "535 5.7.8 I do not like XOAUTH2 ***"
    for place, text in places.items():
        assert not [secret for secret in secrets if secret in text], place
