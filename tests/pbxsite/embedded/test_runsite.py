"""The embedded mode as its owner knows it: a process, its output, its directory."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.conf import settings

from pbxsite.embedded import data_dir as embedded
from tests.support.site import bring_tables, free_port

pytestmark = pytest.mark.timeout(180)

PATIENCE_SECONDS = 90
PASSWORD_LINE = re.compile(
    r"^Administrator: admin, password: \S{12,} \(made up, shown this once\)$", re.M
)


@dataclass
class Site:
    """A `manage.py runsite` on a directory; it can be started again and again."""

    data_dir: Path
    program: Sequence[str] = (sys.executable, "manage.py", "runsite")
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def _output(self) -> Path:
        return self.data_dir.with_name(f"output-{self.starts}.txt")

    @property
    def env(self) -> dict[str, str]:
        place = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port)}
        return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | place

    def begin(self, **env: str) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                self.program,
                cwd=settings.BASE_DIR,
                env=self.env | env,
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=0o022,  # as most shells have it
            )
        return self.process

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        process = self.begin(**env)
        until(lambda: "Ready: " in self.output or process.poll() is not None)
        assert f"Ready: {self.url}\n" in self.output, self.output
        return process

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(self.url + path, timeout=10) as reply:  # noqa: S310
                return reply.status, reply.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def remembered(self) -> dict[str, str]:
        lines = (self.data_dir / "site.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.data_dir / "db.sqlite3")) as connection:
            return connection.execute(sql).fetchall()


def until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < limit, "this took too long"
        time.sleep(0.02)


def open_to_others(place: Path) -> list[Path]:
    every = [place, *place.rglob("*")]
    return [path for path in every if path.lstat().st_mode & 0o077]


def family_of(pid: int) -> dict[int, str]:
    """The living descendants of a process, with their names."""
    table = subprocess.check_output(["ps", "-eo", "pid=,ppid=,comm="], text=True)
    rows = [line.split(None, 2) for line in table.splitlines()]
    family: dict[int, str] = {}
    for process, parent, command in sorted(rows, key=lambda row: int(row[0])):
        if int(parent) == pid or int(parent) in family:
            family[int(process)] = command
    return family


def living(pids: dict[int, str]) -> list[str]:
    """Those that still run; one that nobody has buried yet does not."""
    table = subprocess.check_output(["ps", "-eo", "pid=,stat="], text=True)
    states = dict(line.split() for line in table.splitlines())
    return [name for pid, name in pids.items() if states.get(str(pid), "Z")[0] != "Z"]


@contextmanager
def ended(site: Site) -> Iterator[Site]:
    yield site
    if site.process:
        site.process.kill()
        site.process.wait()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Nothing but a directory that is not there yet: all is as on a first start."""
    with ended(Site(tmp_path / "data")) as site:
        yield site


def quick_site(data_dir: Path) -> Site:
    """A site for tests that are not about its tables."""
    bring_tables(data_dir)
    return Site(data_dir)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Site]:
    with ended(quick_site(tmp_path / "data")) as site:
        yield site


# To make every table takes longer than all the rest.
@pytest.mark.parametrize(
    "begun", ["quick", pytest.param("site", marks=pytest.mark.long)]
)
def test_site_runs_ends_and_goes_on_where_it_ended(
    begun: str, request: pytest.FixtureRequest
) -> None:
    site: Site = request.getfixturevalue(begun)
    process = site.start()
    password = PASSWORD_LINE.search(site.output)
    remembered = site.remembered()
    family = family_of(process.pid)
    accounts = site.query(
        "SELECT smtp_server, smtp_port FROM authconfig_authenticationsettings"
    )

    assert password
    assert site.get("livez")[0] == 200
    assert open_to_others(site.data_dir) == []
    assert len(family) >= 5
    assert accounts == [("127.0.0.1", int(remembered["MAILBOX_PORT"]))]

    process.terminate()

    assert process.wait(15) == 0
    assert living(family) == []

    process = site.start(ADMIN_USERNAME="another", ADMIN_PASSWORD="ignored")

    assert "password" not in site.output
    assert site.remembered() == remembered
    assert site.query("SELECT name, is_superuser FROM users_pbxuser") == [("admin", 1)]

    first = workers_of(process.pid)
    for pid in first:
        os.kill(pid, signal.SIGKILL)

    until(lambda: bool(workers_of(process.pid) - first))
    assert "The worker ended (exit code -9) and is started again." in site.output
    assert site.get("livez")[0] == 200

    family = family_of(process.pid)
    process.terminate()
    assert process.wait(15) == 0
    assert living(family) == []


def workers_of(pid: int) -> set[int]:
    return {each for each, name in family_of(pid).items() if name == "worker"}


@pytest.mark.long
def test_mail_to_the_mailbox_shows_up_and_links_stay_out_of_the_logs(
    quick: Site,
) -> None:
    process = quick.start()
    mail = EmailMessage()
    mail["From"], mail["To"] = "pbx@pbx.example", "anybody@example.com"
    mail["Subject"] = "Is it you?"
    mail.set_content(f"Please open {quick.url}PBX0/session.xml?id=abc123secret\n")
    port = int(quick.remembered()["MAILBOX_PORT"])
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.send_message(mail)

    status, page = quick.get("mailbox/")
    assert status == 200
    assert "Is it you?" in page

    quick.get("PBX0/session.xml?id=abc123secret")
    assert quick.get("livez")[0] == 200
    logs = [file.read_text() for file in (quick.data_dir / "log").iterdir()]
    assert "abc123secret" not in quick.output + "".join(logs)
    assert process.poll() is None


@pytest.mark.long
def test_other_commands_speak_to_the_running_site(quick: Site) -> None:
    process = quick.start(ADMIN_USERNAME="operator", ADMIN_PASSWORD="a long enough one")
    words = "from django.conf import settings; print(settings.SITE_URL)"
    env = {name: value for name, value in quick.env.items() if name != "PORT"}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", words]

    answer = subprocess.check_output(command, cwd=settings.BASE_DIR, env=env, text=True)

    assert answer.strip() + "/" == quick.url
    assert "Administrator: operator, password: as given\n" in quick.output
    assert "a long enough one" not in quick.output
    asked = [sys.executable, "-X", "importtime", "manage.py", "authconfig", "show"]
    shown = subprocess.run(
        asked, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True
    )
    assert "two_factor=off" in shown.stdout
    assert "django" not in shown.stderr, "it did not ask the site"
    for pid in (process.pid, *family_of(process.pid)):
        # Whoever has ended meanwhile holds nothing.
        with suppress(FileNotFoundError, ProcessLookupError):
            held = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"a long enough one" not in held


@pytest.mark.long
@pytest.mark.parametrize("hosts", ["*", ".example.com,127.0.0.1"])
def test_a_site_of_any_name_gets_ready(quick: Site, hosts: str) -> None:
    quick.start(ALLOWED_HOSTS=hosts)


@pytest.mark.long
def test_a_site_that_others_reach_keeps_its_mails_to_the_disk(quick: Site) -> None:
    quick.start(BIND="0.0.0.0")  # noqa: S104

    assert f"Mailbox: {quick.data_dir / 'mailbox'}\n" in quick.output
    assert quick.get("mailbox/")[0] == 404


@pytest.mark.long
def test_a_link_to_the_port_before_is_told_of_and_kept(quick: Site) -> None:
    link = f"{quick.url}PBX0/session.xml"
    quick.start().terminate()
    assert quick.process
    quick.process.wait(15)
    before, quick.port = quick.port, free_port()
    command = [sys.executable, "manage.py", "authconfig", "set"]
    subprocess.run(
        [*command, f"verification_link={link}"],
        cwd=settings.BASE_DIR,
        env=quick.env,
        check=True,
    )

    quick.start()

    assert f"Warning: The verification link leads to port {before}," in quick.output
    assert quick.query(
        "SELECT verification_link FROM authconfig_authenticationsettings"
    ) == [(link,)]


@pytest.mark.long
def test_second_start_on_a_directory_in_use_is_refused(quick: Site) -> None:
    process = quick.start()
    second = Site(quick.data_dir)
    second.starts = 10

    assert second.begin().wait(30) == 1
    assert "A site is running on" in second.output
    assert process.poll() is None
    assert quick.get("livez")[0] == 200


def test_taken_port_is_one_clear_line_and_nothing_starts(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)):
        assert site.begin().wait(30) == 1

    assert f"Port {site.port} on 127.0.0.1 cannot be used" in site.output
    assert site.output.count("\n") == 1
    assert not (site.data_dir / "db.sqlite3").exists()


@pytest.mark.long
def test_nobody_outlives_a_killed_site_even_in_a_long_odd_directory(
    tmp_path: Path,
) -> None:
    site = quick_site(tmp_path / f"ä b#%20{'x' * 100}")
    process = site.start()
    family = family_of(process.pid)

    process.kill()
    process.wait()

    assert family
    until(lambda: living(family) == [])
    shutil.rmtree(embedded.redis_socket(site.data_dir).parent)


@pytest.mark.long
def test_site_whose_parent_is_gone_ends_when_asked_to(quick: Site) -> None:
    command = f"{shlex.join(quick.program)} --parent $$ & echo $!; wait"
    shell = subprocess.Popen(
        ["sh", "-c", command],
        cwd=settings.BASE_DIR,
        env=quick.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout
    with shell.stdout as output:
        child = {int(output.readline()): "runsite"}

    shell.kill()
    shell.wait()

    until(lambda: living(child) == [])
