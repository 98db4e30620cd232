"""What a user saw, and what the site said of itself, while something was wrong."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import requests
from django.db import DatabaseError, connection

from pbxsite.administration.queue.report import queue_report

EVERY_SECONDS = 0.5
PATIENCE_SECONDS = 90
# Slower than this, a login is noticed.
SLOW_SECONDS = 1.0
# How long after the end of an outage its traces are looked for.
AFTER_SECONDS = 15.0
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
# A login that no e-mail has to approve.
LOGIN_PATH = "/mypbx/login/"
NAME, PASSWORD = "watcher", "a long password of the watcher's"


@dataclass(frozen=True)
class Seen:
    at: float
    seconds: float
    words: str

    @property
    def ended_at(self) -> float:
        return self.at + self.seconds


@dataclass
class Period:
    name: str
    began_at: float
    ended_at: float = 0.0


@dataclass
class Watch:
    """Logs in, asks /readyz and reads the findings, again and again, in threads."""

    url: str
    logins: list[Seen] = field(default_factory=list)
    readiness: list[Seen] = field(default_factory=list)
    findings: list[Seen] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)

    def __enter__(self) -> Watch:
        self._over = threading.Event()
        works = (
            (self.logins, self._log_in),
            (self.readiness, self._ask_readiness),
            (self.findings, self._read_findings),
        )
        self._threads = [
            threading.Thread(target=self._go, args=work, daemon=True) for work in works
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _go(self, seen: list[Seen], look: Callable[[], str]) -> None:
        while not self._over.wait(EVERY_SECONDS):
            at, begun = time.time(), time.monotonic()
            try:
                words = look()
            except requests.RequestException as error:
                words = type(error).__name__
            seen.append(Seen(at, time.monotonic() - begun, words))
        connection.close()

    def _log_in(self) -> str:
        with requests.Session() as session:
            session.trust_env = False
            address = f"{self.url}{LOGIN_PATH}"
            page = session.get(address, timeout=PATIENCE_SECONDS)
            found = TOKEN.search(page.text)
            if not found:
                return str(page.status_code)
            form = {"login": NAME, "password": PASSWORD}
            form["csrfmiddlewaretoken"] = found[1]
            answer = session.post(
                address, form, allow_redirects=False, timeout=PATIENCE_SECONDS
            )
            return str(answer.status_code)

    def _ask_readiness(self) -> str:
        answer = requests.get(f"{self.url}/readyz", timeout=PATIENCE_SECONDS)
        return f"{answer.status_code} {answer.text.strip()}"

    @staticmethod
    def _read_findings() -> str:
        try:
            return " / ".join(str(each.sentence) for each in queue_report().findings)
        except DatabaseError:
            connection.close()
            return "the page answers 503"

    def report(self, delays: Mapping[float, float]) -> Iterator[str]:
        """`delays`: of each mail when it was queued, and for how long it waited."""
        for name, periods in self._kinds().items():
            lasted = sum(period.ended_at - period.began_at for period in periods)
            yield f"{name} ({len(periods)}), {lasted:.0f} s"
            yield f"    logins: {self._login_words(periods)}"
            yield f"    e-mails: {_mail_words(periods, delays)}"
            for page, seen in (("readyz", self.readiness), ("overview", self.findings)):
                for words in dict.fromkeys(_within(periods, seen)):
                    yield f"    {page}: {words or 'all is well'}"

    def _kinds(self) -> dict[str, list[Period]]:
        kinds: dict[str, list[Period]] = {}
        for period in self.periods:
            kinds.setdefault(period.name, []).append(period)
        return kinds

    def _login_words(self, periods: list[Period]) -> str:
        meanwhile = [
            (period, login)
            for period in periods
            for login in self.logins
            if _meets(period, login, self._traced_until(period))
        ]
        bad = [(period, login) for period, login in meanwhile if is_bad(login)]
        slowest = max((login.seconds for _, login in meanwhile), default=0.0)
        words = f"{len(meanwhile)}, slowest {slowest:.1f} s"
        if not bad:
            return f"{words}, none failed or was slow"
        answers = ", ".join(sorted({login.words for _, login in bad}))
        right = max(0.0, *(login.ended_at - period.ended_at for period, login in bad))
        return f"{words}, {len(bad)} bad ({answers}), right {right:.1f} s after the end"

    def _traced_until(self, period: Period) -> float:
        """Look for its traces until the next one begins."""
        begun = [each.began_at for each in self.periods]
        later = [began_at for began_at in begun if began_at > period.began_at]
        return min([period.ended_at + AFTER_SECONDS, *later])


def is_bad(login: Seen) -> bool:
    return login.words != "302" or login.seconds > SLOW_SECONDS


def _meets(period: Period, seen: Seen, until: float) -> bool:
    return seen.ended_at >= period.began_at and seen.at <= until


def _within(periods: list[Period], seen: list[Seen]) -> Iterator[str]:
    """Yield the words of whole looks between its beginning and its end."""
    for each in seen:
        if any(period.began_at <= each.at <= period.ended_at for period in periods):
            yield each.words


def _mail_words(periods: list[Period], delays: Mapping[float, float]) -> str:
    """Tell of the mails that waited while it was on, and how long after its end."""
    left = [
        at + waited - period.ended_at
        for period in periods
        for at, waited in delays.items()
        if at <= period.ended_at and at + waited >= period.began_at
    ]
    if not left:
        return "none was waiting"
    after = sorted(seconds for seconds in left if seconds > 0)
    words = f"{len(left)} waited, {len(left) - len(after)} taken meanwhile"
    if not after:
        return words
    return (
        f"{words}, the others {median(after):.1f} s (half) and {after[-1]:.1f} s (all)"
        " after the end"
    )


def show(watch: Watch, journal: Path, queued_at: Mapping[str, float]) -> None:
    delays: dict[float, float] = {}
    for line in journal.read_text().splitlines():
        at, _message_id, recipient = line.split(" ", 2)
        began_at = queued_at[recipient]
        delays.setdefault(began_at, float(at) - began_at)
    sys.stdout.write("\n".join(watch.report(delays)) + "\n")
