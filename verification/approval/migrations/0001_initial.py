import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('mail', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LoginSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('myapps', 'myApps'), ('mypbx', 'myPBX')], max_length=10, verbose_name='client')),
                ('method', models.CharField(choices=[('pbx', 'PBX password'), ('netlogon', 'Windows password'), ('oauth2', 'OAuth2'), ('rescue', 'Rescue link')], max_length=10, verbose_name='method')),
                ('state', models.CharField(choices=[('pending', 'Waiting for approval'), ('accepted', 'Accepted'), ('rejected', 'Rejected'), ('completed', 'Logged in')], default='pending', max_length=10, verbose_name='state')),
                ('ending', models.CharField(blank=True, choices=[('rejected', 'Rejected by the user'), ('wrong_codes', 'Three wrong codes'), ('cancelled', 'Cancelled where it was started'), ('superseded', 'A newer login took its place'), ('ended', 'Ended by an administrator'), ('revoked', 'Ended with all sessions of the user')], max_length=12, verbose_name='ending')),
                ('approver', models.CharField(blank=True, choices=[('email', 'E-mail link'), ('session', 'Existing session'), ('factor', 'Passkey or one-time code')], max_length=10, verbose_name='decided by')),
                ('address', models.GenericIPAddressField(null=True, verbose_name='address')),
                ('user_agent', models.CharField(blank=True, max_length=200, verbose_name='browser')),
                ('language', models.CharField(default='en', max_length=8, verbose_name='language')),
                ('auth_hash', models.CharField(editable=False, max_length=128)),
                ('code_tries', models.PositiveSmallIntegerField(default=0, verbose_name='codes tried')),
                ('link_number', models.PositiveSmallIntegerField(default=1, verbose_name='links sent')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='started')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='login_sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'login session',
                'verbose_name_plural': 'login sessions',
                'ordering': ['-created_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='LoginMail',
            fields=[
                ('mail', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='login_mail', serialize=False, to='mail.outgoingemail')),
                ('link_number', models.PositiveSmallIntegerField(null=True)),
                ('login', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='approval.loginsession')),
            ],
        ),
        migrations.AddIndex(
            model_name='loginsession',
            index=models.Index(fields=['user', '-created_at'], name='login_by_user'),
        ),
        migrations.AddIndex(
            model_name='loginsession',
            index=models.Index(condition=models.Q(('decided_at__isnull', False)), fields=['decided_at'], name='login_by_decision'),
        ),
        migrations.AddIndex(
            model_name='loginsession',
            index=models.Index(fields=['-created_at', '-id'], name='login_by_time'),
        ),
        migrations.AddIndex(
            model_name='loginsession',
            index=models.Index(fields=['state', '-created_at', '-id'], name='login_by_state'),
        ),
        migrations.AddIndex(
            model_name='loginsession',
            index=models.Index(fields=['kind', '-created_at', '-id'], name='login_by_kind'),
        ),
        migrations.AddConstraint(
            model_name='loginsession',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'accepted', 'rejected', 'completed'])), name='login_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='loginsession',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='login_decided_unless_pending'),
        ),
        migrations.AddConstraint(
            model_name='loginsession',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'rejected'), models.Q(('ending', ''), _negated=True)), models.Q(models.Q(('state', 'rejected'), _negated=True), ('ending', '')), _connector='OR'), name='login_rejected_has_an_ending'),
        ),
        migrations.AddConstraint(
            model_name='loginsession',
            constraint=models.CheckConstraint(condition=models.Q(('code_tries__lte', 3)), name='login_tries_at_most_three_codes'),
        ),
        migrations.AddConstraint(
            model_name='loginsession',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'pending')), fields=('user',), name='user_has_one_pending_login'),
        ),
        migrations.AddConstraint(
            model_name='loginmail',
            constraint=models.UniqueConstraint(fields=('login', 'link_number'), name='login_has_one_mail_for_each_link'),
        ),
    ]
