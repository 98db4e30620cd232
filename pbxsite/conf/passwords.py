"""How passwords are kept, and which new ones are taken."""

from __future__ import annotations

import os

HASHERS = [
    "authconfig.users.passwords.Argon2Hasher",
    "authconfig.users.passwords.Pbkdf2Hasher",
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


def hashes_at_once(given: str) -> int:
    """Return how many a process hashes: else as many as it may use processors."""
    if not given.strip():
        return len(os.sched_getaffinity(0))
    if not given.strip().isdecimal() or int(given) < 1:
        raise SystemExit(f"LIMIT_HASHES is “{given}”; write a whole number, 1 or more.")
    return int(given)
