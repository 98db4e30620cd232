"""The site's own settings, whose pages find their static files without a manifest."""

from pbxsite.settings import *

STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
LOGGING["root"]["level"] = "ERROR"
