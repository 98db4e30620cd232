"""The settings of sites that tests run: the product's own, with a fast hasher."""

from pbxsite.settings import *

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    PASSWORD_HASHERS[-1],
]
