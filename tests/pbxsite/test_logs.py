"""The log names requests and logins, also in the worker, and holds no secret."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from logging.config import dictConfig
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from pbxsite import logs
from pbxsite.logs import (
    ContextFilter,
    JsonFormatter,
    RepetitionFilter,
    TextFormatter,
)
from pbxsite.settings import LOGGING
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from tests.support.site import ADMIN_PASSWORD, running_site
from tests.support.smtp_servers import CREDENTIALS, smtp_server
from verification import log_context
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail import sending
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db
NAME = "proxy-4711.0815"
Lines = list[dict[str, Any]]


class Log:
    """Everything that any part of the process says, as production writes it."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(JsonFormatter())
        self.handler.addFilter(ContextFilter())

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, logger: str = "") -> Lines:
        read = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in read if line["logger"].startswith(logger)]


@pytest.fixture
def log() -> Iterator[Log]:
    made, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(made.handler)
    root.setLevel(logging.DEBUG)
    yield made
    root.removeHandler(made.handler)
    root.setLevel(level)


def test_each_request_is_named_and_timed_and_told_its_name(
    log: Log, browser: Browser
) -> None:
    answer = browser.get("/login/?next=/account/", headers={"X-Request-ID": NAME})

    (line,) = log.lines("pbxsite.logs")
    assert answer.headers["X-Request-ID"] == line["request"] == NAME
    assert (line["method"], line["path"], line["status"]) == ("GET", "/login/", 200)
    assert line["milliseconds"] >= 0
    assert "next" not in log.text
    assert not log_context.request_id.get()


@pytest.mark.parametrize(
    "name", ["", "short", "a" * 65, "-begins-wrong", "two words here", 'a"quoted"one']
)
def test_an_unsafe_name_is_replaced(log: Log, browser: Browser, name: str) -> None:
    answer = browser.get("/login/", headers={"X-Request-ID": name})

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert log.lines("pbxsite.logs")[0]["request"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_what_machines_ask_all_the_time_is_not_logged(
    log: Log, browser: Browser, path: str
) -> None:
    browser.get(path)

    assert log.lines("pbxsite.logs") == []


def test_an_address_cannot_begin_a_line_of_its_own(log: Log, browser: Browser) -> None:
    browser.get("/login%0Aroot%20logged%20in/")

    assert [line["path"] for line in log.lines("pbxsite.logs")] == [
        "/login%0Aroot%20logged%20in/"
    ]


def test_a_login_is_followed_into_the_worker(
    log: Log,
    two_factor: AuthenticationSettings,
    configure: SettingsSetter,
    user: PbxUser,
    browser: Browser,
) -> None:
    words = {"login": "anna", "password": PASSWORD}
    browser.post("/login/", words, headers={"X-Request-ID": NAME})
    login = LoginSession.objects.get()
    with smtp_server(security="none", credentials=None) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()

    (held,) = log.lines("verification.approval.flows")
    sent = log.lines("verification.mail.sending")[-1]
    assert held["login"] == sent["login"] == str(login.public_id)
    assert held["request"] == sent["request"] == NAME
    assert "login_held" in held["message"]
    assert sent["message"].endswith("the server took it")


def test_a_failed_delivery_names_login_and_code(
    log: Log, held: LoginSession, configure: SettingsSetter
) -> None:
    refusal = "450 4.2.1 <anna@example.com> is busy"
    with smtp_server(
        security="none", credentials=None, refuse_recipient=refusal
    ) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()

    line = log.lines("verification.mail.sending")[-1]
    assert line["message"].endswith("not sent (rcpt_to 450)")
    assert line["login"] == str(held.public_id)
    assert "anna@example.com" not in json.dumps(log.lines("verification"))


def test_the_log_of_a_whole_login_holds_no_secret(
    log: Log,
    two_factor: AuthenticationSettings,
    configure: SettingsSetter,
    settings: Any,
    start: Starter,
    browser: Browser,
) -> None:
    settings.METRICS_KEY = "a long key for scrapes"
    with smtp_server() as server:
        configure(
            smtp_server=server.host,
            smtp_port=server.port,
            smtp_security="starttls",
            smtp_username=CREDENTIALS[0],
            smtp_password=CREDENTIALS[1],
            smtp_ca_certificate=server.ca_pem,
            netlogon_bind_password="the service account's password",
            oauth2_client_secret="the client's secret",
        )
        start(browser, password="a wrong password 1")
        start(browser)
        sending.deliver_due()
        assert server.mails
    login = LoginSession.objects.get()
    token, code = link_token(login), approval_code(login)
    other = Browser()
    other.get(f"{LINK}?id={token}")
    decision = {"decision": "accept", "code": code}
    other.post(f"{LINK}?id={token}", decision)
    waiting = browser.session.session_key
    browser.post("/login/waiting/continue/")
    key = "Bearer a long key for scrapes"
    browser.get("/metrics", headers={"Authorization": key, "X-Forwarded-For": "::1"})
    assert browser.get("/account/").status_code == 200

    secrets = [
        *(PASSWORD, "a wrong password 1", CREDENTIALS[1], settings.METRICS_KEY),
        *("the service account's password", "the client's secret"),
        *(token, waiting, browser.session.session_key),
        *(cookie.value for cookie in browser.cookies.values()),
        *(settings.SECRET_KEY, login.auth_hash),
    ]
    assert log.lines("verification.approval.flows")
    for secret in filter(None, secrets):
        assert secret not in log.text
    words = [line["message"] for line in log.lines()]
    assert not any(re.search(rf"\b{code}\b", message) for message in words)
    assert OutgoingEmail.objects.get().state == "sent"


def test_the_web_server_logs_no_query_string() -> None:
    """As uvicorn has it with --no-access-log, before it loads this site."""
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False

    dictConfig(LOGGING)

    assert not access.hasHandlers()
    assert logging.getLogger("uvicorn.error").hasHandlers()


@pytest.mark.long
@pytest.mark.browser
def test_web_server_and_worker_of_a_running_site_log_as_told(tmp_path: Path) -> None:
    with running_site(tmp_path, LOG_FORMAT="json") as site:
        link = f"{site.url}/PBX0/session.xml?id=a-secret-{NAME}"
        requests.get(link, headers={"X-Request-ID": NAME}, timeout=30)
        link = f"verification_link={site.url}/PBX0/session.xml"
        site.manage("authconfig", "set", link, "two_factor=on", "--test=a@b.example")
        with requests.Session() as browser:
            browser.headers.update({"Origin": site.url, "X-Request-ID": "login-0815"})
            page = browser.get(f"{site.url}/login/", timeout=30).text
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
            assert token
            words = {"login": "admin", "password": ADMIN_PASSWORD}
            words["csrfmiddlewaretoken"] = token[1]
            browser.post(f"{site.url}/login/", words, timeout=30)
        site.new_mail(seen=1)
        logs = site.data_dir / "log"
        await_words(logs / "worker.log", "the server took it")
        web, worker = (
            (logs / f"{name}.log").read_text() for name in ("web-server", "worker")
        )

    assert f'"request": "{NAME}"' in web
    assert "a-secret" not in web
    (sent,) = [json.loads(x) for x in worker.splitlines() if "took it" in x]
    (held,) = [json.loads(x) for x in web.splitlines() if "login_held" in x]
    assert sent["request"] == held["request"] == "login-0815"
    assert sent["login"] == held["login"]


def await_words(file: Path, words: str) -> None:
    limit = time.monotonic() + 10
    while words not in file.read_text():
        assert time.monotonic() < limit, file.read_text()
        time.sleep(0.1)


def _record(message: str, **facts: Any) -> logging.LogRecord:
    try:
        raise ValueError("nobody home")
    except ValueError:
        error = sys.exc_info()
    made = logging.makeLogRecord({"msg": message, "name": "a", "exc_info": error})
    for name, said in facts.items():
        setattr(made, name, said)
    return made


def test_a_traceback_stays_on_its_own_line_of_json() -> None:
    line = JsonFormatter().format(_record("two\nlines", login_id="7"))

    assert "\n" not in line
    read = json.loads(line)
    assert read["message"] == "two\nlines"
    assert "nobody home" in read["exception"]
    assert read["login"] == "7"


def test_people_read_the_names_at_the_end_of_the_line() -> None:
    formatter = TextFormatter("{message}", style="{")

    text = formatter.format(_record("It failed", request_id="r-1", login_id="l-2"))

    assert text.splitlines()[0] == "It failed [request=r-1 login=l-2]"
    assert formatter.format(_record("It failed")).splitlines()[0] == "It failed"


@pytest.fixture
def limited() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    log, stream = logging.getLogger("told.often"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepetitionFilter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield log, stream
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


Limited = tuple[logging.Logger, io.StringIO]


def test_a_warning_that_comes_again_and_again_fills_no_disk(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, stream = limited
    for _ in range(1000):
        log.error("out of open files")
    log.error("something else")
    monkeypatch.setattr(logs, "REPETITION_SECONDS", -1.0)
    log.error("out of open files")

    lines = stream.getvalue().splitlines()
    assert len(lines) == logs.MOST_REPETITIONS + 2
    assert lines[-2:] == ["something else", "out of open files (and 950 times more)"]


def test_one_sentence_about_many_things_is_one(limited: Limited) -> None:
    log, stream = limited
    for number in range(100):
        log.warning("mail %s: not sent", number)

    assert len(stream.getvalue().splitlines()) == logs.MOST_REPETITIONS


def test_requests_are_told_however_many(limited: Limited) -> None:
    log, stream = limited
    for _ in range(100):
        log.info("GET /login/: 200")

    assert len(stream.getvalue().splitlines()) == 100


def test_the_limit_itself_keeps_few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_SENTENCES", 10)
    repetition = RepetitionFilter()

    for number in range(100):
        repetition.filter(logging.makeLogRecord({"msg": f"{number}", "levelno": 40}))

    assert len(repetition._seen) <= 12


def test_what_the_site_says_is_limited() -> None:
    words = """
from logging import config, getLogger
from pbxsite.logs import configuration
config.dictConfig(configuration("INFO", "text"))
for _ in range(100): getLogger("a").error("out of open files")
"""
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True)

    assert said.stderr.count("out of open files") == logs.MOST_REPETITIONS
