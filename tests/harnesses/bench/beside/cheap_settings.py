"""Passwords cost nothing here: what is measured is all the rest."""

from tests.harnesses.bench.beside.settings import *

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    *PASSWORD_HASHERS,
]
