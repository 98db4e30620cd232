"""Indexes of allauth's table of sessions, for the filter and search of the admin's list."""

from django.db import migrations

BY_ADDRESS = "CREATE INDEX session_by_address ON usersessions_usersession (ip)"
# As Django writes a lookup of a key.
BY_KIND = (
    "CREATE INDEX session_by_kind ON usersessions_usersession"
    " ((data -> 'kind'), id DESC)"
)


def add(apps, schema_editor):
    schema_editor.execute(BY_ADDRESS)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BY_KIND)


def remove(apps, schema_editor):
    schema_editor.execute("DROP INDEX IF EXISTS session_by_address")
    schema_editor.execute("DROP INDEX IF EXISTS session_by_kind")


class Migration(migrations.Migration):

    dependencies = [
        ("usersessions", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(add, remove),
    ]
