from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.users import import_pages
from tests.conftest import PASSWORD
from tests.pbxsite.administration.users.test_users import LIST, told
from tests.support.browsers import sign_in

HEADER = "name,long_name,email,number,active\n"
IMPORT = f"{LIST}import/"


def upload(browser: Browser, rows: str) -> HttpResponse:
    file = SimpleUploadedFile("users.csv", (HEADER + rows).encode())
    return browser.post(IMPORT, {"import_file": file})


def confirm(browser: Browser, preview: HttpResponse) -> HttpResponse:
    form = preview.context["confirm_form"]
    return browser.post(f"{LIST}process_import/", form.initial, follow=True)


def test_a_preview_shows_what_happens_and_saves_nothing(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    rows = "anna,Anna <b>Berg,anna@example.com,,0\nfritz,Fritz,f@example.com,5,1\n"

    html = upload(admin_client_myapps, rows).content.decode()

    assert "1 user to add, 1 to change, 0 unchanged" in html
    assert "Anna Berg → Anna &lt;b&gt;Berg, active: On → Off" in html
    assert "is added: Fritz, f@example.com, 5" in html
    assert PbxUser.objects.count() == 2
    assert PbxUser.objects.get(pk=user.pk).is_active


def test_a_confirmed_file_is_imported(
    admin_client_myapps: Browser, administrator: PbxUser
) -> None:
    preview = upload(admin_client_myapps, "fritz,,,,1\n")

    done = confirm(admin_client_myapps, preview)

    assert "1 user added, 0 changed, 0 unchanged." in done.content.decode()
    assert told() == [("fritz", "import: added")]
    assert AuditEvent.objects.get(event=Event.USER_CHANGED).actor == administrator


def test_an_import_says_who_could_not_log_in(admin_client_myapps: Browser) -> None:
    preview = upload(admin_client_myapps, "ben,,,,1\ncleo,,,,1\nold,,,,0\n")
    done = confirm(admin_client_myapps, preview)

    said = "2 users cannot log in."
    assert said in preview.content.decode()
    assert said in done.content.decode()
    listed = "/admin/users/pbxuser/access/?myapps=no&amp;is_active__exact=1"
    assert listed in done.content.decode()
    found = admin_client_myapps.get(listed.replace("&amp;", "&")).context["cl"]
    assert [user.name for user in found.result_list] == ["ben", "cleo"]


def test_faults_are_shown_and_cannot_be_confirmed(
    admin_client_myapps: Browser,
) -> None:
    answer = upload(admin_client_myapps, "b,,nonsense,,1\nc,,,,perhaps\n")

    html = answer.content.decode()
    assert "Line 2, email “nonsense”: Enter a valid email address." in html
    assert "Line 3, active “perhaps”" in html
    assert "confirm_form" not in answer.context


def test_a_file_of_another_shape_is_explained(admin_client_myapps: Browser) -> None:
    html = upload(admin_client_myapps, "b,to,o,ma,n,y\n").content.decode()

    assert "Line 2 has 6 values instead of 5." in html


def test_a_file_in_the_spreadsheets_encoding_is_confirmed_as_it_was_read(
    admin_client_myapps: Browser,
) -> None:
    content = f"{HEADER}jörg,Jörg Groß\n".encode("utf-16")
    file = SimpleUploadedFile("users.csv", content)
    preview = admin_client_myapps.post(IMPORT, {"import_file": file})

    confirm(admin_client_myapps, preview)

    assert PbxUser.objects.get(name="jörg").long_name == "Jörg Groß"


def test_the_template_has_the_columns_and_no_users(
    admin_client_myapps: Browser,
) -> None:
    page = admin_client_myapps.get(IMPORT).content.decode()
    answer = admin_client_myapps.get(f"{LIST}template/")

    assert f'href="{LIST}template/"' in page
    assert "attachment" in answer["Content-Disposition"]
    assert answer.content == b"\xef\xbb\xbf" + HEADER.strip().encode() + b"\r\n"


def test_what_changed_since_the_preview_is_checked_again(
    admin_client_myapps: Browser,
) -> None:
    preview = upload(admin_client_myapps, "fritz,,,5,1\ngerd,,,6,1\n")
    PbxUser.objects.create_user("other", number="6")

    html = confirm(admin_client_myapps, preview).content.decode()

    assert "Nothing was imported. Line 3, number “6”: other has this number." in html
    assert not PbxUser.objects.filter(name="fritz").exists()


def test_an_upload_is_confirmed_once(admin_client_myapps: Browser) -> None:
    preview = upload(admin_client_myapps, "fritz,,,,1\n")
    confirm(admin_client_myapps, preview)

    html = confirm(admin_client_myapps, preview).content.decode()

    assert "The file is no longer here." in html


def test_a_large_file_is_refused(
    admin_client_myapps: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pages, "MAX_BYTES", 40)

    html = upload(admin_client_myapps, "fritz,,,,1\n").content.decode()

    assert "can be imported here" in html


def test_an_export_opens_in_a_spreadsheet_and_comes_back(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(long_name="=HYPERLINK()")

    answer = admin_client_myapps.get(f"{LIST}export/?q=anna")
    text = answer.content.decode("utf-8-sig")

    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert text.splitlines()[1:] == ["anna,'=HYPERLINK(),anna@example.com,,1"]
    again = upload(admin_client_myapps, text.partition("\n")[2])
    assert "0 to change, 1 unchanged" in again.content.decode()


@pytest.mark.django_db
def test_import_and_export_need_rights() -> None:
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename="view_pbxuser"))
    browser = sign_in(helper)

    assert browser.get(f"{LIST}export/").status_code == 200
    assert browser.get(IMPORT).status_code == 403
    assert browser.get(f"{LIST}template/").status_code == 403
    helper.user_permissions.clear()
    assert browser.get(f"{LIST}export/").status_code == 403
