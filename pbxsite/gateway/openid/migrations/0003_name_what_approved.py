"""An approval by e-mail or session is told as what it was, not as a second factor."""

from django.db import migrations

WORDS = {'email': 'mca email', 'session': 'mca session'}


def name(apps, schema_editor):
    grants = apps.get_model('openid', 'Grant').objects.all()
    for approver, words in WORDS.items():
        for first in ('pwd', 'fed'):
            told = grants.filter(authentication_methods=f'{first} mfa')
            told.filter(session__data__approver=approver).update(authentication_methods=f'{first} {words}')


class Migration(migrations.Migration):

    dependencies = [
        ('openid', '0002_end_tokens_with_grants'),
    ]

    operations = [
        migrations.RunPython(name, migrations.RunPython.noop),
    ]
