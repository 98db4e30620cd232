"""The work that is counted, done by what the site offers to anybody.

That is its commands, its addresses and whatever it asks the workers to do: none of our
modules is named here, so that they may be called as they like.
"""

from __future__ import annotations

import html
import io
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from celery import Task
from django.core.management import call_command
from django.test import Client as Browser

from tests.harnesses.trace.counting import Counter, Trace
from tests.harnesses.trace.limits import CALLBACK, LOGIN, TRIAL, WORKER
from tests.support.certificates import make_authority
from tests.support.html import Page
from tests.support.provider import Provider

HOST = "127.0.0.1"
PASSWORD = "correct horse battery"
# Of the accounts that the provider knows (tests/provider.py).
ANNAS_ACCOUNT, CARLS_ACCOUNT = "1", "5"
SETTINGS_PAGE = "/admin/authconfig/authenticationsettings/"
# A process reads the settings again when its copy is older than a second.
SETTLED_SECONDS = 1.1
Work = Callable[[], Any]


class Server:
    """A real SMTP server; `accepts` is called when it says 250 to a mail."""

    def __init__(self) -> None:
        self.authority = make_authority()
        self.accepts: Callable[[], None] = lambda: None
        self.accepted = 0

    async def handle_DATA(self, *_words: Any) -> str:
        self.accepted += 1
        self.accepts()
        return "250 2.0.0 Taken over"

    @contextmanager
    def running(self) -> Iterator[int]:
        with socket.create_server((HOST, 0)) as probe:
            port = probe.getsockname()[1]
        controller = Controller(
            self,
            hostname=HOST,
            port=port,
            tls_context=self.authority.server_context(),
            require_starttls=True,
            authenticator=take_any_password,
            auth_required=True,
        )
        controller.start()
        try:
            yield port
        finally:
            controller.stop()

    def account(self, port: int) -> dict[str, str]:
        """Return the settings of an account on it, with TLS and a password."""
        return {
            "smtp_server": HOST,
            "smtp_security": "starttls",
            "smtp_port": str(port),
            "smtp_ca_certificate": self.authority.ca_pem,
            "smtp_username": "pbx@example.com",
            "smtp_password": PASSWORD,
            "smtp_email_address": "pbx@example.com",
            # A single thread, so that the order is the same each time.
            "smtp_connections": "1",
        }


def take_any_password(*_words: Any) -> AuthResult:
    return AuthResult(success=True)


class Stage:
    """A site of its own in this process, whose workers' tasks are run by hand."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root, server
        self.tasks: list[Work] = []

    def count(self, work: Work) -> Trace:
        """Count until the work is done, or the server has taken a mail."""
        counter = Counter(self.root)
        self.server.accepts = counter.stop
        time.sleep(SETTLED_SECONDS)
        with counter.counting():
            work()
        self.server.accepts = lambda: None
        return counter.trace

    @contextmanager
    def tasks_held(self) -> Iterator[None]:
        """Keep what workers are asked to do."""

        def keep(
            task: Task[..., Any], args: Any = None, kwargs: Any = None, **_: Any
        ) -> None:
            self.tasks.append(partial(task.run, *(args or ()), **(kwargs or {})))

        with mock.patch.object(Task, "apply_async", keep):
            yield

    def be_worker(self) -> None:
        """Do what workers were asked to do; a mail goes out by it."""
        before, asked = self.server.accepted, list(self.tasks)
        self.tasks.clear()
        for task in asked:
            task()
        assert self.server.accepted == before + 1, "no e-mail was sent"


def manage(*words: str, stdin: str = "") -> None:
    with mock.patch.object(sys, "stdin", io.StringIO(stdin)):
        call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())


def traces(root: Path, issuer: str) -> dict[str, Trace]:
    """Return every scenario's trace; each is run once before it is counted."""
    server = Server()
    stage = Stage(root, server)
    with server.running() as port, stage.tasks_held():
        account = server.account(port)
        set_up(account, issuer)
        return {
            **trials(stage, account),
            **logins(stage),
            **callbacks(stage, Provider(issuer)),
        }


def set_up(account: dict[str, str], issuer: str) -> None:
    manage("migrate", "--verbosity=0")
    for name, *more in (("admin", "--admin"), ("anna",), ("berta",), ("carl",)):
        email = f"--email={name}@example.com"
        words = ("pbxusers", "add", name, email, "--password-stdin", *more)
        manage(*words, stdin=f"{PASSWORD}\n")
    configure(**account, verification_link="https://pbx.example/PBX0/session.xml")
    configure(**Provider(issuer).settings())


def configure(**values: str) -> None:
    manage("authconfig", "set", *(f"{key}={value}" for key, value in values.items()))


def log_in(browser: Browser, name: str) -> Any:
    browser.get("/login/")
    return partial(browser.post, "/login/", {"login": name, "password": PASSWORD})


def trials(stage: Stage, account: dict[str, str]) -> dict[str, Trace]:
    """Send test: the page's POST, and the worker that does what it asks for."""
    browser = Browser()
    assert log_in(browser, "admin")().status_code == 302
    send = trial(browser, account)
    send()
    stage.be_worker()
    asked, sent = stage.count(send), stage.count(stage.be_worker)
    return {
        TRIAL: asked,
        f"{TRIAL}, worker": sent,
        f"{TRIAL}, both": Trace.together([asked, sent]),
    }


def trial(browser: Browser, account: dict[str, str]) -> Work:
    """Return the button's POST, with what the page shows and the account typed in."""
    page = Page(browser.get(SETTINGS_PAGE).content.decode())
    (button,) = page.find(id="send-test")
    values = fields_of(page) | account | {"test_recipient": "admin@example.com"}

    def post() -> None:
        answer = browser.post(button["data-test-url"], values)
        assert answer.status_code == 200, answer.content

    return post


def fields_of(page: Page) -> dict[str, str]:
    """Return what a browser would post of the page."""
    values, select = {}, ""
    for tag, attributes, words in page.elements:
        name = attributes.get("name", "")
        if tag == "select":
            select = name
        elif tag == "option" and "selected" in attributes:
            values[select] = attributes.get("value", "")
        elif tag == "textarea":
            values[name] = " ".join(words)
        elif tag == "input" and name and is_posted(attributes):
            values[name] = attributes.get("value", "")
    return values


def is_posted(attributes: dict[str, str]) -> bool:
    kind = attributes.get("type", "text")
    return kind not in ("checkbox", "radio", "submit") or "checked" in attributes


def logins(stage: Stage) -> dict[str, Trace]:
    """A right password until the login is held, and its mail until it is sent."""
    configure(two_factor="on")
    held(log_in(Browser(), "anna"))
    stage.be_worker()
    post = log_in(Browser(), "berta")
    login = stage.count(partial(held, post))
    # The worker opens a new connection for another account.
    configure(smtp_sender_name="PBX of Berta")
    worker = stage.count(stage.be_worker)
    configure(two_factor="off")
    return {LOGIN: login, WORKER: worker}


def held(post: Work) -> None:
    answer = post()
    assert answer.headers["Location"] == "/login/waiting/", answer.content


def callbacks(stage: Stage, provider: Provider) -> dict[str, Trace]:
    """The provider sends a browser back for the first time, and it is signed in."""
    configure(authentication_type="pbx_and_oauth2")
    come_back(provider, ANNAS_ACCOUNT)()
    return {CALLBACK: stage.count(come_back(provider, CARLS_ACCOUNT))}


def come_back(provider: Provider, account: str) -> Work:
    """Return the callback of a browser that has been to the provider."""
    browser = Browser()
    page = browser.post("/login/oauth2/", {}).content.decode()
    found = re.search(r'id="lead-on" href="([^"]+)"', page)
    assert found, page
    back = urlsplit(provider.log_in(html.unescape(found[1]), account))

    def get() -> None:
        answer = browser.get(f"{back.path}?{back.query}")
        assert answer.headers["Location"] == "/account/", answer.content

    return get
