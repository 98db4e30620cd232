from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from pbxsite.embedded import mailbox_pages

LINK = "https://pbx.example/PBX0/session.xml?id=abc"
NAME = "20260102T030405.000006Z-00000000"


@pytest.fixture
def directory(settings: Settings, tmp_path: Path) -> Path:
    settings.EMBEDDED, settings.DATA_DIR = True, tmp_path
    (tmp_path / "mailbox").mkdir()
    return tmp_path / "mailbox"


def mail(subject: str = "Is it you?") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "pbx@pbx.example", "anna@example.com"
    message["Subject"] = subject
    message.set_content(f"Open {LINK} to decide. <b>&\n")
    message.add_alternative(
        f'<!doctype html><html><head><title>x</title></head><a href="{LINK}">Open</a>',
        subtype="html",
    )
    return message


@pytest.fixture
def kept(directory: Path) -> str:
    (directory / f"{NAME}.eml").write_bytes(mail().as_bytes())
    return NAME


@pytest.fixture
def smtp_port(directory: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    command = [sys.executable, "manage.py", "mailbox", "--port", str(port)]
    env = {"DATA_DIR": str(directory.parent)}
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=env)
    wait_for_smtp(port)
    yield port
    process.terminate()
    assert process.wait(10) == 0


def wait_for_smtp(port: int) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError


def send(port: int, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.send_message(message)


def test_mails_to_anybody_are_kept_whole_and_sort_by_time(
    directory: Path, smtp_port: int, client: Client
) -> None:
    for subject in ("first", "zweitens größer", "third"):
        send(smtp_port, mail(subject))

    names = sorted(path.name for path in directory.iterdir())
    page = client.get("/mailbox/").content.decode()
    subjects = [
        mailbox_pages.read_mail(directory / name).message["subject"] for name in names
    ]

    assert all(name.endswith(".eml") for name in names)
    assert subjects == ["first", "zweitens größer", "third"]
    assert page.index("third") < page.index("zweitens größer") < page.index("first")


def test_mail_that_cannot_be_kept_is_refused_for_now(
    directory: Path, smtp_port: int
) -> None:
    directory.rmdir()

    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(smtp_port, mail())

    assert refusal.value.smtp_code == 452


def test_list_names_subject_recipient_and_time(client: Client, kept: str) -> None:
    page = client.get("/mailbox/").content.decode()

    assert f'href="/mailbox/{kept}/"' in page
    assert "Is it you?" in page
    assert "anna@example.com" in page
    assert 'datetime="2026-01-02T03:04:05.000006+00:00"' in page


def test_mail_shows_its_text_with_the_link_to_click(client: Client, kept: str) -> None:
    page = client.get(f"/mailbox/{kept}/").content.decode()

    assert f'<a href="{LINK}"' in page
    assert "&lt;b&gt;&amp;" in page


def test_html_part_stands_in_a_box_that_can_do_nothing(
    client: Client, kept: str
) -> None:
    reply = client.get(f"/mailbox/{kept}/html/")
    policy = reply.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "allow-scripts" not in policy
    assert reply.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert '<head><base target="_top">' in reply.content.decode()


def test_page_of_a_mail_may_frame_this_site_alone(client: Client, kept: str) -> None:
    policy = client.get(f"/mailbox/{kept}/").headers["Content-Security-Policy"]

    assert "frame-src 'self'" in policy


def test_list_that_got_long_is_cut_and_says_so(
    client: Client, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_pages, "SHOWN_MAILS", 2)
    for day in (1, 2, 3):
        (directory / f"2026010{day}T030405.000006Z-0.eml").write_bytes(b"To: a\n\n")

    page = client.get("/mailbox/").content.decode()

    assert "20260101" not in page
    assert "One older e-mail is kept as a file only." in page


def test_files_that_the_mailbox_did_not_write_are_left_alone(
    client: Client, kept: str, directory: Path
) -> None:
    for name in ("note", "99999999T999999.000006Z-0", ".x", "2026"):
        (directory / f"{name}.eml").write_bytes(b"\xff\xfe")
    (directory / "folder.eml").mkdir()
    (directory / "README.txt").touch()

    page = client.get("/mailbox/").content.decode()

    assert page.count('href="/mailbox/') == 1
    assert client.get("/mailbox/note/").status_code == 404


def test_a_mail_in_an_unknown_charset_is_shown_as_it_came(
    client: Client, directory: Path
) -> None:
    header = b"Subject: Odd\nContent-Type: text/plain; charset=x-odd\n\n"
    (directory / f"{NAME}.eml").write_bytes(header + b"Hello there\n")

    assert "Hello there" in client.get(f"/mailbox/{NAME}/").content.decode()


@pytest.mark.parametrize(
    "name", ["..%2Fsite", "../site", "%2e%2e/site", "*", NAME[:-1] + "1", ".hidden"]
)
def test_only_what_the_mailbox_lists_is_opened(
    client: Client, kept: str, directory: Path, name: str
) -> None:
    (directory.parent / "site.eml").write_bytes(mail().as_bytes())

    assert client.get(f"/mailbox/{name}/").status_code == 404


PATHS = ["/mailbox/", f"/mailbox/{NAME}/", f"/mailbox/{NAME}/html/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_ADDR", "::ffff:192.0.2.7"),
        ("REMOTE_ADDR", ""),
        ("HTTP_X_FORWARDED_FOR", "127.0.0.1"),
        ("HTTP_X_FORWARDED_PROTO", "https"),
        ("HTTP_FORWARDED", "for=127.0.0.1"),
        ("HTTP_X_REAL_IP", "127.0.0.1"),
        ("HTTP_VIA", "1.1 proxy"),
    ],
)
def test_nobody_from_elsewhere_sees_a_mail(
    client: Client, kept: str, path: str, name: str, value: str
) -> None:
    assert client.get(path, **{name: value}).status_code == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]
)
def test_browsers_on_this_machine_see_mails_without_login(
    client: Client, kept: str, path: str, address: str
) -> None:
    reply = client.get(path, REMOTE_ADDR=address)

    assert reply.status_code == 200
    assert "no-store" in reply.headers["Cache-Control"]


@pytest.mark.parametrize("path", PATHS)
def test_site_with_a_real_database_has_no_mailbox(
    client: Client, kept: str, settings: Settings, path: str
) -> None:
    settings.EMBEDDED = False

    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITE_URL", "https://pbx.example"),
        ("SITE_URL", "http://192.0.2.7:8000"),
        ("BIND", "0.0.0.0"),  # noqa: S104
        ("BIND", "192.0.2.7"),
    ],
)
def test_a_site_that_others_reach_shows_its_mailbox_to_nobody(
    client: Client, kept: str, settings: Settings, path: str, name: str, value: str
) -> None:
    setattr(settings, name, value)

    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [("SITE_URL", "http://localhost:8000"), ("BIND", "::1"), ("BIND", "localhost")],
)
def test_other_names_of_this_machine_are_this_machine(
    client: Client, kept: str, settings: Settings, name: str, value: str
) -> None:
    setattr(settings, name, value)

    assert client.get("/mailbox/").status_code == 200
