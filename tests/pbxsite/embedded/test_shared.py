"""What the process that is copied imports: all of it is in the memory of each copy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

IMPORTS = """
import json, os, sys, threading
before = os.listdir("/proc/self/fd")
import django
django.setup()
from django.core.management import load_command_class
load_command_class("pbxsite", "runsite")
from pbxsite.embedded.shared import import_shared
import_shared()
from django.db import connection
known = {name for name, module in sys.modules.items() if module}
print(json.dumps({
    "libraries": sorted({n.partition(".")[0] for n in known} - sys.stdlib_module_names),
    "modules": sorted(known),
    "threads": [thread.name for thread in threading.enumerate()],
    "files": len(os.listdir("/proc/self/fd")) - len(before),
    "connection": repr(connection.connection),
}))
"""
OURS = {"authconfig", "pbxsite", "verification"}
# The web server, what it speaks and what its pages are made of.
WEB = {
    *("asgiref", "click", "csp", "django", "h11", "unfold", "uvicorn", "websockets"),
    *("whitenoise", "sqlparse", "prometheus_client", "environ"),
    *("ua_parser", "ua_parser_builtins"),
}
# Logins: passwords, Windows accounts, OAuth2, passkeys.
LOGINS = {
    *("allauth", "argon2", "_argon2_cffi_bindings", "cffi", "_cffi_backend"),
    *("cryptography", "_openssl", "jwt", "oauthlib", "fido2", "idna"),
    *("django_auth_ldap", "ldap", "_ldap", "ldapurl", "ldif", "dns"),
    *("pyasn1", "pyasn1_modules"),
    *("requests", "urllib3", "certifi", "charset_normalizer"),
}
# The worker, its scheduler and the way to them.
WORKER = {
    *("celery", "kombu", "billiard", "vine", "amqp", "redis", "psutil", "greenlet"),
    *("dateutil", "six", "tzlocal", "packaging"),
}
MAILBOX = {"aiosmtpd", "attr", "public"}
# Python's own, in so many words.
PYTHON = {"__main__", "__mp_main__", "_distutils_hack"}
# Kombu takes it where it is installed; the tests need it, a site does not.
TAKEN = {"yaml", "_yaml"}
# Large, and of no use to a site that runs.
UNNEEDED = (
    *("psycopg", "psycopg_pool", "prompt_toolkit", "pygments", "click_repl"),
    *("celery.bin", "celery.apps.multi", "django.test", "unittest", "pyrage"),
    *("django.contrib.postgres.fields", "pbxsite.backup", "tests", "pip", "uvloop"),
)


# Imported by the first page of the administration, or by the worker's start.
NEEDED_SOON = (
    "pbxsite.administration.front_page.page",
    "pbxsite.formats.en.formats",
    "pbxsite.formats.de.formats",
    "django.template.context_processors",
    "celery.app.amqp",
    "pbxsite.conf.redis_transport",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "pbxsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        cwd=settings.BASE_DIR,
        env=env | {"DATA_DIR": str(tmp_path_factory.mktemp("site"))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.long
def test_the_processes_share_these_libraries_and_no_other(
    found: dict[str, Any],
) -> None:
    generated = ("_sysconfigdata", "_cython_", "cython_runtime")
    libraries = {name for name in found["libraries"] if not name.startswith(generated)}

    assert libraries - TAKEN == OURS | WEB | LOGINS | WORKER | MAILBOX | PYTHON


@pytest.mark.long
@pytest.mark.parametrize("name", UNNEEDED)
def test_what_no_process_needs_is_not_imported(
    found: dict[str, Any], name: str
) -> None:
    assert name not in found["modules"]


@pytest.mark.long
@pytest.mark.parametrize("name", NEEDED_SOON)
def test_what_is_needed_soon_is_imported_once(found: dict[str, Any], name: str) -> None:
    assert name in found["modules"]


@pytest.mark.long
def test_no_migration_is_imported_once_all_are_done(found: dict[str, Any]) -> None:
    files = [each for each in found["modules"] if ".migrations.0" in each]

    assert files == []


@pytest.mark.long
def test_what_is_copied_has_no_thread_file_or_connection(found: dict[str, Any]) -> None:
    assert found["threads"] == ["MainThread"]
    assert found["files"] == 0
    assert found["connection"] == "None"
