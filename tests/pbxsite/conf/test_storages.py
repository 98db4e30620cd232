"""The files for browsers as a site in production has them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.conf import settings
from django.core.management import call_command
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.test import override_settings

OURS = Path(__file__).resolve().parents[3] / "pbxsite/static"
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")
HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")
STORAGE = {"BACKEND": "pbxsite.conf.storages.StaticFilesStorage"}
FINDER = "django.contrib.staticfiles.finders.FileSystemFinder"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Our own files alone: the libraries' are many."""
    root = tmp_path_factory.mktemp("static")
    before = os.umask(0o077)  # the site's own
    with override_settings(
        STORAGES={**settings.STORAGES, "staticfiles": STORAGE},
        STATIC_ROOT=root,
        STATICFILES_DIRS=[OURS],
        STATICFILES_FINDERS=[FINDER],
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
        os.umask(before)
        yield root


def test_the_proxy_may_read_all_of_it(collected: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in collected.rglob("*")}

    assert any(collected.rglob("*.gz"))
    assert modes == {0o644, 0o755}


def test_each_imported_module_is_there_under_the_name_of_its_content(
    collected: Path,
) -> None:
    imported: set[str] = set()
    waiting = [static("pbxsite/settings_page/main.js")]
    while waiting:
        url = waiting.pop()
        source = (collected / url.removeprefix(settings.STATIC_URL)).read_text()
        found = {urljoin(url, name) for name in IMPORT.findall(source)}
        waiting += found - imported
        imported |= found

    modules = {path.stem for path in (OURS / "pbxsite/settings_page").glob("*.js")}
    assert {Path(url).name.split(".")[0] for url in imported} | {"main"} == modules
    assert [url for url in imported if not HASHED.search(url)] == []


@pytest.mark.parametrize("status", [500, 503])
def test_the_last_pages_need_no_list_of_hashed_names(
    collected: Path, status: int
) -> None:
    with override_settings(STATIC_ROOT=collected / "nothing"):
        page = render_to_string(f"{status}.html")

    named = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert "pbxsite/site.css" in named
    assert [name for name in named if not (OURS / name).exists()] == []
