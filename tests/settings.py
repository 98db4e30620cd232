"""The site's settings with a fast hasher, and static files where they lie."""

import os

from pbxsite.settings import *

# Servers that the tests start read what the tests write, as users of their own.
os.umask(0o022)
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    PASSWORD_HASHERS[-1],
]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
# Else each test client's first request would read every static file.
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
if EMBEDDED:
    # A file, as in the embedded mode itself: threads and processes share it.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATA_DIR}/tests.sqlite3"}
# Threads of tests leave their connections behind; the production harness uses the pool.
DATABASES["default"].setdefault("OPTIONS", {}).pop("pool", None)
