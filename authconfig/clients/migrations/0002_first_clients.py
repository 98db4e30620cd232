from django.db import migrations

from authconfig.clients.first_rows import make_first_clients


def add(apps, schema_editor):
    make_first_clients(apps.get_model("clients", "ClientApplication"))


class Migration(migrations.Migration):
    dependencies = [("clients", "0001_initial")]

    # The table goes with the step before.
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
