"""The README's first walk, with the time that each of its pages takes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import requests

LIMIT_SECONDS = 60
TENTH = 10
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
LINK = re.compile(r"https?://\S+/PBX0/session\.xml\?id=\S+")
SETTINGS = "/admin/authconfig/authenticationsettings/"


@dataclass
class Walk:
    """Each page is opened once in the walk's order, then nine times more."""

    url: str
    data_dir: Path
    name: str
    password: str
    first: dict[str, float] = field(default_factory=dict)
    tenth: dict[str, float] = field(default_factory=dict)

    def go(self, switch_on: Callable[[], object]) -> None:
        administrator, user = requests.Session(), requests.Session()
        pages = {"the admin's login": (requests.Session(), "/admin/")}
        self._open("the admin's login", *pages["the admin's login"])
        self._log_in(administrator, "/admin/")
        for name, path in (
            ("the administration", "/admin/"),
            ("Authentication", SETTINGS),
            ("the mailbox", "/mailbox/"),
        ):
            pages[name] = (administrator, path)
            self._open(name, *pages[name])
        # As the page would: it asks for a test first.
        switch_on()
        pages["the login"] = (requests.Session(), "/login/")
        self._open("the login", *pages["the login"])
        before = self._mails()
        self._log_in(user, "/login/")
        pages["the waiting page"] = (user, "/login/waiting/")
        self._open("the waiting page", *pages["the waiting page"])
        pages["the link"] = (requests.Session(), self._link(before))
        self._open("the link", *pages["the link"])
        for name, (browser, path) in pages.items():
            for _ in range(TENTH - 1):
                self.tenth[name] = self._time(browser, path)

    def _open(self, name: str, browser: requests.Session, path: str) -> None:
        self.first[name] = self._time(browser, path)

    def _time(self, browser: requests.Session, path: str) -> float:
        began = time.perf_counter()
        answer = browser.get(f"{self.url}{path}", timeout=LIMIT_SECONDS)
        taken = time.perf_counter() - began
        answer.raise_for_status()
        return 1000 * taken

    def _log_in(self, browser: requests.Session, path: str) -> None:
        page = browser.get(f"{self.url}{path}", timeout=LIMIT_SECONDS)
        found = TOKEN.search(page.text)
        assert found
        values = {"login": self.name, "password": self.password}
        answer = browser.post(
            page.url,
            values | {"csrfmiddlewaretoken": found[1]},
            headers={"Origin": self.url},
            timeout=LIMIT_SECONDS,
            allow_redirects=False,
        )
        assert answer.status_code == 302, answer.status_code

    def _mails(self) -> set[Path]:
        return set((self.data_dir / "mailbox").glob("*.eml"))

    def _link(self, before: set[Path]) -> str:
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            for file in self._mails() - before:
                mail = message_from_bytes(file.read_bytes(), policy=default)
                part = mail.get_body(("plain",))
                if part and (found := LINK.search(part.get_content())):
                    return found[0].removeprefix(self.url)
            time.sleep(0.02)
        raise TimeoutError("no e-mail with a link came")
