import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('mail', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='VoicemailKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_used_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='voicemail_key_is_one_row')],
            },
        ),
        migrations.CreateModel(
            name='Voicemail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('caller_number', models.CharField(blank=True, max_length=64, verbose_name="caller's number")),
                ('caller_name', models.CharField(blank=True, max_length=150, verbose_name="caller's name")),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='recorded')),
                ('duration', models.PositiveIntegerField(blank=True, null=True, verbose_name='duration')),
                ('recording', models.CharField(blank=True, max_length=100)),
                ('content_type', models.CharField(max_length=40)),
                ('idempotency_key', models.CharField(blank=True, max_length=255)),
                ('request_digest', models.CharField(max_length=64)),
                ('mail', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='voicemail', to='mail.outgoingemail')),
            ],
            options={
                'verbose_name': 'voicemail',
                'verbose_name_plural': 'voicemails',
                'indexes': [models.Index(condition=models.Q(('recording', ''), _negated=True), fields=['recording'], name='voicemail_by_recording')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('idempotency_key', ''), _negated=True), fields=('idempotency_key',), name='idempotency_key_names_one_voicemail')],
            },
        ),
    ]
