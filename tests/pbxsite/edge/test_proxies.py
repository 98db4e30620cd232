"""What proxies do to the site: events come at once, and circles are told."""

from __future__ import annotations

import gzip
import http.client
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.test import Client as Browser

from authconfig.choices import Origin
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.front_proxies import GREEDY, NAME, FrontProxy
from tests.support.server import running_server
from verification.approval import flows
from verification.approval.live.streams import EVENTS_PATH
from verification.approval.models import LoginSession
from verification.sessions.choices import Approver

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.long,
    pytest.mark.timeout(120),
]
# The site tells within one; the next sign of life would come after fifteen.
AT_ONCE_SECONDS = 2.0
PROXIES = list(GREEDY)
BEHIND = {
    "SITE_URL": f"https://{NAME}",
    "ALLOWED_HOSTS": f"{NAME},127.0.0.1",
    "DJANGO_SETTINGS_MODULE": "tests.settings",
    "TRUSTED_PROXY_COUNT": "1",
}
SILENT = {r"proxy_set_header X-Forwarded-Proto .*;": ""}


@pytest.fixture(scope="module")
def site_port(django_db_setup: None) -> Iterator[int]:
    with running_server(**BEHIND) as (port, _process):
        yield port


@contextmanager
def running(
    name: str, directory: Path, port: int, changes: dict[str, str]
) -> Iterator[FrontProxy]:
    directory.chmod(0o755)
    proxy = FrontProxy(name, directory, port, changes)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def log_in(browser: Browser) -> None:
    browser.post("/login/", {"login": "anna", "password": PASSWORD})


@pytest.fixture
def signed_in(user: PbxUser, configure: SettingsSetter) -> Browser:
    """Anna's browser, which was signed in before two-factor was switched on."""
    log_in(browser := Browser())
    configure(two_factor=True, smtp_server="127.0.0.1", verification_link="https://x/")
    return browser


class Events:
    """A browser's open stream: its pieces as they come, unpacked if they are packed."""

    def __init__(self, proxy: FrontProxy, browser: Browser, path: str) -> None:
        self._path = path
        self._key = browser.cookies["pbx_session"].value
        self._connection = http.client.HTTPSConnection(NAME)
        self._connection.sock = proxy.connect()
        self._connection.sock.settimeout(AT_ONCE_SECONDS)
        self._text = ""

    def open(self) -> int:
        headers = {
            "Cookie": f"__Host-pbx_session={self._key}",
            "Accept": "text/event-stream",
            "Accept-Encoding": "gzip, deflate",
        }
        self._connection.request("GET", self._path, headers=headers)
        self.answer = self._connection.getresponse()
        packed = self.answer.headers.get("Content-Encoding") == "gzip"
        self._unpack = zlib.decompressobj(wbits=31).decompress if packed else bytes
        return self.answer.status

    def await_words(self, words: str) -> float:
        """Return the seconds until these words have come."""
        began = time.monotonic()
        while words not in self._text:
            piece = self.answer.read1(4096)
            assert piece, self._text
            self._text += self._unpack(piece).decode()
        return time.monotonic() - began

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("is_greedy", [False, True], ids=["as told", "greedy"])
@pytest.mark.parametrize("name", PROXIES)
def test_each_event_comes_at_once_and_whole_through_a_proxy(
    name: str,
    is_greedy: bool,
    site_port: int,
    tmp_path: Path,
    signed_in: Browser,
) -> None:
    changes = GREEDY[name] if is_greedy else {}
    with (
        running(name, tmp_path, site_port, changes) as proxy,
        closing(Events(proxy, signed_in, "/account/events/")) as approving,
    ):
        assert approving.open() == 200
        assert approving.await_words('"logins": []}\n\n') < AT_ONCE_SECONDS

        log_in(waiting := Browser())
        login = LoginSession.objects.get()

        assert approving.await_words(f"[{login.pk}]}}\n\n") < AT_ONCE_SECONDS
        with closing(Events(proxy, waiting, EVENTS_PATH)) as waited:
            assert waited.open() == 200
            assert waited.await_words("pending\n\n") < AT_ONCE_SECONDS
            flows.reject(login, approver=Approver.EMAIL, origin=Origin())
            assert waited.await_words("rejected\n\n") < AT_ONCE_SECONDS


@pytest.mark.parametrize("name", PROXIES)
def test_a_page_is_compressed_by_the_documents_lines(
    name: str, site_port: int, tmp_path: Path
) -> None:
    with running(name, tmp_path, site_port, {}) as proxy:
        connection = http.client.HTTPSConnection(NAME, timeout=10)
        connection.sock = proxy.connect()
        connection.request("GET", "/login/", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()

    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b'id="login"' in gzip.decompress(body)


def page_of_a_browser(proxy: FrontProxy) -> str:
    """Return what a browser with cookies comes to, and its log of answers."""
    trust = proxy.directory / "authority.pem"
    trust.write_text(proxy.authority.ca_pem)
    command = [
        *("curl", "--silent", "--include", "--location", "--max-redirs", "10"),
        *("--cookie", "", "--cacert", str(trust)),
        *("--connect-to", f"::127.0.0.1:{proxy.port}", f"https://{NAME}/login/"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


def test_a_proxy_that_does_not_say_https_is_told_of_instead_of_a_circle(
    site_port: int, tmp_path: Path
) -> None:
    with running("nginx", tmp_path, site_port, SILENT) as proxy:
        page = page_of_a_browser(proxy)

    assert page.count("HTTP/2 301") == 1
    assert "HTTP/2 400" in page
    assert "does not send “X-Forwarded-Proto: https”" in page


def test_a_proxy_that_nobody_counted_is_told_of_instead_of_a_circle(
    tmp_path: Path, django_db_setup: None
) -> None:
    with (
        running_server(**BEHIND | {"TRUSTED_PROXY_COUNT": "0"}) as (port, _process),
        running("nginx", tmp_path, port, {}) as proxy,
    ):
        page = page_of_a_browser(proxy)

    assert page.count("HTTP/2 301") == 1
    assert "TRUSTED_PROXY_COUNT is 0" in page
