"""PBX passwords that are kept for digest logins: from when on, and how long."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db.models import TextField
from django.db.models.functions import Cast
from django.test import Client as Browser
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from authconfig.fields import decrypted
from authconfig.models import current_rules
from authconfig.users import kept_passwords
from authconfig.users.changes import end_sessions
from authconfig.users.kept_passwords import kept_password_of
from authconfig.users.models import KeptPassword, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.directory import WINDOWS_PASSWORD
from tests.support.settings_data import posted

pytestmark = pytest.mark.django_db
NEW = "seven purple lamps"
NEWS = {"new_password1": NEW, "new_password2": NEW}
SETS = {"password1": NEW, "password2": NEW, "usable_password": "true"}
USERS = "/admin/users/pbxuser/"
PAGE = "/admin/authconfig/authenticationsettings/"


@pytest.fixture
def digests(configure: SettingsSetter) -> None:
    configure(myapps_digest_logins=True)


@pytest.fixture
def kept(digests: None, user: PbxUser) -> PbxUser:
    """Anna, whose password is kept."""
    kept_passwords.keep(user, PASSWORD)
    assert kept_password_of(user) == PASSWORD
    return user


def present(name: str = "anna") -> str | None:
    return kept_password_of(PbxUser.objects.get(name=name))


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_a_login_on_the_page_keeps_the_password(
    digests: None, start: Starter, path: str
) -> None:
    start(Browser(), path=path)

    assert present() == PASSWORD


def test_a_wrong_password_is_not_kept(digests: None, start: Starter) -> None:
    start(Browser(), password=NEW)

    assert not KeptPassword.objects.exists()


def test_nothing_is_kept_while_the_switch_is_off(start: Starter, user: PbxUser) -> None:
    start(Browser())
    kept_passwords.keep(user, PASSWORD)

    assert not KeptPassword.objects.exists()


def test_a_windows_password_is_not_kept(
    netlogon: SettingsSetter, digests: None, start: Starter
) -> None:
    netlogon(authentication_type="pbx_and_netlogon")
    assert start(Browser(), password=WINDOWS_PASSWORD).status_code == 302

    assert not KeptPassword.objects.exists()


def own_change(admin: Browser, user: PbxUser) -> None:
    own = Browser()
    own.post("/login/", {"login": "anna", "password": PASSWORD})
    own.post("/account/password/", {"old_password": PASSWORD} | NEWS)


def administrators_change(admin: Browser, user: PbxUser) -> None:
    admin.post(f"{USERS}{user.pk}/password/", SETS)


@pytest.mark.parametrize("change", [own_change, administrators_change])
def test_a_changed_password_is_kept_in_place_of_the_old_one(
    kept: PbxUser, admin: Browser, change: Callable[[Browser, PbxUser], None]
) -> None:
    change(admin, kept)

    assert present() == NEW
    assert KeptPassword.objects.count() == 1


def test_a_password_that_the_site_made_is_kept(kept: PbxUser, admin: Browser) -> None:
    shown = admin.post(f"{USERS}{kept.pk}/generate/").content.decode()

    assert f'value="{present()}"' in shown


def test_a_new_users_password_is_kept(digests: None, admin: Browser) -> None:
    admin.post(f"{USERS}add/", {"name": "fritz"} | SETS)

    assert present("fritz") == NEW


def test_the_command_line_keeps_a_new_users_password(
    digests: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{NEW}\n"))
    call_command("pbxusers", "add", "fritz", "--password-stdin", stdout=StringIO())

    assert present("fritz") == NEW


def test_a_removed_password_is_not_kept(kept: PbxUser, admin: Browser) -> None:
    url = f"{USERS}{kept.pk}/password/"
    admin.post(url, {"usable_password": "false", "unset-password": ""})

    assert not KeptPassword.objects.exists()


def test_whatever_sets_a_password_keeps_it() -> None:
    listed = subprocess.check_output(["git", "ls-files", "*.py"], text=True)
    of_users = ("authconfig/users/models.py", "authconfig/users/passwords.py")
    sets = re.compile(r"user\.set_password\(|PASSWORD_FIELDS\b")
    files = {
        name: Path(settings.BASE_DIR, name).read_text()
        for name in listed.splitlines()
        if not name.startswith("tests/") and name not in of_users
    }
    found = {name for name, text in files.items() if sets.search(text)}

    assert len(found) == 5
    assert [name for name in found if "kept_passwords.keep(" not in files[name]] == []


def test_it_is_encrypted_and_rotates(kept: PbxUser, settings: Settings) -> None:
    def stored() -> str:
        rows = KeptPassword.objects.annotate(held=Cast("password", TextField()))
        return str(rows.values_list("held", flat=True)[0])

    before = stored()
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]
    call_command("rotatekeys", stdout=StringIO())
    settings.ENCRYPTION_KEYS = ["new"]

    assert PASSWORD not in before
    assert decrypted(stored()) == PASSWORD


def switch_off(admin: Browser, user: PbxUser) -> None:
    shown = posted()
    del shown["myapps_digest_logins"]
    admin.post(PAGE, shown)


def deactivate(admin: Browser, user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)
    end_sessions([user])


def delete(admin: Browser, user: PbxUser) -> None:
    admin.post(f"{USERS}{user.pk}/delete/", {"post": "yes"})


@pytest.mark.database
@pytest.mark.parametrize("end", [switch_off, deactivate, delete])
def test_it_is_deleted_with_its_reason(
    kept: PbxUser, admin: Browser, end: Callable[[Browser, PbxUser], None]
) -> None:
    end(admin, kept)

    assert not KeptPassword.objects.exists()


def test_the_end_of_sessions_alone_deletes_none(kept: PbxUser) -> None:
    end_sessions([kept])

    assert present() == PASSWORD


@pytest.mark.parametrize(
    "values",
    [{"myapps_digest_logins": False}, {"authentication_type": "netlogon_only"}],
)
def test_rules_without_digest_logins_read_none(
    kept: PbxUser, configure: SettingsSetter, values: dict[str, object]
) -> None:
    configure(netlogon_domain="example.com", **values)

    assert present() is None


def test_an_inactive_users_is_not_read(kept: PbxUser) -> None:
    kept.is_active = False

    assert kept_password_of(kept) is None


def test_a_password_that_was_changed_past_it_is_not_read(kept: PbxUser) -> None:
    kept.set_password(NEW)
    kept.save()

    assert present() is None


def test_a_renewed_hash_leaves_it(kept: PbxUser) -> None:
    kept.renew_hash(PASSWORD)

    assert present() == PASSWORD


@pytest.mark.database
@pytest.mark.parametrize("values", [{"password": "!"}, {"is_active": False}])
def test_a_login_that_is_overtaken_keeps_nothing(
    digests: None, user: PbxUser, values: dict[str, object]
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(**values)

    kept_passwords.keep(user, PASSWORD)

    assert not KeptPassword.objects.exists()


def test_a_login_during_the_switch_keeps_nothing(
    digests: None,
    user: PbxUser,
    configure: SettingsSetter,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    old_copy = current_rules()
    configure(myapps_digest_logins=False)
    current_rules._row = old_copy

    with django_capture_on_commit_callbacks(execute=True):
        kept_passwords.keep(user, PASSWORD)

    assert not KeptPassword.objects.exists()


def test_the_page_counts_users_with_and_without(kept: PbxUser, admin: Browser) -> None:
    PbxUser.objects.create_user("fritz")
    PbxUser.objects.create_user("hugo", PASSWORD, is_active=False)

    page = admin.get(PAGE).content.decode()

    assert "1 user has a kept password; 1 has none" in page


def test_the_page_counts_nobody_while_the_switch_is_off(admin: Browser) -> None:
    page = admin.get(PAGE).content.decode()

    assert "whoever has the database and its key can read them" in page
    assert "kept password;" not in page
