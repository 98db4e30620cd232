"""What is ready before the first request comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.template.base import Template
from django.template.engine import Engine
from django.test import Client

from pbxsite.edge.warming import warm_up
from verification.sessions import user_agents

pytestmark = pytest.mark.django_db
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture
def compiled() -> Iterator[dict[str, Any]]:
    """The templates that are compiled; none of a test before."""
    [loader] = Engine.get_default().template_loaders
    loader.reset()
    warm_up.cache_clear()
    warm_up()
    yield loader.get_template_cache
    loader.reset()


def late(compiled: dict[str, Any], before: set[str]) -> list[str]:
    """What is there since; not the names that were looked for in vain."""
    new = set(compiled) - before
    return sorted(name for name in new if isinstance(compiled[name], Template))


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_no_template_of_a_login_is_compiled_late(
    compiled: dict[str, Any], client: Client, path: str
) -> None:
    before = set(compiled)

    assert client.get(path).status_code == 200
    assert late(compiled, before) == []


@pytest.mark.parametrize("path", ["/admin/", SETTINGS, "/account/"])
def test_no_template_of_an_administrators_first_pages_is_compiled_late(
    admin_client_myapps: Client, compiled: dict[str, Any], path: str
) -> None:
    before = set(compiled)

    assert admin_client_myapps.get(path).status_code == 200
    assert late(compiled, before) == []


def test_it_asks_no_database(
    django_assert_num_queries: Any, compiled: dict[str, Any]
) -> None:
    warm_up.cache_clear()
    with django_assert_num_queries(0):
        warm_up()
    assert compiled


def test_browsers_are_known_before_the_first_request() -> None:
    user_agents._families.cache_clear()
    warm_up.cache_clear()

    warm_up()
    assert user_agents._families.cache_info().misses == 1
