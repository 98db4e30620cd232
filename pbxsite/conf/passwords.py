"""How passwords are kept, and which new ones are taken."""

from __future__ import annotations

HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    # For secrets that the site makes itself, never for passwords.
    "pbxsite.gateway.openid.hashers.RandomSecretHasher",
]
VALIDATION = "django.contrib.auth.password_validation"
# NIST SP 800-63B-4, 3.1.1: length and a block list, no rules of composition.
VALIDATORS = [
    {"NAME": "authconfig.users.password_rules.MinimumLengthValidator"},
    {"NAME": f"{VALIDATION}.CommonPasswordValidator"},
    {
        "NAME": f"{VALIDATION}.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["name", "long_name", "email"]},
    },
]
