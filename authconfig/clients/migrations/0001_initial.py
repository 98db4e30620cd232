import authconfig.clients.return_urls
import authconfig.validators
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ClientApplication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='What users call it; it stands on the tile.', max_length=60, validators=[authconfig.validators.validate_one_line], verbose_name='name')),
                ('slug', models.CharField(error_messages={'unique': 'Another client has this short name.'}, help_text='Part of addresses: /forward-auth/short-name/', max_length=40, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\Z', 'Use lower-case letters a to z, digits and hyphens alone: voicemail-2.', code='slug')], verbose_name='short name')),
                ('kind', models.CharField(choices=[('myapps', 'myApps'), ('mypbx', 'myPBX')], default='myapps', help_text='Decides how users log in to it: two-factor authentication and OAuth2 are for myApps alone. Only sessions of the same kind open it.', max_length=10, verbose_name='kind')),
                ('icon', models.CharField(choices=[('apps', 'Tiles'), ('phone', 'Telephone'), ('voicemail', 'Voicemail'), ('directory', 'Directory'), ('chat', 'Chat'), ('calendar', 'Calendar'), ('chart', 'Statistics'), ('gear', 'Settings')], default='apps', max_length=12, verbose_name='icon')),
                ('start_url', models.CharField(blank=True, help_text='Where its tile leads, and a login that wanted nothing else: https://apps.example.com/. Empty: no tile.', max_length=500, validators=[authconfig.validators.validate_secure_url], verbose_name='start URL')),
                ('return_urls', models.TextField(blank=True, help_text='One in each line: an origin, also with the beginning of a path, such as https://apps.example.com/voicemail/. A login leads back to these alone.', validators=[authconfig.clients.return_urls.validate_return_urls], verbose_name='allowed return URLs')),
                ('asks_by', models.CharField(choices=[('forward_auth', 'Forward authentication'), ('openid', 'OpenID Connect'), ('both', 'Forward authentication and OpenID Connect')], default='forward_auth', help_text='How it learns who its visitor is.', max_length=12, verbose_name='how it asks')),
                ('is_own', models.BooleanField(default=False, help_text='Users are not asked whether it may know who they are. Tick this only for what your organisation runs itself.', verbose_name='our own')),
            ],
            options={
                'verbose_name': 'client application',
                'verbose_name_plural': 'client applications',
                'ordering': ['name', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('name', ''), _negated=True), models.Q(('slug', ''), _negated=True)), name='client_has_a_name_and_a_short_name'), models.CheckConstraint(condition=models.Q(('kind__in', ['myapps', 'mypbx'])), name='client_kind_is_known'), models.CheckConstraint(condition=models.Q(models.Q(models.Q(('slug', 'myapps'), _negated=True), ('kind', 'myapps'), _connector='OR'), models.Q(models.Q(('slug', 'mypbx'), _negated=True), ('kind', 'mypbx'), _connector='OR')), name='client_called_as_a_kind_is_of_it'), models.CheckConstraint(condition=models.Q(('icon__in', ['apps', 'phone', 'voicemail', 'directory', 'chat', 'calendar', 'chart', 'gear'])), name='client_icon_is_known'), models.CheckConstraint(condition=models.Q(('asks_by__in', ['forward_auth', 'openid', 'both'])), name='client_asks_in_a_known_way'), models.CheckConstraint(condition=models.Q(('start_url', ''), ('start_url__startswith', 'https://'), ('start_url__startswith', 'http://'), _connector='OR'), name='client_starts_at_a_web_address')],
            },
        ),
    ]
