from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser

from authconfig.users.models import PbxUser

STATIC = Path(__file__).resolve().parents[3] / "pbxsite" / "static" / "pbxsite"
DECLARATION = re.compile(r"--([\w-]+):\s*([^;]+);")


@pytest.mark.django_db
def test_pages_of_the_admin_have_the_user_pages_colours(
    admin_client_myapps: Browser,
) -> None:
    linked = re.findall(
        r'<link href="/static/pbxsite/([\w.]+)" rel="stylesheet">',
        admin_client_myapps.get("/admin/").content.decode(),
    )

    assert linked[:3] == ["tokens.css", "components.css", "admin.css"]


def test_theme_has_the_user_pages_scales() -> None:
    tokens = dict(DECLARATION.findall((STATIC / "tokens.css").read_text()))

    for scale, weights in settings.UNFOLD["COLORS"].items():
        assert len(weights) == 11
        for weight, value in weights.items():
            assert value == tokens[f"{scale}-{weight}"]


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["x", "-1", "9" * 400])
def test_a_page_of_a_search_that_is_none_is_refused(admin: Browser, page: str) -> None:
    assert admin.get("/admin/search/", {"s": "user", "page": page}).status_code == 400


@pytest.mark.django_db
def test_the_search_finds_the_menus_pages_and_users(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    def found(entered: str) -> str:
        answer = admin_client_myapps.get(f"/admin/search/?s={entered}&extended=1")
        return answer.content.decode()

    assert 'href="/admin/queue/"' in found("queue")
    assert 'href="/admin/users/auditevent/"' in found("audit log")
    assert f'href="/admin/users/pbxuser/{user.pk}/change/"' in found("ann")
    # In the words of either version of the theme.
    assert re.search("No results|Nothing matched", found("nothing like it"))
    words = re.sub(r"<[^>]+>", "", found("audit log"))
    assert re.search(r"Found 1 result in \d+\.\d\d seconds", words)


@pytest.mark.django_db
def test_the_search_shows_what_may_be_opened_alone(
    admin_client_myapps: Browser, administrator: PbxUser, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=administrator.pk).update(is_superuser=False)

    for entered in ("ann", "queue", "audit"):
        answer = admin_client_myapps.get(f"/admin/search/?s={entered}&extended=1")
        assert "<a " not in answer.content.decode()
