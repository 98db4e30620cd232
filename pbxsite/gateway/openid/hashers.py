"""The hasher of random secrets, which nobody can guess."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class RandomSecretHasher(PBKDF2PasswordHasher):
    """One round, for 256 random bits (OWASP ASVS 5.0, 6.5.2).

    Clients show their secrets every few seconds; Argon2 would cost each of them what a
    login costs, and would make these secrets no safer.
    """

    algorithm = "pbkdf2_sha256_random"
    iterations = 1
