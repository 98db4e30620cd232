"""A site that is busy is saved and restored elsewhere: nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings

from authconfig.choices import SmtpSecurity
from tests.support.services import ROOT
from tests.support.site import NOT_FOR_SITES, USER_PASSWORD, Site, running_site
from tests.support.smtp_servers import smtp_server
from tests.support.visitor import TOKEN, Visitor

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not settings.EMBEDDED, reason="the embedded mode's own"),
]
PASSPHRASE = "six words that nobody guesses"
WAITING = ("bert", "carl", "dora")
PAUSE = "from verification.mail.models import SendingPause as P; P.objects.create(pk=1)"
RESUME = (
    "from verification.mail.models import SendingPause as P; P.objects.all().delete()"
)
MAIL_SECONDS, DOUBLED_SECONDS = 20, 8
LOAD_SECONDS = 2.0


def log_in(site: Site, name: str, path: str = "/mypbx/login/") -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        token = TOKEN.search(session.get(f"{site.url}{path}", timeout=30).text)
        assert token
        form = {"login": name, "password": USER_PASSWORD}
        form["csrfmiddlewaretoken"] = token[1]
        return session.post(
            f"{site.url}{path}", form, allow_redirects=False, timeout=30
        )


@contextmanager
def load(site: Site) -> Iterator[Counter[int]]:
    """Users log in all the time."""
    over, seen = threading.Event(), Counter[int]()

    def go_on() -> None:
        while not over.is_set():
            seen[log_in(site, "emil").status_code] += 1

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def manage(data_dir: Path, *words: str) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in NOT_FOR_SITES}
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=kept | {"DATA_DIR": str(data_dir)},
        input=f"{PASSPHRASE}\n",
        text=True,
        check=True,
        timeout=120,
    )


def test_a_busy_site_lives_on_from_its_backup(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    file = tmp_path / "site.backup"
    own = {"LIMIT_LOGINS": "10000/m/ip"}
    with smtp_server(SmtpSecurity.NONE, credentials=None) as server:
        with running_site(first, **own) as site:
            site.add_users(("anna", "emil", *WAITING))
            anna = Visitor("anna")
            assert anna.open(f"{site.url}/account/").url.endswith("/account/")
            account = (
                *("smtp_server=127.0.0.1", f"smtp_port={server.port}"),
                *("smtp_security=none", "smtp_email_address=pbx@example.com"),
                *("smtp_username=", "two_factor=on"),
                f"verification_link={site.url}/PBX0/session.xml",
            )
            site.manage("authconfig", "set", *account, "--test", "admin@example.com")
            site.manage("shell", "-c", PAUSE)
            for name in WAITING:
                there = log_in(site, name, "/login/").headers["Location"]
                assert there == "/login/waiting/"
            seen = len(server.mails)

            with load(site) as logins:
                time.sleep(LOAD_SECONDS)
                manage(first, "backup", str(file))
            assert set(logins) == {302}

        manage(second, "restore", str(file))
        with running_site(second, **own) as site:
            account_page = anna.session.get(
                f"{site.url}/account/", allow_redirects=False, timeout=30
            )
            assert account_page.status_code == 200
            assert log_in(site, "emil").status_code == 302
            assert len(server.mails) == seen

            site.manage("shell", "-c", RESUME)
            limit = time.monotonic() + MAIL_SECONDS
            while len(server.mails) < seen + len(WAITING):
                assert time.monotonic() < limit, "not every mail went out"
                time.sleep(0.2)
            time.sleep(DOUBLED_SECONDS)

        went_out = Counter(mail.recipient for mail in server.mails[seen:])
        assert went_out == {f"{name}@example.com": 1 for name in WAITING}
