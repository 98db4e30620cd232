import authconfig.fields
import authconfig.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='PbxUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('name', models.CharField(error_messages={'unique': 'A PBX user of this name exists already.'}, help_text='The login name. Upper and lower case are the same.', max_length=150, unique=True, validators=[authconfig.validators.validate_login_name], verbose_name='name')),
                ('name_key', authconfig.fields.NameKeyField(editable=False, max_length=300, unique=True)),
                ('long_name', models.CharField(blank=True, max_length=150, validators=[authconfig.validators.validate_one_line], verbose_name='long name')),
                ('email', models.EmailField(blank=True, help_text='Verification e-mails go to this address.', max_length=254, verbose_name='e-mail address')),
                ('number', models.CharField(blank=True, max_length=32, validators=[authconfig.validators.validate_one_line], verbose_name='extension number')),
                ('language', models.CharField(blank=True, choices=[('en', 'English'), ('de', 'German')], help_text='Of e-mails. Empty: the language of the browser that logs in.', max_length=8, verbose_name='language')),
                ('time_zone', models.CharField(blank=True, help_text="Of the times in e-mails: Europe/Berlin. Empty: the site's own.", max_length=64, validators=[authconfig.validators.validate_time_zone], verbose_name='time zone')),
                ('is_active', models.BooleanField(default=True, help_text='Inactive users cannot log in, and their sessions end at once.', verbose_name='active')),
                ('is_staff', models.BooleanField(default=False, help_text='May log in to this administration.', verbose_name='administrator')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'PBX user',
                'verbose_name_plural': 'PBX users',
                'ordering': ['name_key'],
            },
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('event', models.CharField(choices=[('login', 'Logged in'), ('login_failed', 'Login failed'), ('login_held', 'Login waits for approval'), ('factor_asked', 'Login waits for the second factor'), ('login_refused', 'Login refused'), ('login_accepted', 'Login accepted'), ('login_rejected', 'Login rejected'), ('login_ended', 'Waiting login ended'), ('code_wrong', 'Wrong code entered'), ('logout', 'Logged out'), ('session_ended', 'Session ended'), ('password_changed', 'Password changed'), ('user_changed', 'User changed'), ('setting_changed', 'Setting changed'), ('mail_sent', 'E-mail sent'), ('mail_failed', 'E-mail failed'), ('mail_delayed', 'E-mail delayed'), ('mail_retried', 'E-mail queued again'), ('mail_cancelled', 'E-mail cancelled'), ('sending_paused', 'Sending paused'), ('sending_resumed', 'Sending resumed'), ('mail_tested', 'E-mail account tested'), ('voicemail_refused', 'Voicemail refused'), ('voicemail_key_made', 'Voicemail key made'), ('voicemail_key_revoked', 'Voicemail key revoked'), ('voicemail_key_wrong', 'Wrong voicemail key used'), ('oauth2_tested', 'OAuth2 tested'), ('identity_bound', 'OAuth2 account connected'), ('identity_unbound', 'OAuth2 account disconnected'), ('netlogon_tested', 'Netlogon tested'), ('factor_added', 'Second factor added'), ('factor_removed', 'Second factor removed'), ('audit_exported', 'Audit log exported'), ('rescued', 'Rescue link made'), ('client_opened', 'Client application opened'), ('client_refused', 'Client application refused'), ('code_replayed', 'Code of a client used twice')], max_length=24, verbose_name='event')),
                ('user_name', models.CharField(blank=True, max_length=150, verbose_name='name')),
                ('kind', models.CharField(blank=True, choices=[('myapps', 'myApps'), ('mypbx', 'myPBX')], max_length=10, verbose_name='client')),
                ('method', models.CharField(blank=True, choices=[('pbx', 'PBX password'), ('netlogon', 'Windows password'), ('oauth2', 'OAuth2'), ('rescue', 'Rescue link')], max_length=10, verbose_name='method')),
                ('address', models.GenericIPAddressField(blank=True, null=True, verbose_name='address')),
                ('user_agent', models.CharField(blank=True, max_length=200, verbose_name='browser')),
                ('detail', models.TextField(blank=True, verbose_name='detail')),
                ('proof', models.CharField(blank=True, editable=False, max_length=16)),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('user', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='audit_events', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'audit event',
                'verbose_name_plural': 'audit log',
                'ordering': ['-at', '-pk'],
            },
        ),
        migrations.AddIndex(
            model_name='pbxuser',
            index=models.Index(condition=models.Q(('email', '')), fields=['name_key'], name='user_without_email'),
        ),
        migrations.AddIndex(
            model_name='pbxuser',
            index=models.Index(condition=models.Q(('is_active', False)), fields=['name_key'], name='user_inactive'),
        ),
        migrations.AddIndex(
            model_name='pbxuser',
            index=models.Index(condition=models.Q(('is_staff', True)), fields=['name_key'], name='user_administrator'),
        ),
        migrations.AddConstraint(
            model_name='pbxuser',
            constraint=models.CheckConstraint(condition=models.Q(('name_key', ''), _negated=True), name='user_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='pbxuser',
            constraint=models.UniqueConstraint(condition=models.Q(('number', ''), _negated=True), fields=('number',), name='number_belongs_to_one_user', violation_error_message='Another user has this extension number.'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['user', 'event', '-at'], name='audit_by_user'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['user', '-at'], name='audit_by_user_and_time'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['-at', '-id'], name='audit_by_time'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['event', '-at', '-id'], name='audit_by_event'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('actor__isnull', False)), fields=['actor'], name='audit_by_actor'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('kind', ''), _negated=True), fields=['kind', '-at', '-id'], name='audit_by_kind'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('method', ''), _negated=True), fields=['method', '-at', '-id'], name='audit_by_method'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('address__isnull', False)), fields=['address', '-at', '-id'], name='audit_by_address'),
        ),
    ]
