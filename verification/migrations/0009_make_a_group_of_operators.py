from django.db import migrations

GROUP, RIGHT = "Operators", "operate_queue"


def make_group(apps, schema_editor):
    """The permissions themselves are made after all migrations; this one needs it now."""
    kinds = apps.get_model("contenttypes", "ContentType").objects
    kind, _ = kinds.get_or_create(app_label="verification", model="outgoingemail")
    right, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind,
        codename=RIGHT,
        defaults={"name": "Can operate the outgoing queue"},
    )
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    group.permissions.add(right)


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0008_operate_the_queue"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_group, migrations.RunPython.noop)]
