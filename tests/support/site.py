"""A whole site as `make run` runs it, and real browsers to use it with."""

from __future__ import annotations

import email
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Playwright, expect

from tests.support.commands import Commands
from tests.support.services import ROOT

ADMIN_PASSWORD = "a long administrator's password"
USER_PASSWORD = "a long user's password"
START_LIMIT_SECONDS = 180
# As patient on a busy machine as with what pages do.
expect.set_options(timeout=15_000)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What the tests' own services set, or what would make the site another one.
NOT_FOR_SITES = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "SITE_URL",
    "ALLOWED_HOSTS",
    "DJANGO_SETTINGS_MODULE",
    "DATA_DIR",
    "TEST_SERVICES",
)
# These may change the settings, and each process of the site uses a copy for so long.
CHANGES_SETTINGS = ("authconfig", "shell")
COPY_SECONDS = 1.0
# What runs a site as `manage.py runsite` does, and commands beside it at once.
COPIED_SITE = [sys.executable, "-u", "-m", "tests.support.copied_site"]


@dataclass(frozen=True)
class Site:
    url: str
    data_dir: Path
    environment: dict[str, str]
    commands: Commands

    def manage(self, *words: str, stdin: str = "") -> str:
        """Run a management command beside the site and return what it printed."""
        done = self.commands.run(*words, stdin=stdin)
        assert done.code == 0, done.stdout + done.stderr
        if words[0] in CHANGES_SETTINGS:
            time.sleep(COPY_SECONDS)
        return done.stdout

    def add_user(self, name: str, *options: str, password: str = USER_PASSWORD) -> None:
        add = ("pbxusers", "add", name, *options, "--password-stdin")
        self.manage(*add, stdin=f"{password}\n")

    def add_users(self, names: Iterable[str], *options: str) -> None:
        """Add users who get their e-mails at example.com."""
        for name in names:
            self.add_user(name, f"--email={name}@example.com", *options)

    def switch_two_factor_on(self) -> None:
        link = f"verification_link={self.url}/PBX0/session.xml"
        words = ("two_factor=on", link, "--test", "admin@example.com")
        self.manage("authconfig", "set", *words)

    def mails(self) -> list[EmailMessage]:
        files = sorted((self.data_dir / "mailbox").glob("*.eml"))
        read = [email.message_from_bytes(f.read_bytes(), policy=default) for f in files]
        return [mail for mail in read if isinstance(mail, EmailMessage)]

    def new_mail(self, seen: int, limit_seconds: float = 15) -> EmailMessage:
        """Wait for the mail after the first `seen` ones."""
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            mails = self.mails()
            if len(mails) > seen:
                return mails[seen]
            time.sleep(0.02)
        raise TimeoutError("no e-mail came")


def link_in(mail: EmailMessage) -> str:
    text = mail.get_body(("plain",))
    assert text
    found = re.search(r"https?://\S+/PBX0/session\.xml\?id=\S+", text.get_content())
    assert found
    return found[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_site(
    data_dir: Path, host: str = "127.0.0.1", **settings: str
) -> Iterator[Site]:
    """Run a site until the block ends.

    `host` is a name for this machine; `settings` are environment variables.
    """
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if k not in NOT_FOR_SITES}
    environment = kept | {
        "PORT": str(port),
        "DATA_DIR": str(data_dir),
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "SITE_URL": f"http://{host}:{port}",
        "DJANGO_SETTINGS_MODULE": "tests.support.site_settings",
        **settings,
    }
    if not data_dir.exists() or not any(data_dir.iterdir()):
        bring_tables(data_dir)
    ours, theirs = socket.socketpair()
    program = [*COPIED_SITE, f"--commands={theirs.fileno()}"]
    process = subprocess.Popen(
        [*program, f"--parent={os.getpid()}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    commands = Commands(ours)
    try:
        _await_ready(process)
        yield Site(environment["SITE_URL"], data_dir, environment, commands)
    finally:
        commands.end()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout:
            process.stdout.close()


def bring_tables(data_dir: Path) -> None:
    """Give a new site a database whose tables are made already."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(empty_database(), data_dir / "db.sqlite3")


def empty_database() -> Path:
    """Return a file with every table, made once for all processes of the tests."""
    directory = Path(os.environ.get("TEST_SERVICES") or os.environ["DATA_DIR"])
    place = directory / "empty-site"
    made = place / "made"
    with (directory / "empty-site.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not made.exists():
            kept = {k: v for k, v in os.environ.items() if k not in NOT_FOR_SITES}
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity=0"],
                cwd=ROOT,
                env=kept | {"DATA_DIR": str(place)},
                check=True,
                timeout=600,
            )
            made.touch()
    return place / "db.sqlite3"


def _await_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    deadline, lines = time.monotonic() + START_LIMIT_SECONDS, []
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        lines.append(line)
        if line.startswith("Ready:"):
            return
        if not line:
            break
    raise RuntimeError("the site did not start: " + "".join(lines))


def launch(playwright: Playwright, *flags: str) -> Browser:
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    return playwright.chromium.launch(
        executable_path=found, args=[*CHROMIUM_FLAGS, *flags]
    )


def log_in(page: Page, site: Site, name: str, password: str, path: str = "") -> None:
    page.goto(f"{site.url}{path or '/login/'}")
    page.fill('input[name="login"]', name)
    page.fill('input[name="password"]', password)
    page.click('button[type="submit"]:not([data-toggle-password])')


Scheme = Literal["light", "dark"]
VARIANTS: tuple[tuple[Scheme, int], ...] = (
    *(("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)),
)


# The admin's theme asks for the scheme once, when a page is opened; and a colour on its
# way from light to dark is no colour of the page.
SCHEME = """scheme => {
    document.documentElement.classList.toggle('dark', scheme === 'dark');
    document.getAnimations().forEach(
        each => each instanceof CSSTransition && each.finish());
}"""


def show(page: Page, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(SCHEME, scheme)


def look(
    page: Page,
    name: str,
    variants: Iterable[tuple[Scheme, int]] = VARIANTS,
    part: str = "html",
) -> None:
    """Keep pictures for whoever wants to look: LOOKS names a folder."""
    folder = os.environ.get("LOOKS")
    if not folder:
        return
    for scheme, width in variants:
        page.set_viewport_size({"width": width, "height": 900})
        show(page, scheme)
        path = Path(folder) / f"{name}-{scheme}-{width}.png"
        if part == "html":
            page.screenshot(path=path, full_page=True)
        else:
            page.locator(part).screenshot(path=path)
    page.set_viewport_size({"width": 1280, "height": 900})
