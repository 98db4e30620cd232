"""Whether a name is known cannot be told by how long “Forgot your password?” takes."""

from __future__ import annotations

import gc
import time
from statistics import median

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from tests.support.smtp_servers import Server

pytestmark = [pytest.mark.django_db, pytest.mark.database]
TRIES = 200


def seconds_for(name: str, number: int) -> float:
    """Ask from an address of its own: none of them reaches its limit."""
    browser = Browser(REMOTE_ADDR=f"198.51.{number // 250}.{number % 250 + 1}")
    began = time.perf_counter()
    answer = browser.post("/login/forgot/", {"login": name})
    seconds = time.perf_counter() - began
    assert (answer.status_code, answer["Location"]) == (302, "/login/forgot/sent/")
    return seconds


@pytest.mark.long
def test_known_and_unknown_names_take_as_long(server: Server) -> None:
    PbxUser.objects.bulk_create(
        PbxUser(
            name=f"known{n}",
            name_key=f"known{n}",
            email=f"known{n}@example.com",
            password="md5$salt$hash",
        )
        for n in range(TRIES)
    )
    known, unknown = [], []
    gc.disable()
    try:
        for n in range(TRIES):
            # In turn, so that whatever else the machine does hits both alike.
            known.append(seconds_for(f"known{n}", 2 * n))
            unknown.append(seconds_for(f"other{n}", 2 * n + 1))
    finally:
        gc.enable()

    assert 0.9 < median(known) / median(unknown) < 1.1
