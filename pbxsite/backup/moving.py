"""From the backup of an embedded site to a site with a PostgreSQL of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, models, transaction

from authconfig.users.models import PbxUser
from pbxsite.backup import embedded
from pbxsite.backup.archive import BackupError
from pbxsite.tables.release import lacks_migrations

BATCH_SIZE = 500
Model = type[models.Model]


def move_in(draft: Path) -> int:
    """Fill the site's database from the backup; return the number of rows.

    All or nothing; BackupError if somebody uses the site already, or if its keys would
    not open what the backup keeps encrypted.
    """
    _require_keys(draft)
    if lacks_migrations():
        raise BackupError("The database lacks tables. Run: manage.py migrate")
    if PbxUser.objects.exists():
        raise BackupError("This site has users; a backup only goes into an empty one.")
    with embedded.second_database(draft / embedded.DATABASE) as alias:
        call_command("migrate", database=alias, verbosity=0, interactive=False)
        count = _copy_rows(alias)
    shutil.copytree(
        draft / embedded.RECORDINGS, embedded.recordings_dir(), dirs_exist_ok=True
    )
    return count


def _require_keys(draft: Path) -> None:
    key = embedded.key_of(draft)
    signing = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if key not in signing or key not in settings.ENCRYPTION_KEYS:
        raise BackupError(
            "Passwords and sessions of the backup need its key: put it last into"
            " SECRET_KEY_FALLBACKS and ENCRYPTION_KEYS. `manage.py restore FILE --key`"
            " prints it. Afterwards `manage.py rotatekeys` makes it superfluous."
        )


def _tables() -> list[Model]:
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if model._meta.managed and not model._meta.proxy]


@transaction.atomic
def _copy_rows(alias: str) -> int:
    tables = _tables()
    names = [model._meta.db_table for model in tables]
    with connection.cursor() as cursor:
        # The first rows that migrations make come with the backup, as they are there.
        for line in connection.ops.sql_flush(no_style(), names, allow_cascade=True):
            cursor.execute(line)
        count = sum(_copy(model, alias) for model in tables)
        for line in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(line)
    return count


def _copy(model: Model, alias: str) -> int:
    rows = model._base_manager.using(alias).order_by("pk").iterator(BATCH_SIZE)
    count, batch = 0, list[models.Model]()
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_SIZE:
            count += _write(model, batch)
            batch = []
    return count + _write(model, batch)


def _write(model: Model, batch: Iterable[models.Model]) -> int:
    rows = list(batch)
    # Moments that a save would set anew stay as they were.
    kept = [f for f in model._meta.local_fields if getattr(f, "auto_now", False)]
    for each in kept:
        each.auto_now = False  # type: ignore[attr-defined]
    try:
        model._base_manager.using("default").bulk_create(rows)
    finally:
        for each in kept:
            each.auto_now = True  # type: ignore[attr-defined]
    return len(rows)
