from django.db import migrations

from verification.mail.operation.operators import make_group


def add(apps, schema_editor):
    make_group(apps.get_model)


class Migration(migrations.Migration):
    dependencies = [
        ("mail", "0002_room_for_changes"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
