from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded.mailbox import KeepEveryMail


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"

    first = embedded.prepare(data_dir).read_text()
    second = embedded.prepare(data_dir).read_text()

    assert first == second
    assert len(embedded.remembered(data_dir / "site.env")["SECRET_KEY"]) >= 64
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "site.env").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in data_dir.iterdir()) == ["site.env", "static"]


def test_what_an_older_release_left_open_is_closed(tmp_path: Path) -> None:
    embedded.prepare(tmp_path)
    lock, mailbox = tmp_path / "site.lock", tmp_path / "mailbox"
    lock.touch()
    mailbox.mkdir()
    lock.chmod(0o644)
    mailbox.chmod(0o755)
    own = tmp_path / "notes.txt"
    own.touch()
    own.chmod(0o644)

    embedded.prepare(tmp_path)

    modes = [path.stat().st_mode & 0o777 for path in (lock, mailbox, own)]
    assert modes == [0o600, 0o700, 0o644]


def test_remembering_changes_its_own_lines_alone(tmp_path: Path) -> None:
    path = tmp_path / "site.env"
    path.write_text("# mine\nTIME_ZONE=Europe/Berlin\nSITE_URL=old\n")

    embedded.remember(path, {"SITE_URL": "new", "PORT": "1"})

    assert path.read_text() == "# mine\nTIME_ZONE=Europe/Berlin\nSITE_URL=new\nPORT=1\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_long_directory_gets_a_short_private_socket(tmp_path: Path) -> None:
    socket = embedded.redis_socket(tmp_path / ("x" * 120))

    assert len(str(socket)) < embedded.MAX_SOCKET_PATH
    assert socket == embedded.redis_socket(tmp_path / ("x" * 120))
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    socket.parent.rmdir()


def test_directory_that_a_url_would_quote_gets_a_plain_socket(tmp_path: Path) -> None:
    socket = embedded.redis_socket(tmp_path / "ä b#%20")

    assert embedded.redis_url(tmp_path / "ä b#%20") == f"unix://{socket}"
    assert quote(str(socket)) == str(socket)
    socket.parent.rmdir()


def test_short_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    directory = embedded.redis_socket(tmp_path / ("y" * 120)).parent
    directory.chmod(0o755)

    with pytest.raises(PermissionError, match="not a private directory"):
        embedded.redis_socket(tmp_path / ("y" * 120))

    directory.rmdir()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB, which is full."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount")
    with suppress(OSError), (place / "filling").open("wb") as filling:
        filling.write(bytes(2**20))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_line_and_keeps_no_drafts(small_disk: Path) -> None:
    with pytest.raises(SystemExit, match=f"DATA_DIR {small_disk}: No space left"):
        embedded.prepare(small_disk)

    assert not list(small_disk.glob(".site.env.*"))

    (small_disk / "filling").unlink()
    assert "SECRET_KEY" in embedded.prepare(small_disk).read_text()


def test_a_full_disk_keeps_no_half_mail_in_the_mailbox(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        KeepEveryMail(small_disk)._keep("name", b"a mail")

    assert [path.name for path in small_disk.iterdir()] == ["filling"]
