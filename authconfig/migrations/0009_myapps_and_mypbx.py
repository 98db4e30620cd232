from django.db import migrations

ROWS = [("myapps", "myApps", "apps"), ("mypbx", "myPBX", "phone")]


def add(apps, schema_editor):
    clients = apps.get_model("authconfig", "ClientApplication").objects
    for slug, name, icon in ROWS:
        clients.create(slug=slug, name=name, kind=slug, icon=icon, is_own=True)


class Migration(migrations.Migration):
    dependencies = [("authconfig", "0008_client_applications")]

    # The table goes with the step before.
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
