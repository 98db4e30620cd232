"""A provider that does as a test tells it."""

from tests.verification.login.conftest import script as script
