import authconfig.fields
import authconfig.validators
import django.core.validators
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuthenticationSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('two_factor', models.BooleanField(default=False, help_text='Each login has to be approved as well: in a session that exists already, or by the link in an e-mail.', verbose_name='Two-factor authentication')),
                ('authentication_type', models.CharField(choices=[('pbx_only', 'PBX only'), ('netlogon_only', 'Netlogon only'), ('pbx_and_netlogon', 'PBX and Netlogon'), ('oauth2_only', 'OAuth2 only'), ('pbx_and_oauth2', 'PBX and OAuth2')], default='pbx_only', max_length=20, verbose_name='Authentication type')),
                ('oauth2_provider_name', models.CharField(blank=True, help_text='The name that users know the OAuth2 provider by. It stands on the button of the login form, for example “Windows” or “Active Directory”.', max_length=60, validators=[authconfig.validators.validate_one_line], verbose_name='OAuth2 provider name')),
                ('oauth2_domain', models.CharField(blank=True, help_text="Needed if the users' domain at the provider is not the PBX's domain: users of this domain count as members of the PBX's.", max_length=253, validators=[authconfig.validators.validate_domain], verbose_name='OAuth2 domain')),
                ('pbx_domain', models.CharField(blank=True, help_text="The PBX's own domain: its members log in with or without it.", max_length=253, validators=[authconfig.validators.validate_domain], verbose_name='PBX domain')),
                ('factor_required', models.BooleanField(default=False, help_text='E-mail no longer suffices. Users who have neither approve one more login as before, and set one up before they can do anything else.', verbose_name='Require a passkey or authenticator app')),
                ('password_min_length', models.PositiveSmallIntegerField(default=8, help_text='Of new PBX passwords. NIST SP 800-63B-4 asks for 15 where the password is the only factor, and for 8 beside a second one.', validators=[django.core.validators.MinValueValidator(8, 'Enter a number from 8 to 64.'), django.core.validators.MaxValueValidator(64, 'Enter a number from 8 to 64.')], verbose_name='Minimum password length')),
                ('password_changes_forbidden', models.BooleanField(default=False, help_text='Users cannot change their PBX passwords themselves; administrators can.', verbose_name='Forbid password changes')),
                ('smtp_server', models.CharField(blank=True, help_text='IP address or DNS name, also with a port: mail.example.com:587.', max_length=260, validators=[authconfig.validators.validate_host], verbose_name='SMTP server')),
                ('smtp_client_host_name', models.CharField(blank=True, default='127.0.0.1', help_text='How this site calls itself in the EHLO message: a host name or an IP address. Optional, 127.0.0.1 by default.', max_length=253, validators=[authconfig.validators.validate_host], verbose_name='Client host name')),
                ('smtp_sender_name', models.CharField(blank=True, help_text='The name that recipients see as the sender.', max_length=100, validators=[authconfig.validators.validate_one_line], verbose_name='Sender name')),
                ('smtp_email_address', models.EmailField(blank=True, help_text='The address that the e-mails come from.', max_length=254, validators=[authconfig.validators.validate_one_line], verbose_name='Email address')),
                ('smtp_username', models.CharField(blank=True, help_text='The user name of the e-mail account. Empty: the server asks for no login.', max_length=254, validators=[authconfig.validators.validate_one_line], verbose_name='Username')),
                ('smtp_password', authconfig.fields.SecretField(blank=True, default='', help_text='The password of the e-mail account.', verbose_name='Password')),
                ('verification_link', models.CharField(blank=True, help_text='The address at which users accept or reject a login, as they reach it: https://PBX-IP-or-DNS-name/PBX0/session.xml', max_length=500, validators=[authconfig.validators.validate_secure_url], verbose_name='Verification link')),
                ('smtp_port', models.PositiveIntegerField(default=587, help_text='Empty: the usual one (587 with STARTTLS, 465 with TLS, 25 without).', validators=[django.core.validators.MinValueValidator(1, 'Enter a number from 1 to 65535.'), django.core.validators.MaxValueValidator(65535, 'Enter a number from 1 to 65535.')], verbose_name='Port')),
                ('smtp_security', models.CharField(choices=[('starttls', 'STARTTLS, required (port 587)'), ('tls', 'TLS from the start (port 465)'), ('none', 'None, unsafe (port 25)')], default='starttls', help_text='The site never falls back to an unencrypted connection.', max_length=10, verbose_name='Security')),
                ('smtp_ca_certificate', models.TextField(blank=True, help_text='PEM. Only for a server whose certificate is of your own CA.', validators=[authconfig.validators.validate_certificates], verbose_name='CA certificate')),
                ('smtp_connections', models.PositiveSmallIntegerField(default=3, help_text='How many connections to the server each worker process opens at most, when many e-mails wait. Some providers allow no more than three.', validators=[django.core.validators.MinValueValidator(1, 'Enter a number from 1 to 20.'), django.core.validators.MaxValueValidator(20, 'Enter a number from 1 to 20.')], verbose_name='Connections')),
                ('netlogon_domain', models.CharField(blank=True, help_text='The DNS name of the Active Directory domain: ad.example.com.', max_length=253, validators=[authconfig.validators.validate_domain], verbose_name='Windows domain')),
                ('netlogon_servers', models.CharField(blank=True, help_text='Host names or IP addresses, also with a port, separated by commas; they are tried in this order. Empty: found by DNS (SRV) from the domain.', max_length=1000, validators=[authconfig.validators.validate_servers], verbose_name='Domain controllers')),
                ('netlogon_security', models.CharField(choices=[('tls', 'TLS from the start (LDAPS)'), ('starttls', 'STARTTLS, required'), ('none', 'None, only on this machine')], default='tls', help_text='Windows passwords never travel unencrypted.', max_length=10, verbose_name='Security')),
                ('netlogon_ca_certificate', models.TextField(blank=True, help_text="PEM. Needed where your own CA made the controllers' certificates.", validators=[authconfig.validators.validate_certificates], verbose_name='CA certificate')),
                ('netlogon_base_dn', models.CharField(blank=True, help_text='Where users are searched: DC=ad,DC=example,DC=com. Empty: from the domain.', max_length=500, validators=[authconfig.validators.validate_one_line], verbose_name='Base DN')),
                ('netlogon_bind_dn', models.CharField(blank=True, help_text='The account that searches for users. Empty: users are checked by a direct login as user@domain, as Active Directory takes it.', max_length=500, validators=[authconfig.validators.validate_one_line], verbose_name='Service account')),
                ('netlogon_bind_password', authconfig.fields.SecretField(blank=True, default='', verbose_name='Service account password')),
                ('netlogon_user_filter', models.CharField(blank=True, default='(sAMAccountName=%(user)s)', help_text='The LDAP filter that finds a user; %(user)s is the login name.', max_length=500, validators=[authconfig.validators.validate_user_filter], verbose_name='User filter')),
                ('netlogon_group', models.CharField(blank=True, help_text='The DN of a group. Only its members may log in. Optional.', max_length=500, validators=[authconfig.validators.validate_one_line], verbose_name='Required group')),
                ('netlogon_netbios_name', models.CharField(blank=True, help_text='The DOMAIN in DOMAIN\\user. Empty: the first part of the Windows domain.', max_length=15, validators=[authconfig.validators.validate_one_line], verbose_name='NetBIOS name')),
                ('netlogon_max_failures', models.PositiveSmallIntegerField(default=3, help_text='In 10 minutes and for one user; keep it below the lock-out of the domain.', validators=[django.core.validators.MinValueValidator(1, 'Enter a number from 1 to 100.'), django.core.validators.MaxValueValidator(100, 'Enter a number from 1 to 100.')], verbose_name='Wrong passwords before the directory is left alone')),
                ('oauth2_well_known_url', models.CharField(blank=True, help_text='Ends in /.well-known/openid-configuration', max_length=500, validators=[authconfig.validators.validate_secure_url], verbose_name='OpenID well-known configuration URL')),
                ('oauth2_client_id', models.CharField(blank=True, max_length=255, validators=[authconfig.validators.validate_one_line], verbose_name='Client ID')),
                ('oauth2_client_secret', authconfig.fields.SecretField(blank=True, default='', help_text='Empty for a public client.', verbose_name='Client secret')),
                ('oauth2_scope', models.CharField(default='openid profile email', help_text='What the provider is asked for; it has to contain openid.', max_length=255, validators=[authconfig.validators.validate_one_line], verbose_name='Scope')),
                ('oauth2_authorize_query', models.CharField(blank=True, help_text='Starts with &, for example &prompt=login', max_length=255, validators=[authconfig.validators.validate_authorize_query], verbose_name='Additional authorize URL query')),
                ('oauth2_upn_claim', models.CharField(default='upn', help_text='The claim that holds the login name. Enter another one than upn only if users cannot change its value themselves: it decides who they are.', max_length=100, validators=[authconfig.validators.validate_one_line], verbose_name='UPN claim')),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name': 'authentication',
                'verbose_name_plural': 'authentication',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='settings_are_one_row'), models.CheckConstraint(condition=models.Q(('authentication_type__in', ['pbx_only', 'netlogon_only', 'pbx_and_netlogon', 'oauth2_only', 'pbx_and_oauth2'])), name='authentication_type_is_known'), models.CheckConstraint(condition=models.Q(('password_min_length__range', (8, 64))), name='password_min_length_from_8_to_64'), models.CheckConstraint(condition=models.Q(('two_factor', False), models.Q(models.Q(('smtp_server', ''), _negated=True), models.Q(('verification_link', ''), _negated=True)), _connector='OR'), name='two_factor_needs_mail_and_link'), models.CheckConstraint(condition=models.Q(('factor_required', False), ('two_factor', True), _connector='OR'), name='factor_requirement_needs_two_factor'), models.CheckConstraint(condition=models.Q(('smtp_security__in', ['starttls', 'tls', 'none'])), name='smtp_security_is_known'), models.CheckConstraint(condition=models.Q(('smtp_connections__range', (1, 20))), name='smtp_connections_from_1_to_20'), models.CheckConstraint(condition=models.Q(('netlogon_security__in', ['tls', 'starttls', 'none'])), name='netlogon_security_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('authentication_type__in', ['oauth2_only', 'pbx_and_oauth2']), _negated=True), models.Q(models.Q(('oauth2_provider_name', ''), _negated=True), models.Q(('oauth2_well_known_url', ''), _negated=True), models.Q(('oauth2_client_id', ''), _negated=True)), _connector='OR'), name='oauth2_in_use_has_a_provider'), models.CheckConstraint(condition=models.Q(models.Q(('authentication_type__in', ['netlogon_only', 'pbx_and_netlogon']), _negated=True), models.Q(('netlogon_domain', ''), _negated=True), _connector='OR'), name='netlogon_in_use_has_a_domain')],
            },
        ),
        migrations.CreateModel(
            name='DependencyState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('smtp', 'SMTP server'), ('controller', 'Domain controller'), ('provider', 'OpenID provider')], max_length=12)),
                ('name', models.CharField(max_length=300)),
                ('is_up', models.BooleanField()),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('words', models.CharField(blank=True, max_length=500)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['kind', 'name'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'name'), name='dependency_has_one_state'), models.CheckConstraint(condition=models.Q(('kind__in', ['smtp', 'controller', 'provider'])), name='dependency_is_known')],
            },
        ),
    ]
