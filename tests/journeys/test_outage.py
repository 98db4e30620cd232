"""Redis and the workers die while somebody logs in: late is allowed, lost is not."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.support.redis_servers import Redis, running_redis
from tests.support.site import USER_PASSWORD, Site, running_site

# Whole sites are started and killed here: once, beside the browsers' tests.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LIMIT_SECONDS = 2.0
# Each second the site looks for mails that are due; else every five seconds.
SWEEP_SECONDS = 1.0
# A worker that nobody wakes looks every two and a half seconds.
UNASKED_SECONDS = 6.0
OFTEN = {"SWEEP_SECONDS": str(SWEEP_SECONDS)}


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis() as redis:
        yield redis


@contextmanager
def site_on(data_dir: Path, redis: Redis, **options: str) -> Iterator[Site]:
    with running_site(data_dir, REDIS_URL=redis.url, **options) as site:
        yield site


def set_up(site: Site) -> None:
    site.add_users(("anna",))
    site.switch_two_factor_on()


def log_in(site: Site) -> float:
    """Return the seconds that the login page took to answer a right password."""
    with requests.Session() as browser:
        browser.headers.update({"Origin": site.url})
        page = browser.get(f"{site.url}/login/", timeout=30).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        values = {"login": "anna", "password": USER_PASSWORD}
        values["csrfmiddlewaretoken"] = token[1]
        began = time.monotonic()
        answer = browser.post(
            f"{site.url}/login/", values, allow_redirects=False, timeout=30
        )
        taken = time.monotonic() - began
    assert answer.headers["Location"] == "/login/waiting/"
    return taken


def to_workers(site: Site, said: signal.Signals) -> None:
    log = site.data_dir / "log" / "worker.log"
    workers = [process for process in processes() if is_said_to(process, log)]
    assert workers, "there is no worker"
    for process in workers:
        os.kill(process, said)


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def is_said_to(process: int, log: Path) -> bool:
    """Tell whether the file is where the process says what it says."""
    with suppress(OSError):
        return Path(f"/proc/{process}/fd/1").samefile(log)
    return False


def mails_to_anna(site: Site) -> int:
    return sum(mail["To"] == "anna@example.com" for mail in site.mails())


def await_mail(site: Site, *, within: float = 30.0) -> None:
    """One mail comes, and no second one."""
    limit = time.monotonic() + within
    while not mails_to_anna(site):
        assert time.monotonic() < limit, "no e-mail came"
        time.sleep(0.05)
    time.sleep(2 * SWEEP_SECONDS)  # the sweep has looked again
    assert mails_to_anna(site) == 1


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.long)]
)
def test_a_login_without_redis_is_quick_and_its_mail_goes_out_once(
    tmp_path: Path, redis: Redis, how: signal.Signals
) -> None:
    with site_on(tmp_path, redis, **OFTEN) as site:
        set_up(site)
        redis.stop(how)

        assert log_in(site) < LIMIT_SECONDS
        await_mail(site, within=UNASKED_SECONDS)

        if how is signal.SIGSTOP:
            redis.go_on()
        else:
            redis.start()
        time.sleep(2 * SWEEP_SECONDS)  # the sweep has looked as well
        assert mails_to_anna(site) == 1


@pytest.mark.long
def test_what_redis_and_the_workers_left_undone_is_done_after_their_return(
    tmp_path: Path, redis: Redis
) -> None:
    with site_on(tmp_path, redis) as site:
        set_up(site)
        redis.stop(signal.SIGKILL)
        to_workers(site, signal.SIGSTOP)
        assert log_in(site) < LIMIT_SECONDS
        to_workers(site, signal.SIGKILL)
        assert mails_to_anna(site) == 0

    redis.start()
    with site_on(tmp_path, redis, **OFTEN) as site:
        await_mail(site)
