from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('authconfig', '0015_require_a_factor'),
    ]

    operations = [
        migrations.AlterField(
            model_name='clientapplication',
            name='is_own',
            field=models.BooleanField(default=False, help_text='Users are not asked whether it may know who they are. Tick this only for what your organisation runs itself.', verbose_name='our own'),
        ),
    ]
