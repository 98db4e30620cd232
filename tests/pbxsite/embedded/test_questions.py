"""Commands that ask the running site, and what the site answers to none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

from pbxsite.embedded import asking, questions
from pbxsite.embedded.questions import Questions

Ask = Callable[..., subprocess.CompletedProcess[str]]


def say_it(argv: list[str]) -> None:
    os.write(1, f"the site says: {' '.join(argv)}\n".encode())
    sys.exit(7 if "--fault" in argv else 0)


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # A socket's path is short.
    with TemporaryDirectory() as place:
        monkeypatch.setattr(questions, "execute_from_command_line", say_it)
        yield Path(place)


@pytest.fixture
def ask(data_dir: Path) -> Iterator[Ask]:
    """Give a command beside a site that was set up with this environment."""

    def given(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), **environment}
        with subprocess.Popen(
            [sys.executable, "-X", "importtime", "manage.py", *words],
            cwd=settings.BASE_DIR,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            limit = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < limit:
                site.answer(0.05)
            out, errors = process.communicate(timeout=30)
        return subprocess.CompletedProcess(words, process.returncode, out, errors)

    with Questions(data_dir, {"LOG_LEVEL": "WARNING"}) as site:
        yield given


def test_the_site_answers_and_the_command_loads_nothing(ask: Ask) -> None:
    done = ask("queue", "--json")

    assert done.stdout == "the site says: manage.py queue --json\n"
    assert done.returncode == 0
    assert "django" not in done.stderr


def test_a_fault_of_the_command_is_its_exit_code(ask: Ask) -> None:
    assert ask("queue", "--fault").returncode == 7


def test_what_is_set_as_the_site_has_it_is_no_hindrance(ask: Ask) -> None:
    assert "the site says" in ask("queue", LOG_LEVEL="WARNING").stdout


def test_who_sets_the_site_up_otherwise_is_not_answered(ask: Ask) -> None:
    done = ask("queue", DATABASE_URL="nothing://")

    assert "the site says" not in done.stdout
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("environment", "is_answered"),
    [
        ({}, True),
        ({"LOG_LEVEL": "WARNING", "HOME": "/root", "DATA_DIR": "./var"}, True),
        ({"LOG_LEVEL": "DEBUG"}, False),
        ({"LANGUAGE_CODE": "de"}, False),
        ({"SECRET_KEY_FILE": "/another"}, False),
        ({"DJANGO_SETTINGS_MODULE": "tests.settings"}, False),
    ],
)
def test_another_site_is_another_environment(
    environment: dict[str, str], *, is_answered: bool
) -> None:
    site = Questions(Path("/nowhere"), {"LOG_LEVEL": "WARNING", "LANGUAGE_CODE": "en"})

    assert site._is_answered(["queue"], environment) == is_answered


@pytest.mark.parametrize(
    "words",
    [b"", b"?", b"?{", b"?[1]", b'?{"words": 1, "environment": {}}', b'?{"a": 1}'],
)
def test_a_question_that_is_none_ends_no_site(data_dir: Path, words: bytes) -> None:
    with Questions(data_dir, {}) as site, socket.socket(socket.AF_UNIX) as line:
        line.connect(str(data_dir / asking.NAME))
        line.sendall(words)
        line.shutdown(socket.SHUT_WR)

        site.answer(1)

        assert line.recv(16) in (b"", asking.REFUSED)


@pytest.mark.parametrize(
    "words",
    [
        ("pbxusers", "export"),
        ("authconfig", "set", "a=b"),
        ("migrate",),
        ("authconfig",),
    ],
)
def test_only_what_reads_is_asked(words: tuple[str, ...]) -> None:
    assert not asking.is_answered(words)


def test_nobody_listens_in_a_directory_of_a_long_name(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()

    with Questions(long, {}) as site:
        site.answer(0)

    assert list(long.iterdir()) == []


def test_no_socket_is_left_and_an_old_one_is_replaced(data_dir: Path) -> None:
    left = data_dir / asking.NAME
    left.touch()

    with Questions(data_dir, {}):
        assert left.is_socket()
        assert left.stat().st_mode & 0o077 == 0
    assert not left.exists()
