"""The site's settings as they are, but for what the machine of a test cannot do."""

from datetime import timedelta

from pbxsite.settings import *

# Argon2 takes a tenth of a second of a core for each login.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# What a killed worker held is taken back when its lease ends: sooner than the rest.
MAIL_LEASE_TTL = timedelta(seconds=20)
