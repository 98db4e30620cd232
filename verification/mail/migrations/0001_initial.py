import authconfig.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
import verification.mail.kinds
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AccountTrial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('recipient', models.EmailField(max_length=254)),
                ('language', models.CharField(default='en', max_length=8)),
                ('server', models.CharField(max_length=260)),
                ('port', models.PositiveIntegerField()),
                ('security', models.CharField(choices=[('starttls', 'STARTTLS, required (port 587)'), ('tls', 'TLS from the start (port 465)'), ('none', 'None, unsafe (port 25)')], max_length=10)),
                ('client_host_name', models.CharField(blank=True, max_length=253)),
                ('sender_name', models.CharField(blank=True, max_length=100)),
                ('email_address', models.EmailField(max_length=254)),
                ('username', models.CharField(blank=True, max_length=254)),
                ('password', authconfig.fields.SecretField(blank=True, default='')),
                ('ca_certificate', models.TextField(blank=True)),
                ('fingerprint', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('queued', 'Waiting for a worker'), ('running', 'Running'), ('accepted', 'Accepted by the server'), ('failed', 'Failed')], default='queued', max_length=10)),
                ('remedy', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='account_tests', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='AccountTrialStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stage', models.CharField(choices=[('resolve', 'Find the server'), ('connect', 'Connect'), ('tls', 'Encrypt (TLS)'), ('ehlo', 'Greet (EHLO)'), ('auth', 'Log in (AUTH)'), ('mail_from', 'Name the sender (MAIL FROM)'), ('rcpt_to', 'Name the recipient (RCPT TO)'), ('data', 'Hand over the e-mail (DATA)')], max_length=10)),
                ('state', models.CharField(choices=[('started', 'running'), ('done', 'done'), ('skipped', 'not needed'), ('failed', 'failed')], max_length=10)),
                ('elapsed_ms', models.PositiveIntegerField(default=0)),
                ('words', models.TextField(blank=True)),
                ('test', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='mail.accounttrial')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255, unique=True)),
                ('kind', models.CharField(choices=[('worker', 'Worker'), ('scheduler', 'Scheduler')], max_length=10)),
                ('version', models.CharField(blank=True, max_length=40)),
                ('slots', models.PositiveSmallIntegerField(default=0)),
                ('work', models.CharField(blank=True, max_length=500)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['kind', 'name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['worker', 'scheduler'])), name='heartbeat_is_of_a_known_part')],
            },
        ),
        migrations.CreateModel(
            name='OutgoingEmail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=verification.mail.kinds.choices, max_length=10, verbose_name='kind')),
                ('priority', models.PositiveSmallIntegerField(choices=[(0, 'Urgent'), (1, 'Later')], default=0)),
                ('recipient', models.EmailField(max_length=254, verbose_name='recipient')),
                ('language', models.CharField(default='en', max_length=8, verbose_name='language')),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('sending', 'Being sent'), ('sent', 'Sent'), ('failed', 'Failed'), ('expired', 'Expired'), ('unknown', 'Unknown')], default='queued', max_length=10, verbose_name='state')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created')),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='due')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('lease_expires_at', models.DateTimeField(blank=True, null=True)),
                ('data_began_at', models.DateTimeField(blank=True, null=True)),
                ('request_id', models.CharField(blank=True, editable=False, max_length=64)),
                ('doubts', models.PositiveSmallIntegerField(default=0)),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('stage', models.CharField(blank=True, choices=[('resolve', 'Find the server'), ('connect', 'Connect'), ('tls', 'Encrypt (TLS)'), ('ehlo', 'Greet (EHLO)'), ('auth', 'Log in (AUTH)'), ('mail_from', 'Name the sender (MAIL FROM)'), ('rcpt_to', 'Name the recipient (RCPT TO)'), ('data', 'Hand over the e-mail (DATA)')], max_length=10, verbose_name='stage')),
                ('code', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="server's code")),
                ('fault', models.CharField(blank=True, max_length=24)),
                ('words', models.CharField(blank=True, max_length=500, verbose_name="server's words")),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='outgoing_emails', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'outgoing e-mail',
                'verbose_name_plural': 'outgoing e-mails',
                'ordering': ['-created_at', '-pk'],
                'permissions': [('operate_queue', 'Can operate the outgoing queue')],
            },
        ),
        migrations.CreateModel(
            name='SendingPause',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddIndex(
            model_name='accounttrial',
            index=models.Index(condition=models.Q(('state', 'accepted')), fields=['fingerprint'], name='test_accepted_by_account'),
        ),
        migrations.AddConstraint(
            model_name='accounttrial',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'accepted', 'failed'])), name='test_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='accounttrial',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at', None), ('password', ''), _connector='OR'), name='ended_test_keeps_no_password'),
        ),
        migrations.AddConstraint(
            model_name='accounttrialstep',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'started')), fields=('test', 'stage'), name='test_runs_a_stage_once_at_a_time'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('state', 'queued')), fields=['priority', 'due_at'], name='mail_queued_by_priority'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('state', 'queued')), fields=['expires_at'], name='mail_queued_by_end'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('state', 'sending')), fields=['lease_expires_at'], name='mail_sending_by_lease'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(fields=['-created_at', '-id'], name='mail_by_time'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('state', 'sent'), _negated=True), fields=['state', '-created_at', '-id'], name='mail_by_state'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('kind', 'approval'), _negated=True), fields=['kind', '-created_at', '-id'], name='mail_by_kind'),
        ),
        migrations.AddIndex(
            model_name='outgoingemail',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['-ended_at'], name='mail_by_end'),
        ),
        migrations.AddConstraint(
            model_name='outgoingemail',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'sending', 'sent', 'failed', 'expired', 'unknown'])), name='mail_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='outgoingemail',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'sending'), _negated=True), ('lease_expires_at__isnull', False), _connector='OR'), name='mail_being_sent_has_a_lease'),
        ),
        migrations.AddConstraint(
            model_name='outgoingemail',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state__in', ['queued', 'sending'])), models.Q(models.Q(('state__in', ['queued', 'sending']), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='mail_has_ended_when_its_state_says_so'),
        ),
        migrations.AddConstraint(
            model_name='outgoingemail',
            constraint=models.CheckConstraint(condition=models.Q(('priority__in', [0, 1])), name='mail_priority_is_known'),
        ),
        migrations.AddConstraint(
            model_name='sendingpause',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='sending_is_paused_once'),
        ),
    ]
