"""The tables of a release, known by the names of its migrations' files."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from pbxsite.tables import release

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_the_files_are_those_that_django_finds() -> None:
    assert release._names() == set(MigrationLoader(None).disk_migrations)


def test_a_database_of_this_release_lacks_nothing_and_knows_no_more() -> None:
    assert not release.lacks_migrations()
    assert release.newer_migrations(connection) == []


def test_a_migration_that_is_not_recorded_is_lacking() -> None:
    newest = max(key for key in release._names() if key[0] == "users")
    MigrationRecorder(connection).record_unapplied(*newest)

    assert release.lacks_migrations()


def test_a_later_migration_of_ours_is_told_of_and_no_other() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("users", "9999_tomorrow")
    recorder.record_applied("an_application_that_was_removed", "0001_initial")

    assert release.newer_migrations(connection) == ["users.9999_tomorrow"]
