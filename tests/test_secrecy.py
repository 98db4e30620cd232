"""The secret of a mail's link stands in the mail, and nowhere else."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, unquote

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter, Starter
from tests.support.smtp_servers import Server
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

LINK_PATTERN = re.compile(r"session\.xml\?id=([\w%:.-]+)")
pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    configure(smtp_port=server.port)
    return server


def database() -> str:
    """Return every row of every table."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            rows += [f"{table} {row}" for row in cursor.fetchall()]
    assert any("mail_outgoingemail" in row for row in rows)
    return "\n".join(rows)


def broker_and_cache() -> str:
    """Return every key of Redis with what it holds."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    readers = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    with client:
        found = [(key, readers[client.type(key)](key)) for key in client.scan_iter("*")]
    assert any(b"celery" in key for key, _value in found)
    return str(found)


def pages(admin: Browser, mail: OutgoingEmail) -> str:
    paths = (
        "mail/outgoingemail/",
        f"mail/outgoingemail/{mail.pk}/change/",
        "approval/loginsession/",
        f"approval/loginsession/{mail.login_mail.login_id}/change/",
        "users/auditevent/",
        "authconfig/authenticationsettings/",
        "queue/",
        "",
    )
    shown = [admin.get(f"/admin/{path}") for path in paths]
    assert {page.status_code for page in shown} == {200}
    return "".join(page.content.decode() for page in shown)


def secrets_of(token: str) -> set[str]:
    """The token as it may be written, and the part that nobody can make."""
    return {token, quote(token, safe=""), token.rpartition(":")[2]}


@pytest.mark.parametrize("is_repeated", [False, True])
def test_a_mails_token_is_found_nowhere_but_in_the_mail(
    admin_client_myapps: Browser,
    server: Server,
    start: Starter,
    browser: Browser,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    is_repeated: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    # The mail server's own words.
    caplog.set_level(logging.CRITICAL, logger="mail.log")
    start(browser)
    sending.deliver_due()
    content = server.mails[0].message.get_body(("plain",)).get_content()
    token = unquote(LINK_PATTERN.findall(content)[0])
    mail = OutgoingEmail.objects.get()
    if is_repeated:
        address = f"https://pbx.example/PBX0/session.xml?id={quote(token, safe='')}"
        server.refuse_content = f"554 5.7.1 Bad address {address} found"
        values = {"state": MailState.QUEUED, "ended_at": None}
        OutgoingEmail.objects.update(**values)
        sending.deliver_due()
        mail.refresh_from_db()
        assert "found" in mail.words

    places = {
        "database": database(),
        "Redis": broker_and_cache(),
        "admin": pages(admin_client_myapps, mail),
        "waiting page": browser.get("/login/waiting/").content.decode(),
        "log": caplog.text,
        "output": "".join(capfd.readouterr()),
    }
    for place, text in places.items():
        assert not [s for s in secrets_of(token) if s in text], place
    assert str(mail.pk) in places["database"]
    assert any(secret in content for secret in secrets_of(token))
