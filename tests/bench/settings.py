"""The tests' settings with the site's own hasher, and nothing that slows tries down."""

from pbxsite import settings as site
from tests.settings import *

PASSWORD_HASHERS = site.PASSWORD_HASHERS
ACCOUNT_RATE_LIMITS = {"login": False, "login_failed": False}
LOGGING["root"]["level"] = "ERROR"
