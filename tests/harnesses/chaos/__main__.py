"""Faults under load: `make chaos`, or by hand.

python -m tests.harnesses.chaos --seed 1 --mails 1000 --login xoauth2

Needs a PostgreSQL (DATABASE_URL, as tests.support.services starts one); Redis, the SMTP
server and the workers are its own. Exit status 1: the queue broke its promise.
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
import environ
import psycopg
from django.core.management import call_command

from tests.harnesses.chaos.tokens import Provider
from tests.support.redis_servers import Redis
from tests.support.services import SITE

SMALL_LEASE = "15"


def main() -> int:
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="pbx-chaos-", dir="/tmp"))
    redis = Redis(directory)
    redis.start()
    try:
        prepare(directory, redis, small=options.mails < 200)
        is_kept = go(options, directory, redis)
    finally:
        redis.go_on()
        redis.end()
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


def prepare(directory: Path, redis: Redis, *, small: bool) -> None:
    """Make a database of this run's own, and the environment of its processes."""
    server = os.environ["DATABASE_URL"]
    name = directory.name.replace("-", "_")
    at = environ.Env.db_url_config(server)
    where = {"host": at["HOST"], "user": at["USER"], "dbname": at["NAME"]}
    with psycopg.connect(**where, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    os.environ |= SITE | {
        "DJANGO_SETTINGS_MODULE": "tests.harnesses.chaos.settings",
        "DATABASE_URL": f"{server.rpartition('/')[0]}/{name}",
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


def go(options: argparse.Namespace, directory: Path, redis: Redis) -> bool:
    # Models can be imported from here on.
    run = import_module("tests.harnesses.chaos.run")
    fleets = import_module("tests.harnesses.chaos.fleet")
    sys.stdout.write(f"seed {options.seed}\n")
    fleet = fleets.Fleet(directory, dict(os.environ), Random(options.seed))
    began_at = time.monotonic()
    with ExitStack() as ending:
        ending.callback(fleet.end)
        provider = None
        if options.login == "xoauth2":
            provider = Provider(directory, Random(options.seed))
            ending.enter_context(provider)
        one = run.Run(options.mails, options.seed, directory, fleet, provider)
        result, ledger = one.go(redis)
        if provider:
            words = f"{provider.given} tokens given, {provider.refused} refused\n"
            sys.stdout.write(words)
        run.report(result, ledger, fleet, time.monotonic() - began_at)
    return bool(result.is_kept)


if __name__ == "__main__":
    sys.exit(main())
