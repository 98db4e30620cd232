"""Drives a site from within its own tree, by what every commit of it offers.

That is its commands, its addresses and what it asks the workers to do. It reads lines
of JSON, [NAME, ARGUMENTS], and answers each with a line of JSON.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
import time
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import django
from celery import Task
from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.test import Client as Browser

PASSWORD = "correct horse battery"
LISTS = {"users": "pbxuser", "events": "auditevent"}


class Driver:
    def __init__(self) -> None:
        self.wakings: list[Any] = []
        self.browsers: dict[str, Browser] = {}

    def manage(self, *words: str, stdin: str = "") -> None:
        command = import_module("django.core.management").call_command
        with mock.patch.object(sys, "stdin", io.StringIO(stdin)):
            command(*words, stdout=io.StringIO(), stderr=io.StringIO())

    def has_setting(self, name: str) -> bool:
        settings_model = apps.get_model("authconfig", "AuthenticationSettings")
        return name in {field.name for field in settings_model._meta.get_fields()}

    def add_users(self, names: list[str]) -> None:
        for name in names:
            words = ("pbxusers", "add", name, f"--email={name}@example.com")
            self.manage(*words, "--password-stdin", stdin=f"{PASSWORD}\n")

    def sign_in(self, name: str, times: int) -> list[str]:
        """Log in so often for forward authentication; return each session's cookie."""
        client = _model("ClientApplication")
        client._default_manager.get_or_create(slug="myapps", name="myApps")
        return [_cookie(_logged_in(name)) for _ in range(times)]

    def open_lists(self, name: str, rows: int, times: int) -> dict[str, Any]:
        """Open the two longest lists with so many rows; return each one's figures."""
        browser = _logged_in(name)
        self._import(rows)
        menu = browser.get("/admin/").content.decode()
        paths = {
            key: re.findall(rf'"(/admin/\w+/{model}/)"', menu)[0]
            for key, model in LISTS.items()
        }
        return {key: _opened(browser, path, times) for key, path in paths.items()}

    def _import(self, rows: int) -> None:
        """Import users; each is an event of the audit log as well."""
        lines = [f"u{n:03},Number {n} of,u{n}@example.com,{n},1" for n in range(rows)]
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("\n".join(["name,long_name,email,number,active", *lines]))
            file.flush()
            self.manage("pbxusers", "import", file.name)

    def hold(self, names: list[str]) -> dict[str, Any]:
        """Log in as each and let the logins wait.

        No worker is woken, and none that looks by itself sends a mail yet.
        """
        _model("SendingPause")._default_manager.get_or_create(pk=1)
        browsers = {name: Browser() for name in names}
        self.browsers |= browsers
        wake = Task.apply_async

        def keep(task: Task[..., Any], *words: Any, **options: Any) -> None:
            self.wakings.append(partial(wake, task, *words, **options))

        with mock.patch.object(Task, "apply_async", keep):
            began, cpu_began = time.perf_counter(), time.process_time()
            for name, browser in browsers.items():
                answer = browser.post("/login/", {"login": name, "password": PASSWORD})
                assert answer.headers["Location"] == "/login/waiting/", answer.content
            seconds = time.perf_counter() - began
            cpu = time.process_time() - cpu_began
        cookies = {name: _cookie(browser) for name, browser in browsers.items()}
        return {"seconds": seconds, "cpu_seconds": cpu, "cookies": cookies}

    def wake(self) -> None:
        """Have the workers send what waits, as the last login would have."""
        _model("SendingPause")._default_manager.all().delete()
        self.wakings[-1]()
        self.wakings.clear()

    def waiting_page(self, name: str) -> dict[str, str]:
        """Return what the page of a login that waits tells the browser."""
        page = self.browsers[name].get("/login/waiting/").content.decode()
        code = re.search(r'id="approval-code"[^>]*>(.*?)</', page, re.DOTALL)
        events = re.search(r'data-events-url="([^"]+)"', page)
        assert code, page
        assert events, page
        return {"code": re.sub(r"\D", "", code[1]), "events": events[1]}

    def accept(self, decisions: list[list[str]], pause: float) -> list[float]:
        """Accept a login by its mail's link and its page's code, one after the other.

        Return when each was begun, by the clock that is one for the whole machine.
        """
        begun = []
        for link, code in decisions:
            path = urlsplit(link)
            begun.append(time.monotonic())
            values = {"code": code, "decision": "accept"}
            answer = Browser().post(f"{path.path}?{path.query}", values)
            assert answer.status_code == 200, answer.content
            time.sleep(pause)
        return begun


def _model(name: str) -> type[Model]:
    """Return the model that each commit has in another application."""
    [found] = [model for model in apps.get_models() if model.__name__ == name]
    return found


def _logged_in(name: str) -> Browser:
    browser = Browser()
    answer = browser.post("/login/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return browser


def _cookie(browser: Browser) -> str:
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={browser.cookies[name].value}"


def _opened(browser: Browser, path: str, times: int) -> dict[str, float]:
    browser.get(path)
    seconds = []
    for _ in range(times):
        began = time.process_time()
        answer = browser.get(path)
        seconds.append(time.process_time() - began)
        assert answer.status_code == 200, answer.content
    return {"bytes": len(answer.content), "cpu_seconds": median(seconds)}


def main() -> None:
    cheap = "tests.harnesses.bench.beside.cheap_settings"
    os.environ["DJANGO_SETTINGS_MODULE"] = cheap
    django.setup()
    driver = Driver()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(getattr(driver, name)(*arguments)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
