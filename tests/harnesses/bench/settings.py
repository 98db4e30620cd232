"""The tests' settings with the site's own hasher, and nothing that slows tries down."""

import tempfile

from pbxsite import settings as site
from tests.settings import *

PASSWORD_HASHERS = site.PASSWORD_HASHERS
ACCOUNT_RATE_LIMITS = {"login": False, "login_failed": False}
LIMIT_FAILURES_IN_ROW = 1_000_000
# Queues of others, as they come.
INSTALLED_APPS = [*INSTALLED_APPS, "post_office", "mailer"]
MAILER_EMAIL_BACKEND = EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
MAILER_LOCK_PATH = f"{tempfile.gettempdir()}/bench-django-mailer"
POST_OFFICE = {"THREADS_PER_PROCESS": 5}
# Of their own: tests that only read these settings go on with the site's.
LOGGING = LOGGING | {
    "root": LOGGING["root"] | {"level": "ERROR"},
    "loggers": LOGGING["loggers"] | {"post_office": {"level": "ERROR"}},
}
