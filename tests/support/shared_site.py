"""One running site for many modules, each of which finds it as it began.

The start of a site takes longer than most of what a module does with it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from redis import Redis

from pbxsite.conf.databases import SQLITE_SECONDS
from pbxsite.embedded.data_dir import redis_url
from tests.support.site import COPY_SECONDS, Site, running_site

# A queue stays bound: the site's processes bind it once.
BINDINGS = b"_kombu.binding."
NUMBERS = "SELECT name, seq FROM sqlite_sequence"


class SharedSite:
    def __init__(self, site: Site) -> None:
        self.site = site
        self._database = site.data_dir / "db.sqlite3"
        self._beginning = site.data_dir / "beginning.sqlite3"
        _copy(self._database, self._beginning)

    def begin_anew(self) -> Site:
        """Take back what a module has left in the database, in Redis and as e-mails."""
        with closing(_connect(self._database)) as database:
            used = database.execute(NUMBERS).fetchall()
        _copy(self._beginning, self._database)
        self._go_on_counting(used)
        with Redis.from_url(redis_url(self.site.data_dir)) as redis:
            if left := [k for k in redis.scan_iter() if not k.startswith(BINDINGS)]:
                redis.delete(*left)
        for mail in (self.site.data_dir / "mailbox").glob("*"):
            mail.unlink()
        time.sleep(COPY_SECONDS)
        return self.site

    def _go_on_counting(self, used: list[tuple[str, int]]) -> None:
        """Give no row the number of another one that a process may remember."""
        with closing(_connect(self._database)) as database, database:
            database.execute("DELETE FROM sqlite_sequence")
            database.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", used)


@contextmanager
def shared_site(place: Path) -> Iterator[SharedSite]:
    """Run it; browsers make a passkey for a name alone."""
    with running_site(place, host="localhost", CONTACT_LINE="Extension 11") as site:
        yield SharedSite(site)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=SQLITE_SECONDS)


def _copy(source: Path, target: Path) -> None:
    with closing(_connect(source)) as read, closing(_connect(target)) as write:
        read.backup(write)
