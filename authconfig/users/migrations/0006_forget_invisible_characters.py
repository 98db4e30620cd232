"""A character that cannot be seen makes no other name."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from authconfig.names import name_key, without_invisible


def forget_them(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    users = apps.get_model("users", "PbxUser").objects
    names = users.values_list("pk", "name", "name_key").iterator()
    for pk, name, kept in [each for each in names if not each[1].isascii()]:
        key, visible = name_key(name), without_invisible(name)
        if (key, visible) == (kept, name):
            continue
        if not key or users.filter(name_key=key).exclude(pk=pk).exists():
            words = f"The user {pk} has a name that is {key!r} without what is invisible"
            raise ValueError(f"{words}: rename or delete the user first.")
        users.filter(pk=pk).update(name=visible, name_key=key)


class Migration(migrations.Migration):
    dependencies = [("users", "0005_check_extension_numbers")]

    operations = [migrations.RunPython(forget_them, migrations.RunPython.noop)]
