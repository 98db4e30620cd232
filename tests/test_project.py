"""What holds for the project as a whole: its layout, its packages, its lists."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users.models import AuditEvent, PbxUser

ROOT = Path(__file__).parent.parent
TOP = {
    *("manage.py", "pyproject.toml", "README.md", "Makefile", ".ci", ".gitignore"),
    *("pbxsite", "authconfig", "verification", "templates", "tests"),
    *("requirements", "docs", "deploy", "findings"),
}
IMPORT = re.compile(r"^(?:from (?=\S+ import)|import )(\w+)", re.MULTILINE)
APPS = ("pbxsite", "authconfig", "verification")
STATIC = re.compile(r"""\{% static ["']([^"']+)["'] %\}""")
ROWS = 1000


def tracked() -> list[Path]:
    words = ["git", "ls-files"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in listed.stdout.splitlines()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_the_top_level_holds_nothing_else() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP


def modules() -> Iterator[Path]:
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.parent.name != "migrations":
                yield path


def test_no_folder_and_no_module_is_too_large_to_find_ones_way() -> None:
    folders = Counter(path.parent for path in modules())
    lines = {path: len(path.read_text().splitlines()) for path in modules()}
    commands = {path for path in lines if path.parent.name == "commands"}

    assert {folder for folder, count in folders.items() if count > 16} == set()
    assert {path for path, count in lines.items() if count > 400} == set()
    assert {path for path in commands if lines[path] > 100} == set()
    assert lines[ROOT / "pbxsite" / "settings.py"] < 250


def imported() -> Iterator[str]:
    """Yield the first name of each import that the site's own code runs."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            # Those that only types need stand further to the right.
            yield from IMPORT.findall(path.read_text())


def test_each_package_that_is_imported_is_asked_for() -> None:
    files = (ROOT / "requirements" / f"{name}.in" for name in ("server", "base"))
    wishes = "\n".join(file.read_text().lower() for file in files)
    asked = set(re.findall(r"^[\w-]+", wishes, re.MULTILINE))
    homes = packages_distributions()

    for name in set(imported()) - sys.stdlib_module_names - set(APPS):
        known = {home.lower().replace("_", "-") for home in homes[name]}
        assert asked & known, name


def test_each_static_file_that_a_page_names_is_there() -> None:
    for page in (ROOT / "templates").rglob("*.html"):
        for name in STATIC.findall(page.read_text()):
            if name.startswith("pbxsite/"):
                assert (ROOT / "pbxsite" / "static" / name).exists(), (page, name)


@pytest.fixture
def thousand(db: None) -> None:
    """A thousand users, each with an event and an account at the provider."""
    AuthenticationSettings.load()
    PbxUser.objects.bulk_create(PbxUser(name=f"u{i}") for i in range(ROWS))
    users = list(PbxUser.objects.filter(name__startswith="u"))
    AuditEvent.objects.bulk_create(
        AuditEvent(event="login", user=user, user_name=user.name) for user in users
    )
    ProviderIdentity.objects.bulk_create(
        ProviderIdentity(user=user, issuer="https://idp.example", subject=user.name)
        for user in users
    )


@pytest.mark.parametrize("model", admin.site._registry, ids=str)
@pytest.mark.database
@pytest.mark.usefixtures("thousand")
def test_each_list_of_the_admin_costs_few_queries(
    model: Any, admin_client_myapps: Browser, django_assert_max_num_queries: Any
) -> None:
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    admin_client_myapps.get(path)

    with django_assert_max_num_queries(14):
        assert admin_client_myapps.get(path).status_code == 200
