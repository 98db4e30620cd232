"""The site's settings, top to bottom like Django's documentation.

Embedded mode is "no DATABASE_URL": everything lives in DATA_DIR on this machine.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from pbxsite import logs
from pbxsite.administration import theme
from pbxsite.conf import (
    applications,
    databases,
    factors,
    guards,
    limits,
    pages,
    passwords,
    storages,
)
from pbxsite.embedded import data_dir
from pbxsite.env import env, required, secret, user_rate, version, words

BASE_DIR = Path(__file__).resolve().parent.parent
# Operators see it beside each worker's name: some may still run an older release.
VERSION = version(BASE_DIR / "pyproject.toml")

# Where the site lives

storages.keep_files_private()
EMBEDDED = not env.str("DATABASE_URL", default="")
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
if EMBEDDED:
    env.read_env(data_dir.prepare(DATA_DIR), overwrite=False)
SECRET_KEY = guards.strong_key(required("SECRET_KEY"))
SECRET_KEY_FALLBACKS = words(secret("SECRET_KEY_FALLBACKS", default=""))
# The first key encrypts, every key decrypts; `manage.py rotatekeys` re-encrypts.
ENCRYPTION_KEYS = words(secret("ENCRYPTION_KEYS", default=""))
ENCRYPTION_KEYS = ENCRYPTION_KEYS or [SECRET_KEY, *SECRET_KEY_FALLBACKS]
DEBUG = env.bool("DEBUG", default=False)
PORT = env.int("PORT", default=8000)
BIND = env.str("BIND", default="") or "127.0.0.1"
SITE_NAME = env.str("SITE_NAME", default="PBX")
CONTACT_LINE = env.str("CONTACT_LINE", default="")
# For scrapes from other machines; empty: only this machine may ask for metrics.
METRICS_KEY = secret("METRICS_KEY", default="")
if EMBEDDED:
    SITE_URL = env.str("SITE_URL", default=f"http://127.0.0.1:{PORT}")
    ALLOWED_HOSTS = words(env.str("ALLOWED_HOSTS", default="127.0.0.1,localhost"))
    REDIS_URL = secret("REDIS_URL", default=data_dir.redis_url(DATA_DIR))
else:
    SITE_URL = required("SITE_URL")
    ALLOWED_HOSTS = words(required("ALLOWED_HOSTS"))
    REDIS_URL = required("REDIS_URL")
SITE_URL, REDIS_URL = guards.private_url(SITE_URL), databases.redis_address(REDIS_URL)
guards.no_prefix(env.str("UVICORN_ROOT_PATH", default=""))
HTTPS = urlsplit(SITE_URL).scheme == "https"

# Applications

INSTALLED_APPS = list(applications.INSTALLED)
MIDDLEWARE = [
    "pbxsite.logs.RequestLog",
    "pbxsite.edge.redirects.EndlessRedirects",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "verification.sessions.lifecycle.OwnSessions",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "pbxsite.errors.LoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "pbxsite.errors.TooManyLogins",
    "verification.sessions.lifecycle.PersistentSessions",
    "verification.sessions.lifecycle.FactorRequirement",
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
ROOT_URLCONF = "pbxsite.urls"
ASGI_APPLICATION = "pbxsite.asgi.application"
TEMPLATES = pages.templates(BASE_DIR / "templates")

# Data

DATABASES = databases.databases(
    databases.file(DATA_DIR) if EMBEDDED else env.db("DATABASE_URL"),
    pool_size=env.int("DATABASE_POOL", default=10),
    query_seconds=env.int("DATABASE_QUERY_TIMEOUT", default=0),
    pooler=env.str("DATABASE_POOLER", default="none"),
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = databases.caches(REDIS_URL)
# Redis only wakes the workers, the database rows are the queue (pbxsite/celery.py).
CELERY_BROKER_URL = databases.broker_url(REDIS_URL)
CELERY_BROKER_USE_SSL = databases.broker_tls(CELERY_BROKER_URL)

# Logging in

AUTH_USER_MODEL = "users.PbxUser"
AUTHENTICATION_BACKENDS = ["verification.login.authentication.PolicyBackend"]
PASSWORD_HASHERS = passwords.HASHERS
LIMIT_HASHES = passwords.hashes_at_once(env.str("LIMIT_HASHES", default=""))
AUTH_PASSWORD_VALIDATORS = passwords.VALIDATORS
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "verification:account"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "verification.login.authentication.AccountAdapter"
USERSESSIONS_ADAPTER = "verification.sessions.signed_in.SessionsAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = "name"
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
# The login page redirects by itself, to what the client wanted.
ACCOUNT_AUTHENTICATED_LOGIN_REDIRECTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_TIMEOUT = 900
ACCOUNT_RATE_LIMITS = limits.rates(env.str)
LIMIT_FAILURES_IN_ROW = env.int("LIMIT_FAILURES_IN_ROW", default=100)
SOCIALACCOUNT_ADAPTER = "verification.login.oauth2.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_STORE_TOKENS = False
# How long the OpenID provider may take for each answer, in seconds.
OAUTH2_TIMEOUT = env.float("OAUTH2_TIMEOUT", default=5.0)
# How often it is asked about each login, where it has given a refresh token.
OAUTH2_RECHECK_INTERVAL = timedelta(
    minutes=env.int("OAUTH2_RECHECK_MINUTES", default=15)
)
MFA_ADAPTER = "verification.login.factors.views.FactorAdapter"
MFA_FORMS = factors.FORMS
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Clients of our OpenID provider ask often: what they hold ends with the session.
IDP_OIDC_ADAPTER = "pbxsite.gateway.openid.adapter.ProviderAdapter"
IDP_OIDC_AUTHORIZATION_CODE_EXPIRES_IN = 60
IDP_OIDC_ID_TOKEN_EXPIRES_IN = IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 300
IDP_OIDC_ROTATE_REFRESH_TOKEN = False
# How many proxies of ours stand in front and append to X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

# Seconds until a domain controller is reached with its TLS, and for each answer then.
NETLOGON_CONNECT_TIMEOUT = env.float("NETLOGON_CONNECT_TIMEOUT", default=3.0)
NETLOGON_OPERATION_TIMEOUT = env.float("NETLOGON_OPERATION_TIMEOUT", default=5.0)
NETLOGON_RECHECK_MINUTES = env.int("NETLOGON_RECHECK_MINUTES", default=15)

# The second factor, mails and voicemails

# NIST SP 800-63B-4, 3.1.3: an approval is complete within ten minutes.
LOGIN_SESSION_TTL = timedelta(minutes=10)
# Each login that waits sends a mail; those that were completed do not count.
LIMIT_HELD_LOGINS = user_rate("LIMIT_HELD_LOGINS", default="5/10m/user")
WAITS_AFTER_REJECTION = [timedelta(minutes=m) for m in (1, 5, 15)]
# A worker renews its leases every five seconds, so clocks may differ by 25 at the most.
# Mails that a dead worker held go out when its lease has ended.
MAIL_LEASE_TTL = timedelta(seconds=30)
MAIL_MAX_ATTEMPTS = 8
# How long mails that are over and the audit log are kept; 0 days: for ever.
MAIL_RETENTION_TTL = timedelta(days=env.int("MAIL_RETENTION_DAYS", default=30))
AUDIT_RETENTION_TTL = timedelta(days=env.int("AUDIT_RETENTION_DAYS", default=365))
VOICEMAIL_MAX_BYTES = env.int("VOICEMAIL_MAX_MB", default=10) * 1024 * 1024
# Of all recordings together that users hear here, since they fit into no mail.
VOICEMAIL_KEPT_BYTES = env.int("VOICEMAIL_KEPT_MB", default=500) * 1024 * 1024
# RFC 5321, 4.5.4.1: a mail is tried for five days at least.
VOICEMAIL_TTL = timedelta(days=5)
LIMIT_VOICEMAILS = user_rate("LIMIT_VOICEMAILS", default="60/h/user")
# The most that a browser or script may send at once: a recording, or a file of users.
BODY_MAX_BYTES = max(VOICEMAIL_MAX_BYTES, 4 * 1024 * 1024) + 64 * 1024

# Browsers

# Event streams of one session, in each process: one for each open page.
LIMIT_STREAMS = env.int("LIMIT_STREAMS", default=10)
# Browsers take no cookie of this name that another host of the domain sets.
SESSION_COOKIE_NAME = "__Host-pbx_session" if HTTPS else "pbx_session"
# After so long, what only the owner should do asks for the password again.
REAUTHENTICATION_TTL = timedelta(minutes=15)
ACCOUNT_REAUTHENTICATION_TIMEOUT = int(REAUTHENTICATION_TTL.total_seconds())
# A session ends when it was not used for so long, and in any case after so long.
SESSION_IDLE_TTL = timedelta(days=env.float("SESSION_IDLE_DAYS", default=30))
SESSION_MAX_TTL = timedelta(days=env.float("SESSION_MAX_DAYS", default=90))
SESSION_COOKIE_AGE = int(SESSION_IDLE_TTL.total_seconds())
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = int(SESSION_MAX_TTL.total_seconds())
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "pbx_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "pbxsite.errors.page_too_old"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SECURE_SSL_REDIRECT = HTTPS and env.bool("SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
# A PBX's host does not speak for the hosts below it, nor for its whole domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if ALLAUTH_TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# With "no-referrer" browsers send "Origin: null", and every POST would be refused.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = pages.CONTENT_SECURITY_POLICY

# Words and files

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SECURE, LANGUAGE_COOKIE_SAMESITE = HTTPS, "Lax"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
FORMAT_MODULE_PATH = ["pbxsite.formats"]
LOCALE_PATHS = [BASE_DIR / "pbxsite" / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
UNFOLD = theme.theme(SITE_NAME)
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
WHITENOISE_USE_FINDERS = EMBEDDED
STORAGES = storages.storages(
    env.str("RECORDINGS_DIR", default=str(DATA_DIR / "recordings")), embedded=EMBEDDED
)
LOG_FORMAT = env.str("LOG_FORMAT", default="text" if EMBEDDED else "json")
LOGGING = logs.configuration(env.str("LOG_LEVEL", default="INFO"), LOG_FORMAT)
