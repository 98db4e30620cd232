"""A login by an access token beside one by a password, at the same server.

Dovecot asks the provider whose each token is, and compares a password by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from authconfig.models import AuthenticationSettings, current_rules
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.mail import in_a_process_of_its_own, ratio
from tests.harnesses.bench.mailers import THREADS, forget_ours, rendered, this_site
from tests.support.certificates import make_authority
from tests.support.mail_provider import MAILBOX, SECRET, running_mail_provider
from tests.support.submission import PASSWORD, running_submission

RUNS, MAILS = 5, 600
# Every mailbox of example.com is there, all of them in one place.
ANYBODY = "virtual_mailbox_maps = static:all/\n"
BY_PASSWORD = {"smtp_login": "password", "smtp_password": PASSWORD}
MECHANISMS = "plain xoauth2"


def figures() -> Iterator[Figure]:
    AuthenticationSettings.load()
    authority = make_authority()
    with (
        running_mail_provider() as provider,
        running_submission(provider, authority, MECHANISMS, ANYBODY) as submission,
    ):
        common = submission.settings() | {
            "smtp_email_address": MAILBOX,
            "smtp_username": MAILBOX,
            "smtp_connections": THREADS,
            "smtp_mails_per_connection": 10,
            "verification_link": "https://pbx.example/PBX0/session.xml",
        }
        by_token = {
            "smtp_login": "client_secret",
            "smtp_oauth2_grant": "client_credentials",
            "smtp_oauth2_token_url": provider.token_url,
            "smtp_oauth2_client_id": "mail-post",
            "smtp_oauth2_client_secret": SECRET,
            "smtp_oauth2_scope": "smtp",
        }
        ways = {"a password": common | BY_PASSWORD, "XOAUTH2": common | by_token}
        set_account(common | BY_PASSWORD)
        rendered(1)
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(RUNS):
            for way, values in ways.items():
                rates[way].append(rate(values))
    name = f"this site, {THREADS} connections to Dovecot, login by XOAUTH2"
    yield ratio(name, rates["XOAUTH2"], "by a password", rates["a password"])


def rate(values: dict[str, Any]) -> float:
    one = this_site(THREADS)
    set_account(values)
    forget_ours()
    one.fill(MAILS)
    seconds = in_a_process_of_its_own(one)
    sent = one.count_sent()
    forget_ours()
    assert sent == MAILS, f"{sent} of {MAILS} mails were sent"
    return MAILS / seconds


def set_account(values: dict[str, Any]) -> None:
    AuthenticationSettings.objects.update(**values)
    current_rules.forget()
