"""Indexes on PostgreSQL for the admin's searches, which look for parts of words."""

from django.db import migrations

HAS_TRIGRAMS = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"
SEARCHED = {
    "user_search_by_name": ("users_pbxuser", "name"),
    "user_search_by_long_name": ("users_pbxuser", "long_name"),
    "user_search_by_email": ("users_pbxuser", "email"),
    "user_search_by_number": ("users_pbxuser", "number"),
    "audit_search_by_name": ("users_auditevent", "user_name"),
    "audit_search_by_detail": ("users_auditevent", "detail"),
}


def add(apps, schema_editor):
    """A search without them finds the same, only slower."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(HAS_TRIGRAMS)
        if cursor.fetchone() is None:
            return
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for name, (table, column) in SEARCHED.items():
        # As Django writes "icontains".
        schema_editor.execute(
            f"CREATE INDEX {name} ON {table} USING gin (UPPER({column}::text) gin_trgm_ops)"
        )


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in SEARCHED:
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ("users", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(add, remove),
    ]
