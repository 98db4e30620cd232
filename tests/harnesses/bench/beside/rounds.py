"""What is measured of a site, once: logins, mails, browsers that wait."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median, quantiles
from urllib.parse import urlencode

from tests.harnesses.bench.beside.driver import PASSWORD
from tests.harnesses.bench.beside.stand import LINK, Stand
from tests.harnesses.bench.forward import OURS as FORWARD_AUTHENTICATION
from tests.harnesses.bench.forward import measure as asked
from tests.harnesses.bench.usage import cpu_seconds, memory_kib
from tests.harnesses.bench.waiters import next_told, waiting_browsers

LOGINS, AT_ONCE, WARM_UP_LOGINS = 40, 2, 4
# One page of a list.
LIST_ROWS, LIST_TIMES = 100, 20
BROWSERS = 1000
DECISIONS, SECONDS_BETWEEN = 200, 0.02
# Opened, and closed again, so that the server has paid what it pays once.
WARM_UP = 50
HEADERS = {"Host": "127.0.0.1", "Content-Type": "application/x-www-form-urlencoded"}
Values = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """A row of the table; of some values less is better."""

    unit: str
    words: str


KINDS = {
    "logins": Kind("1/s", "logins per second"),
    "login_cpu": Kind("ms", "processor time of a login (less is better)"),
    "asked": Kind("1/s", "forward authentication, answers per second"),
    "held": Kind("1/s", "logins held per second, without the password's hash"),
    "held_cpu": Kind("ms", "processor time of a held login (less is better)"),
    "mails": Kind("1/s", "mails per second"),
    "mail_cpu": Kind("ms", "the worker's processor time of a mail (less is better)"),
    "opened": Kind("1/s", f"{BROWSERS} waiting browsers: opened per second"),
    "browser_cpu": Kind(
        "ms", f"{BROWSERS} waiting browsers: processor time each (less is better)"
    ),
    "memory": Kind("KiB", f"{BROWSERS} waiting browsers: memory each (less is better)"),
    "users_bytes": Kind("KB", "list of 100 users: HTML (less is better)"),
    "users_cpu": Kind("ms", "list of 100 users: processor time (less is better)"),
    "events_bytes": Kind("KB", "list of 100 events: HTML (less is better)"),
    "events_cpu": Kind("ms", "list of 100 events: processor time (less is better)"),
    "p50": Kind(
        "ms", f"{BROWSERS} waiting browsers: decision to event, median (less is better)"
    ),
    "p99": Kind(
        "ms", f"{BROWSERS} waiting browsers: decision to event, p99 (less is better)"
    ),
}


def logins(site: Stand, name: str) -> Values:
    """Log in by HTTP, some at once, each as a browser without cookies."""
    with site.web() as (pid, port), ThreadPoolExecutor(AT_ONCE) as pool:
        _log_in(port, name, WARM_UP_LOGINS)
        began, cpu_began = time.perf_counter(), cpu_seconds(pid)
        count = LOGINS // AT_ONCE
        shares = [pool.submit(_log_in, port, name, count) for _ in range(AT_ONCE)]
        for share in shares:
            share.result()
        seconds = time.perf_counter() - began
        cpu = cpu_seconds(pid) - cpu_began
    return {"logins": LOGINS / seconds, "login_cpu": 1000 * cpu / LOGINS}


def _log_in(port: int, name: str, count: int) -> None:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    server.request("GET", "/login/", headers={"Host": "127.0.0.1"})
    page = server.getresponse()
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    found = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode()
    )
    assert found
    values = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": found[1]}
    body = urlencode(values)
    for _ in range(count):
        server.request("POST", "/login/", body, HEADERS | {"Cookie": cookie})
        answer = server.getresponse()
        text = answer.read()
        assert answer.status == 302, (answer.status, text)
    server.close()


def forward_authentication(site: Stand, cookies: list[str]) -> Values:
    with site.web() as (_pid, port):
        return {"asked": asked(port, FORWARD_AUTHENTICATION, cookies)["rate"]}


def lists(site: Stand, name: str) -> Values:
    found: Values = {}
    opened = site.drive("open_lists", name, LIST_ROWS, LIST_TIMES)
    for key, figures in opened.items():
        found[f"{key}_bytes"] = figures["bytes"] / 1000
        found[f"{key}_cpu"] = 1000 * figures["cpu_seconds"]
    return found


@dataclass
class Held:
    """Logins of a site that wait: each user's cookie, and the link of the mail."""

    cookies: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def mails(held: dict[str, Held], names: list[str], site: Stand) -> Values:
    """Hold a login for each, and send the mails; `held` takes them, by site."""
    found = site.drive("hold", names)
    site.sink.tell({"count": len(names), "pid": site.worker.pid})
    site.drive("wake")
    sent = site.sink.hear()
    held[site.name].cookies |= found["cookies"]
    held[site.name].links |= _links(sent["mails"])
    return {
        "held": len(names) / found["seconds"],
        "held_cpu": 1000 * found["cpu_seconds"] / len(names),
        "mails": (len(names) - 1) / sent["seconds"],
        "mail_cpu": 1000 * sent["cpu_seconds"] / (len(names) - 1),
    }


def _links(mails: list[str]) -> dict[str, str]:
    """Return the link of each user's mail."""
    found = {}
    for mail in mails:
        data = mail.encode("utf-8", "surrogateescape")
        message = email.message_from_bytes(data, policy=email.policy.default)
        name = message["To"].addresses[0].username
        body = message.get_body(("plain",))
        assert body
        link = re.search(re.escape(LINK) + r"\?id=\S+", body.get_content())
        assert link, mail
        found[name] = link[0]
    return found


def waiting(held: dict[str, Held], site: Stand) -> Values:
    """Wait with a browser for each of the site's logins, and decide some."""
    cookies, links = held[site.name].cookies, held[site.name].links
    numbered = dict(enumerate(cookies.values()))
    chosen = dict(list(enumerate(cookies))[:: len(cookies) // DECISIONS])
    pages = {
        number: site.drive("waiting_page", name) for number, name in chosen.items()
    }
    decisions = [
        (links[name], pages[number]["code"]) for number, name in chosen.items()
    ]
    path = pages[0]["events"]
    with site.web() as (pid, port):
        words = (str(port), path)
        with waiting_browsers(words, dict(list(numbered.items())[:WARM_UP])):
            pass
        memory, cpu = memory_kib(pid), cpu_seconds(pid)
        began = time.perf_counter()
        with waiting_browsers(words, numbered) as browsers:
            seconds = time.perf_counter() - began
            cpu, memory = cpu_seconds(pid) - cpu, memory_kib(pid) - memory
            begun = site.drive("accept", decisions, SECONDS_BETWEEN)
            told = dict(next_told(browsers) for _ in chosen)
    begun_at = dict(zip(chosen, begun, strict=True))
    times = [1000 * (told[number] - begun_at[number]) for number in chosen]
    return {
        "opened": len(numbered) / seconds,
        "browser_cpu": 1000 * cpu / len(numbered),
        "memory": memory / len(numbered),
        "p50": median(times),
        "p99": quantiles(times, n=100)[98],
    }
