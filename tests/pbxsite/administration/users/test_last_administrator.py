"""The last administrator who can log in stays one, whatever door a change comes by."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.choices import Event, Method
from authconfig.lockout import leaves_nobody, needs_password
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.audit import proof_of
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.pbxsite.administration.users.test_import_pages import HEADER, confirm, upload
from tests.pbxsite.administration.users.test_users import LIST, change, page
from tests.support.browsers import sign_in

pytestmark = pytest.mark.django_db
SAYS = "No other administrator can log in with the present settings"


@pytest.fixture
def last(db: None) -> PbxUser:
    """He can log in; the administrator whose browser it is cannot any more."""
    return PbxUser.objects.create_superuser("last", PASSWORD, email="l@example.com")


@pytest.fixture
def admin(last: PbxUser) -> Browser:
    """Signed in as by a rescue link: without a PBX password and an address."""
    return sign_in(PbxUser.objects.create_superuser("admin"))


def told(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("right", ["is_active", "is_staff", "is_superuser"])
def test_he_keeps_his_rights(admin: Browser, last: PbxUser, right: str) -> None:
    values = {right: ""} | ({"is_superuser": ""} if right == "is_staff" else {})

    assert SAYS in told(change(admin, last, **values))

    last.refresh_from_db()
    assert getattr(last, right)


def test_another_one_may_go(admin: Browser, last: PbxUser) -> None:
    PbxUser.objects.create_superuser("other", PASSWORD)

    change(admin, last, is_active="")

    last.refresh_from_db()
    assert not last.is_active


def test_what_takes_no_way_in_is_allowed(admin: Browser, last: PbxUser) -> None:
    change(admin, last, long_name="Last One", email="")

    last.refresh_from_db()
    assert (last.long_name, last.email) == ("Last One", "")


@pytest.mark.usefixtures("two_factor")
def test_he_keeps_his_address_while_two_factor_is_on(
    admin: Browser, last: PbxUser
) -> None:
    assert "nobody could approve a login any more" in told(
        change(admin, last, email="")
    )

    last.refresh_from_db()
    assert last.email == "l@example.com"


def test_he_keeps_his_password(admin: Browser, last: PbxUser) -> None:
    removal = {"usable_password": "false", "unset-password": "yes"}
    answer = admin.post(f"{LIST}{last.pk}/password/", removal)

    assert SAYS in told(answer)
    last.refresh_from_db()
    assert last.has_usable_password()


def test_he_may_lose_it_where_his_windows_password_works(
    configure: SettingsSetter, last: PbxUser
) -> None:
    rules = configure(authentication_type="pbx_and_netlogon", netlogon_domain="a.b")
    assert needs_password(last)
    proof = proof_of(rules, Method.NETLOGON)

    audit.record(Event.LOGIN, user=last, method=Method.NETLOGON, proof=proof)

    assert not needs_password(last)


@pytest.mark.database
def test_he_is_not_deleted(admin: Browser, last: PbxUser) -> None:
    answer = admin.post(f"{LIST}{last.pk}/delete/", {"post": "yes"})

    assert SAYS in told(answer)
    assert PbxUser.objects.filter(pk=last.pk).exists()


@pytest.mark.database
def test_nor_are_all_of_several(admin: Browser, last: PbxUser) -> None:
    other = PbxUser.objects.create_superuser("other", PASSWORD)
    chosen = {"_selected_action": [last.pk, other.pk]}
    action = {"action": "delete_selected", "post": "yes"}

    assert SAYS in told(admin.post(LIST, chosen | action))

    assert PbxUser.objects.filter(pk__in=[last.pk, other.pk]).count() == 2


def test_a_file_does_not_deactivate_him(admin: Browser, last: PbxUser) -> None:
    row = "last,,l@example.com,,0\n"
    assert SAYS in told(upload(admin, row))
    other = PbxUser.objects.create_superuser("other", PASSWORD)
    preview = upload(admin, row)
    other.delete()

    assert SAYS in told(confirm(admin, preview))

    last.refresh_from_db()
    assert last.is_active


@pytest.mark.usefixtures("two_factor")
def test_a_file_does_not_take_his_address(admin: Browser, last: PbxUser) -> None:
    assert SAYS in told(upload(admin, "last,,,,1\n"))


def test_the_command_line_warns_and_obeys(
    last: PbxUser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"{HEADER}last,,l@example.com,,0\n")

    call_command("pbxusers", "import", str(file))

    assert "Warning: no administrator can log in" in capsys.readouterr().err
    last.refresh_from_db()
    assert not last.is_active


def test_of_a_windows_password_only_a_login_tells(
    configure: SettingsSetter, last: PbxUser
) -> None:
    rules = configure(authentication_type="netlogon_only", netlogon_domain="a.b")
    assert not leaves_nobody([last])
    proof = proof_of(rules, Method.NETLOGON)

    audit.record(Event.LOGIN, user=last, method=Method.NETLOGON, proof=proof)

    assert leaves_nobody([last])


def test_the_page_itself_shows_him_as_ever(admin: Browser, last: PbxUser) -> None:
    AuthenticationSettings.load()

    assert SAYS not in told(admin.get(page(last)))
