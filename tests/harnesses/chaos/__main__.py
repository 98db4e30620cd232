"""Faults under load: `make chaos`, or by hand.

python -m tests.harnesses.chaos --seed 1 --mails 1000 --login xoauth2

PostgreSQL, Redis, the SMTP server and the site's processes are its own; PostgreSQL lies
on a small disk where one may be mounted. Exit status 1: the queue broke its promise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from random import Random

import django
from django.core.management import call_command

from tests.harnesses.chaos import faults
from tests.harnesses.chaos.outages import (
    CLUSTER,
    DemotedRedis,
    FullDisk,
    LockedDatabase,
    RefusingRedis,
    WrongClock,
    mount_small_disk,
    unmount,
)
from tests.harnesses.chaos.tokens import Provider
from tests.support.own_postgresql import OwnPostgreSQL
from tests.support.redis_servers import Redis
from tests.support.services import SITE

SMALL_LEASE = "15"


def main() -> int:
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="pbx-chaos-", dir="/tmp"))
    directory.chmod(0o755)
    redis, disk = Redis(directory), directory / "disk"
    is_small = mount_small_disk(disk)
    server = OwnPostgreSQL(disk)
    redis.start()
    try:
        server.start(**CLUSTER)
        prepare(directory, redis, server, small=options.mails < 200)
        full = FullDisk(server, disk) if is_small else None
        is_kept = go(options, directory, redis, full)
    finally:
        redis.go_on()
        redis.end()
        server.stop()
        unmount(disk)
    if is_kept:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        sys.stderr.write(f"The logs are in {directory}/log.\n")
    return 0 if is_kept else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    default = int(os.environ.get("SEED") or time.time())
    parser.add_argument("--seed", type=int, default=default)
    parser.add_argument("--mails", type=int, default=1000)
    default_login = os.environ.get("LOGIN", "none")
    choices = ["none", "xoauth2"]
    parser.add_argument("--login", choices=choices, default=default_login)
    return parser.parse_args()


def prepare(
    directory: Path, redis: Redis, server: OwnPostgreSQL, *, small: bool
) -> None:
    """Make the tables, and the environment of the run's processes."""
    os.environ |= SITE | {
        "DJANGO_SETTINGS_MODULE": "tests.harnesses.chaos.settings",
        "DATABASE_URL": server.url,
        "REDIS_URL": redis.url,
        "DATA_DIR": str(directory),
        "RECORDINGS_DIR": str(directory / "recordings"),
        "LOG_LEVEL": "WARNING",
    }
    # By it the tests' package would give each process another Redis.
    os.environ.pop("TEST_SERVICES", None)
    if small:
        os.environ["CHAOS_LEASE"] = SMALL_LEASE
    django.setup()
    call_command("migrate", verbosity=0)


def go(
    options: argparse.Namespace, directory: Path, redis: Redis, full: FullDisk | None
) -> bool:
    # Models can be imported from here on.
    run = import_module("tests.harnesses.chaos.run")
    fleets = import_module("tests.harnesses.chaos.fleet")
    if full is None:
        sys.stdout.write("No small disk may be mounted here: none is filled.\n")
    sys.stdout.write(f"seed {options.seed}\n")
    fleet = fleets.Fleet(directory, dict(os.environ), Random(options.seed))
    began_at = time.monotonic()
    with ExitStack() as ending:
        ending.callback(fleet.end)
        provider = None
        if options.login == "xoauth2":
            provider = Provider(directory, Random(options.seed))
            ending.enter_context(provider)
        dsn = f"host={directory / 'disk'} user=postgres dbname=postgres"
        random = Random(options.seed)
        outages = {
            faults.LOCKED_DATABASE: LockedDatabase(dsn),
            faults.REFUSING_REDIS: RefusingRedis(redis),
            faults.DEMOTED_REDIS: DemotedRedis(redis),
            faults.FAST_CLOCK: WrongClock(fleet, random, 1),
            faults.SLOW_CLOCK: WrongClock(fleet, random, -1),
        }
        if full:
            outages[faults.FULL_DISK] = full
        one = run.Run(options.mails, options.seed, directory, fleet, provider, outages)
        result, ledger = one.go(redis)
        if provider:
            words = f"{provider.given} tokens given, {provider.refused} refused\n"
            sys.stdout.write(words)
        run.report(result, ledger, fleet, time.monotonic() - began_at)
    return bool(result.is_kept)


if __name__ == "__main__":
    sys.exit(main())
