"""Who may open and change the page "Authentication"."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.forms.models import model_to_dict
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.support.browsers import sign_in
from tests.support.settings_data import posted

PAGE = "/admin/authconfig/authenticationsettings/"


def test_single_row_has_no_other_pages(admin: Browser) -> None:
    AuthenticationSettings.load()

    assert admin.get(f"{PAGE}add/").status_code == 403
    assert admin.get(f"{PAGE}1/delete/").status_code == 403
    assert admin.get(f"{PAGE}1/change/").headers["Location"] == PAGE


@pytest.mark.parametrize("path", ["", "preview/", "send-test/"])
def test_page_is_for_administrators_who_may_change_it(user: PbxUser, path: str) -> None:
    assert sign_in(user).post(PAGE + path).status_code == 302
    user.is_staff = True
    user.save()
    assert sign_in(user).post(PAGE + path).status_code == 403
    assert sign_in(user, "mypbx").post(PAGE + path).status_code == 302
    assert Browser().post(PAGE + path).status_code == 302
    unchanged = AuthenticationSettings(pk=1)
    assert model_to_dict(AuthenticationSettings.load()) == model_to_dict(unchanged)


def test_operator_with_the_permission_may_change_it(user: PbxUser) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(
        Permission.objects.get(codename="change_authenticationsettings")
    )

    assert sign_in(user).get(PAGE).status_code == 200


@pytest.mark.parametrize("path", ["", "preview/", "send-test/"])
def test_post_from_another_site_is_refused(administrator: PbxUser, path: str) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(administrator)
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    assert browser.post(PAGE + path, posted()).status_code == 403


@pytest.mark.parametrize("path", ["preview/", "send-test/"])
def test_questions_are_asked_by_post_alone(admin: Browser, path: str) -> None:
    assert admin.get(PAGE + path).status_code == 405
