import authconfig.fields
import django.db.models.deletion
import django.utils.timezone
import pbxsite.gateway.openid.redirect_uris
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('allauth_idp_oidc', '0003_client_allow_uri_wildcards'),
        ('clients', '0001_initial'),
        ('users', '0001_initial'),
        ('usersessions', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Subject',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='openid_subject', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('value', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code_hash', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('spent_at', models.DateTimeField(blank=True, null=True)),
                ('authenticated_at', models.DateTimeField()),
                ('authentication_methods', models.CharField(max_length=30)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='allauth_idp_oidc.client')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='usersessions.usersession')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='GrantedToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('grant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='openid.grant')),
            ],
        ),
        migrations.CreateModel(
            name='OpenIdClient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('redirect_uris', models.TextField(help_text='One in each line, exactly as the client sends it: https://apps.example.com/callback', validators=[pbxsite.gateway.openid.redirect_uris.validate_redirect_uris], verbose_name='redirect URIs')),
                ('logout_uris', models.TextField(blank=True, help_text='One in each line. Empty: logging out there ends on a page here.', validators=[pbxsite.gateway.openid.redirect_uris.validate_redirect_uris], verbose_name='redirect URIs after logging out')),
                ('is_public', models.BooleanField(default=False, help_text="A program on users' own devices, which can keep no secret. It proves itself by PKCE alone.", verbose_name='public client')),
                ('secret_made_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='secret made')),
                ('application', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='openid', to='clients.clientapplication')),
                ('client', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='allauth_idp_oidc.client')),
            ],
            options={
                'verbose_name': 'OpenID client',
                'verbose_name_plural': 'OpenID clients',
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pem', authconfig.fields.SecretField(editable=False)),
                ('is_current', models.BooleanField(default=True, editable=False)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('over_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('is_current',), name='one_key_signs'), models.CheckConstraint(condition=models.Q(models.Q(('is_current', True), ('over_at', None)), models.Q(('is_current', False), ('over_at__isnull', False)), _connector='OR'), name='signing_key_is_over_unless_current')],
            },
        ),
        migrations.AddIndex(
            model_name='grant',
            index=models.Index(fields=['created_at'], name='grant_by_time'),
        ),
        migrations.AddConstraint(
            model_name='openidclient',
            constraint=models.CheckConstraint(condition=models.Q(('redirect_uris', ''), _negated=True), name='openid_client_has_a_redirect_uri'),
        ),
        migrations.AddConstraint(
            model_name='openidclient',
            constraint=models.CheckConstraint(condition=models.Q(('is_public', False), ('secret_made_at', None), _connector='OR'), name='public_client_has_no_secret'),
        ),
    ]
