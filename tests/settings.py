"""The site's settings with a fast hasher."""

from pbxsite.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
