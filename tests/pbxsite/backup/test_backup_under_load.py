"""A site that is saved while people log in, and goes on from the file elsewhere."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from tests.pbxsite.backup.test_backup import PASSPHRASE
from tests.pbxsite.backup.test_backup import Site as Stopped
from tests.support.site import USER_PASSWORD, Site, running_site

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
WAITED, BUSY = ("anna", "bert"), ("carl", "dora", "emil")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
MYAPPS, MYPBX = "/login/", "/mypbx/login/"
WAITING = "/login/waiting/"
LIMIT_SECONDS = 30.0
PAUSE = """
from verification.mail.models import SendingPause
SendingPause.objects.create(pk=1)
"""
RESUME = PAUSE.replace("create(pk=1)", "all().delete()")
GENEROUS = {
    "LIMIT_LOGINS": "10000/m/ip",
    "LIMIT_HELD_LOGINS": "10000/10m/user",
}


def log_in(site: Site, name: str, path: str) -> tuple[requests.Session, str]:
    """Return the browser, and where the right password led it."""
    browser = requests.Session()
    browser.trust_env = False
    browser.headers.update({"Origin": site.url})
    found = TOKEN.search(browser.get(f"{site.url}{path}", timeout=30).text)
    assert found
    values = {"login": name, "password": USER_PASSWORD, "csrfmiddlewaretoken": found[1]}
    answer = browser.post(
        f"{site.url}{path}", values, allow_redirects=False, timeout=30
    )
    return browser, answer.headers.get("Location", str(answer.status_code))


@contextmanager
def logins_under_way(site: Site) -> Iterator[list[str]]:
    """Let each of the busy ones log in again and again; give where that led them."""
    is_over, led = Event(), list[str]()

    def go(name: str) -> None:
        while not is_over.is_set():
            led.append(log_in(site, name, MYAPPS)[1])

    threads = [Thread(target=go, args=[name]) for name in BUSY]
    for thread in threads:
        thread.start()
    try:
        yield led
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def recipients(site: Site) -> Counter[str]:
    return Counter(str(mail["To"]).partition("@")[0] for mail in site.mails())


def test_a_site_saved_under_load_goes_on_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "site.backup"
    with running_site(tmp_path / "first", **GENEROUS) as first:
        first.add_users((*WAITED, *BUSY))
        first.switch_two_factor_on()
        seen = recipients(first)
        first.manage("shell", "-c", PAUSE)
        for name in WAITED:
            assert log_in(first, name, MYAPPS)[1] == WAITING
        browser, _ = log_in(first, WAITED[0], MYPBX)
        with logins_under_way(first) as led:
            first.manage("backup", str(file), stdin=f"{PASSPHRASE}\n")
        assert recipients(first) == seen

    # Nobody was kept from logging in meanwhile.
    assert len(led) >= len(BUSY)
    assert set(led) == {WAITING}
    status, said = Stopped(tmp_path / "second").manage("restore", str(file))
    assert status == 0, said
    with running_site(tmp_path / "second", **GENEROUS) as second:
        kept = browser.get(second.url, timeout=30)
        assert kept.status_code == 200
        assert MYAPPS not in kept.url
        second.manage("shell", "-c", RESUME)

        await_mails(second)
        told = recipients(second)
        assert [told[name] for name in WAITED] == [1, 1]
        # Of the logins of one user the last one alone is still wanted.
        assert max(told[name] for name in BUSY) == 1
        assert log_in(second, WAITED[1], MYPBX)[1] != MYPBX


def await_mails(site: Site) -> None:
    """Wait for those of everybody who waits, and for a second one of each."""
    limit = time.monotonic() + LIMIT_SECONDS
    while not all(recipients(site)[name] for name in WAITED):
        assert time.monotonic() < limit, recipients(site)
        time.sleep(0.1)
    time.sleep(6)
