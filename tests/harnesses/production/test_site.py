"""What nginx and the site make of odd requests, and of a database that is away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.harnesses.production.logins import Login, ask, token_of
from tests.harnesses.production.site import ProductionSite, production_site

pytestmark = [pytest.mark.long, pytest.mark.postgresql, pytest.mark.timeout(300)]
# A page waits five seconds for a connection.
OUTAGE_SECONDS = 10.0


@pytest.fixture(scope="module")
def site() -> Iterator[ProductionSite]:
    with production_site() as running:
        yield running


def sql(site: ProductionSite, expression: str) -> str:
    code = f"from authconfig.users.models import AuditEvent as A; print({expression})"
    return site.manage("shell", "--no-imports", "-c", code).strip()


def test_a_whole_login_goes_through(site: ProductionSite) -> None:
    login = Login("user1", 1, whole=True, began_at=time.monotonic())

    site.road.log_in(login)

    assert (login.failure, login.done_at is not None) == ("", True)


def test_nobody_chooses_his_address_himself(site: ProductionSite) -> None:
    with site.road.browser(2) as browser:
        page = ask(browser, "GET", f"{site.road.url}/login/")
        fields = {"login": "user2", "password": "wrong"} | token_of(page)
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
            browser.headers[name] = "203.0.113.9"
        ask(browser, "POST", f"{site.road.url}/login/", fields)

    newest = "A.objects.filter(user_name='user2').order_by('-pk').first().address"
    assert sql(site, newest) == "127.1.0.4"


def test_another_name_gets_no_certificate(site: ProductionSite) -> None:
    """An address is no name that TLS could ask for."""
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://127.0.0.1:{site.nginx.port}/login/", timeout=10)


def test_events_come_through_the_proxy_at_once(site: ProductionSite) -> None:
    with site.road.browser(3) as browser:
        login = Login("user3", 3, whole=False, began_at=time.monotonic())
        site.road.hold(browser, login)
        began = time.monotonic()
        stream = browser.get(
            f"{site.road.url}/login/waiting/events/", stream=True, timeout=5
        )
        first = next(stream.iter_lines())
        stream.close()

    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert first
    assert time.monotonic() - began < 3


def test_without_the_database_a_page_says_so_and_comes_back(
    site: ProductionSite,
) -> None:
    url = f"{site.road.url}/login/"
    with site.road.browser(4) as browser:
        fields = {"login": "user4", "password": "wrong"} | token_of(browser.get(url))
        site.postgresql.stop()
        began = time.monotonic()
        answer = browser.post(url, fields, timeout=30)
        taken = time.monotonic() - began
        site.postgresql.start()
        limit = time.monotonic() + 30
        while browser.post(url, fields, timeout=30).status_code != 200:
            assert time.monotonic() < limit

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Not available at the moment" in answer.text
    assert taken < OUTAGE_SECONDS
