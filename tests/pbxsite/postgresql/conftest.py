from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.own_postgresql import OwnPostgreSQL, own_postgresql


@pytest.fixture(scope="package")
def server() -> Iterator[OwnPostgreSQL]:
    with own_postgresql() as started:
        yield started
