"""A release goes back by a link: the one before it works with the newer tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field
from django.db.models.fields import NOT_PROVIDED

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.previous_release import unpack
from tests.support.server import running_server, shared
from tests.support.services import SITE
from tests.support.site import USER_PASSWORD
from tests.support.smtp_servers import Server
from tests.support.visitor import TOKEN, Visitor
from verification.approval.models import LoginSession
from verification.approval.tokens import link_token

OURS = ("authconfig", "pbxsite", "verification")
TAKES_AWAY = (
    operations.RemoveField,
    operations.RenameField,
    operations.DeleteModel,
    operations.RenameModel,
    operations.AlterModelTable,
)
Fields = dict[tuple[str, str, str], Field]
CODE = re.compile(r'id="approval-code">(\d{4})<')
MAIL_SECONDS = 30


def our_migrations() -> list[Migration]:
    """Return them so that each follows what it depends on."""
    loader = MigrationLoader(connection)
    plan: list[tuple[str, str]] = []
    for leaf in loader.graph.leaf_nodes():
        plan += [key for key in loader.graph.forwards_plan(leaf) if key not in plan]
    found = [loader.disk_migrations[key] for key in plan]
    return [each for each in found if type(each).__module__.startswith(OURS)]


def faults(migration: Migration, fields: Fields) -> Iterator[str]:
    """Say what the release before would miss; note the fields as they are then."""
    for each in migration.operations:
        words = f"{migration}: {each.describe()}"
        if isinstance(each, TAKES_AWAY):
            yield words
        if isinstance(each, operations.CreateModel):
            for name, field in each.fields:
                fields[migration.app_label, each.name_lower, name] = field
        if isinstance(each, operations.AddField | operations.AlterField):
            key = (migration.app_label, each.model_name_lower, each.name)
            before, fields[key] = fields.get(key), each.field
            if before is None and not is_filled(each.field):
                yield f"{words}, without a db_default"
            if before is not None and takes_less(before, each.field):
                yield f"{words}, which takes less than before"


def is_filled(field: Field) -> bool:
    """Say whether a row is whole that does not name this column."""
    return field.many_to_many or field.null or field.db_default is not NOT_PROVIDED


def takes_less(before: Field, after: Field) -> bool:
    is_shorter = (after.max_length or 10**9) < (before.max_length or 10**9)
    return is_shorter or (before.null and not after.null)


@pytest.mark.django_db
def test_migrations_only_add_what_the_release_before_does_not_miss() -> None:
    fields: Fields = {}
    found = []
    for migration in our_migrations():
        told = list(faults(migration, fields))
        found += [] if migration.initial else told

    assert found == []


@contextmanager
def running_worker(tree: Path, environment: dict[str, str]) -> Iterator[None]:
    command = [
        *(sys.executable, "-m", "celery", "-A", "pbxsite", "worker"),
        *("--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"),
    ]
    process = subprocess.Popen(command, cwd=tree, env=os.environ | environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def accept_by_link(url: str, login: LoginSession, code: str) -> int:
    visitor = Visitor("nobody")
    there = f"{url}/PBX0/session.xml?id={link_token(login)}"
    token = TOKEN.search(visitor.open(there).text)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "code": code, "decision": "accept"}
    return visitor.session.post(there, form, timeout=30).status_code


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_users_of_the_release_before_log_in_on_these_tables(
    tmp_path: Path, configure: SettingsSetter, server: Server
) -> None:
    tree = unpack(tmp_path)
    configure(
        two_factor=True,
        verification_link="http://127.0.0.1/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
    )
    environment = SITE | shared() | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment |= {"DATA_DIR": str(tmp_path / "data")}
    add = ["pbxusers", "add", "paul", "--email=p@example.com", "--password-stdin"]
    subprocess.run(
        [sys.executable, "manage.py", *add],
        cwd=tree,
        env=os.environ | environment,
        input=f"{USER_PASSWORD}\n",
        text=True,
        check=True,
        timeout=60,
    )
    assert PbxUser.objects.get(name="paul").email == "p@example.com"

    with (
        running_worker(tree, environment),
        running_server("pbxsite.asgi:application", tree, **environment) as (
            port,
            _process,
        ),
    ):
        url = f"http://127.0.0.1:{port}"
        paul = Visitor("paul")
        waiting = paul.open(f"{url}/account/")
        code, token = CODE.search(waiting.text), TOKEN.search(waiting.text)
        assert code, waiting.text
        assert token
        limit = time.monotonic() + MAIL_SECONDS
        while not server.mails:
            assert time.monotonic() < limit, "no e-mail came"
            time.sleep(0.1)

        assert accept_by_link(url, LoginSession.objects.get(), code[1]) == 200
        form = {"csrfmiddlewaretoken": token[1]}
        paul.session.post(f"{url}/login/waiting/continue/", form, timeout=30)

        page = paul.open(f"{url}/account/")
        assert page.url == f"{url}/account/"
        assert "paul" in page.text
    assert LoginSession.objects.get().state == "completed"
