"""Whole logins, as browsers make them, each from an address of its own."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.support.site import link_in
from tests.support.smtp_servers import Server

USER_PASSWORD = "a long user's password"
# What a person at the keyboard would wait for a page.
PAGE_SECONDS = 30
CODE = re.compile(r'id="approval-code"[^>]*>(.*?)</', re.DOTALL)
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
CONTINUE = re.compile(r'<form[^>]*id="continue"[^>]*action="([^"]+)"')


class FailedStepError(Exception):
    """A step of a login got no answer, or not the one that leads on."""


@dataclass
class Login:
    """Times are of time.monotonic(); None is what has not happened."""

    name: str
    number: int
    whole: bool
    began_at: float
    held_at: float | None = None
    done_at: float | None = None
    failure: str = ""

    @property
    def recipient(self) -> str:
        return address_of(self.name)


def address_of(name: str) -> str:
    return f"{name}@example.com"


class Mailbox:
    """What a real SMTP server has received, by recipient."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._links: dict[str, str] = {}
        self._ids: dict[str, list[str]] = {}
        self._seen = 0
        self._lock = threading.Lock()

    def read(self) -> None:
        with self._lock:
            for mail in self.server.mails[self._seen :]:
                self._seen += 1
                message = mail.message
                self._ids.setdefault(mail.recipient, []).append(message["Message-ID"])
                text = message.get_body(("plain",))
                if text and "/PBX0/session.xml?id=" in text.get_content():
                    self._links[mail.recipient] = link_in(message)

    def link_to(self, recipient: str, limit_seconds: float) -> str:
        limit = time.monotonic() + limit_seconds
        while time.monotonic() < limit:
            self.read()
            if recipient in self._links:
                return self._links[recipient]
            time.sleep(0.05)
        raise FailedStepError("no e-mail came")

    def has(self, recipient: str) -> bool:
        return recipient in self._ids

    def doubled(self) -> int:
        """Return how many mails came again."""
        return sum(len(ids) - len(set(ids)) for ids in self._ids.values())


class _From(HTTPAdapter):
    """Of this machine's loopback addresses a login has one of its own."""

    def __init__(self, number: int) -> None:
        self._source = (
            f"127.{1 + number // 62500}.{number // 250 % 250}.{2 + number % 250}"
        )
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._source, 0), **kwargs)


@dataclass(frozen=True)
class Road:
    """Where logins go, and where their mails come."""

    url: str
    ca_file: Path
    mailbox: Mailbox
    mail_seconds: float = 60

    def browser(self, number: int) -> requests.Session:
        browser = requests.Session()
        browser.trust_env = False
        browser.verify = str(self.ca_file)
        browser.mount("https://", _From(number))
        browser.headers["Origin"] = self.url
        return browser

    def log_in(self, login: Login) -> None:
        """Go the way to the held login and, if it is a whole one, to the end."""
        try:
            with self.browser(login.number) as browser:
                self.hold(browser, login)
                if login.whole:
                    self._complete(browser, login)
            login.done_at = time.monotonic()
        except FailedStepError as error:
            login.failure = str(error)

    def hold(self, browser: requests.Session, login: Login) -> None:
        page = ask(browser, "GET", f"{self.url}/login/")
        fields = {"login": login.name, "password": USER_PASSWORD}
        answer = ask(
            browser, "POST", f"{self.url}/login/", fields | token_of(page), 302
        )
        if answer.headers["Location"] != "/login/waiting/":
            raise FailedStepError(f"the login led to {answer.headers['Location']}")
        login.held_at = time.monotonic()

    def _complete(self, browser: requests.Session, login: Login) -> None:
        page = ask(browser, "GET", f"{self.url}/login/waiting/")
        code = found(CODE, page)
        link = self.mailbox.link_to(login.recipient, self.mail_seconds)
        with self.browser(login.number) as approver:
            self.decide(approver, link, re.sub(r"\D", "", re.sub("<[^>]+>", "", code)))
        accepted = ask(browser, "GET", f"{self.url}/login/waiting/")
        path = found(CONTINUE, accepted)
        ask(browser, "POST", f"{self.url}{path}", token_of(accepted), 302)
        ask(browser, "GET", f"{self.url}/account/")

    def decide(self, approver: requests.Session, link: str, code: str) -> None:
        page = ask(approver, "GET", link)
        fields = {"code": code, "decision": "accept"}
        answer = ask(approver, "POST", link, fields | token_of(page), None)
        if answer.status_code not in (200, 302):
            raise FailedStepError(f"POST of the decision: {answer.status_code}")


def ask(
    browser: requests.Session,
    method: str,
    url: str,
    fields: dict[str, str] | None = None,
    wanted: int | None = 200,
) -> requests.Response:
    path = urlsplit(url).path
    try:
        answer = browser.request(
            method, url, data=fields, allow_redirects=False, timeout=PAGE_SECONDS
        )
    except requests.RequestException as error:
        raise FailedStepError(f"{method} {path}: {type(error).__name__}") from error
    if wanted and answer.status_code != wanted:
        raise FailedStepError(f"{method} {path}: {answer.status_code}")
    return answer


def found(pattern: re.Pattern[str], page: requests.Response) -> str:
    match = pattern.search(page.text)
    if match is None:
        title = re.search(r"<title>\s*(.*?)\s*</title>", page.text, re.DOTALL)
        raise FailedStepError(f"unexpected page “{title[1] if title else ''}”")
    return match[1]


def token_of(page: requests.Response) -> dict[str, str]:
    return {"csrfmiddlewaretoken": found(TOKEN, page)}


class Stream:
    """Logins that begin at a steady rate, whatever became of the earlier ones."""

    def __init__(
        self, road: Road, first: int, rate: float, whole_every: int = 1
    ) -> None:
        self.road, self.rate, self.whole_every = road, rate, whole_every
        self.logins: list[Login] = []
        self._next, self._going = first, list[Future[None]]()
        self._ending = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Begin logins until the block ends; then wait for those under way."""
        with ThreadPoolExecutor(max_workers=200) as pool:
            thread = threading.Thread(target=self._begin_all, args=(pool,))
            thread.start()
            try:
                yield
            finally:
                self._ending.set()
                thread.join()
                for login in self._going:
                    login.result()

    def _begin_all(self, pool: ThreadPoolExecutor) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            number = self._next
            self._next += 1
            whole = number % self.whole_every == 0
            login = Login(f"user{number}", number, whole, time.monotonic())
            self.logins.append(login)
            self._going.append(pool.submit(self.road.log_in, login))
            due = began + len(self.logins) / self.rate
            self._ending.wait(max(0.0, due - time.monotonic()))

    @property
    def next_number(self) -> int:
        return self._next
