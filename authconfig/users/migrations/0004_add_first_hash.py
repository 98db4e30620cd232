from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0003_audit_of_approved_factors'),
    ]

    operations = [
        migrations.AddField(
            model_name='pbxuser',
            name='first_hash',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=128),
        ),
    ]
