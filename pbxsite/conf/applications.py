"""The applications of the site, in the order in which their templates are found."""

from __future__ import annotations

import sys

# No table here has a column that PostgreSQL alone knows. For the fields of such the
# theme would load its driver, on SQLite too.
sys.modules["django.contrib.postgres.fields"] = None  # type: ignore[assignment]

INSTALLED = (
    "pbxsite.apps.PbxSiteConfig",
    "pbxsite.metrics.apps.MetricsConfig",
    "pbxsite.gateway.openid.apps.OpenIdConfig",
    "pbxsite.gateway.myapps.apps.MyAppsConfig",
    "verification.login.apps.LoginConfig",
    "verification.password_links.apps.PasswordLinksConfig",
    "verification.approval.apps.ApprovalConfig",
    "verification.sessions.apps.SessionsConfig",
    "verification.voicemail.apps.VoicemailConfig",
    "verification.mail.apps.MailConfig",
    "verification.mail.oauth2.apps.MailOAuth2Config",
    "authconfig.apps.AuthConfigConfig",
    "authconfig.sync.apps.SyncConfig",
    "authconfig.oauth2.apps.OAuth2Config",
    "authconfig.users.apps.UsersConfig",
    "authconfig.clients.apps.ClientsConfig",
    "allauth",
    "allauth.account",
    "verification.sessions.apps.ListedSessionsConfig",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.idp.oidc",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "pbxsite.administration.apps.PbxAdminConfig",
    "pbxsite.administration.alarms.apps.AlarmsConfig",
    "django.forms",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
)
