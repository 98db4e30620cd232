"""Getting in by a link that sets a password.

host header · reuse · two links · a changed address · deactivation · a session of myPBX
(test_second_factor.py, with two-factor authentication) · guessing · CSRF · the
referrer · a cached page · mail scanners · what the database and the log hold
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core import signing
from django.test import Client as Browser

from authconfig.choices import AuthenticationType
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.attacks import everything
from tests.support.browsers import sign_in
from tests.support.password_links import (
    NEW,
    deliver,
    forget,
    link_of,
    links,
    set_password,
)
from tests.support.smtp_servers import Server
from tests.verification.login.test_rescue import PROVIDERS
from verification.password_links import invitations
from verification.password_links.models import PasswordLink
from verification.password_links.tokens import SALT

pytestmark = pytest.mark.django_db
OPENED = ("get", "head", "options")


@pytest.fixture
def site(server: Server, configure: SettingsSetter) -> Server:
    configure(two_factor=False)
    return server


@pytest.fixture
def link(site: Server, user: PbxUser) -> str:
    forget()
    deliver()
    [found] = links(site)
    return found


@pytest.fixture
def invitation(site: Server, user: PbxUser) -> str:
    invitations.start(invitations.choose([user]), actor=None)
    deliver()
    return links(site)[-1]


def is_unchanged(user: PbxUser) -> bool:
    user.refresh_from_db()
    return user.check_password(PASSWORD)


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_FORWARDED_HOST": "evil.test"},
        {"HTTP_HOST": "localhost", "HTTP_FORWARDED": "host=evil.test"},
        {"HTTP_HOST": "localhost", "HTTP_X_HOST": "evil.test"},
        {"HTTP_HOST": "127.0.0.1:6666"},
    ],
    ids=["forwarded", "RFC 7239", "another name of ours", "another port"],
)
def test_a_forged_host_stands_in_no_link(
    site: Server, user: PbxUser, headers: dict[str, str]
) -> None:
    forget(**headers)
    deliver()

    [mail] = site.mails
    assert b"evil" not in mail.content
    hosts = re.findall(r"https?://[^/\s\"]+", mail.content.decode())
    assert set(hosts) == {"http://127.0.0.1:8000"}


@pytest.mark.parametrize("method", OPENED)
def test_opening_a_link_changes_nothing(link: str, method: str) -> None:
    before = everything()

    for agent in ("Barracuda", "Microsoft Office", "curl/8"):
        answer = getattr(Browser(HTTP_USER_AGENT=agent), method)(link)
        assert not answer.cookies.get("pbx_session")

    assert everything() == before


@pytest.mark.database
def test_a_link_works_once(link: str, user: PbxUser) -> None:
    assert set_password(link).status_code == 302

    assert set_password(link, "stolen long password").status_code == 410
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.database
def test_of_two_links_only_the_newer_one_works(site: Server, link: str) -> None:
    forget()
    deliver()
    older, newer = links(site)

    assert older == link
    assert set_password(older).status_code == 410
    assert set_password(newer).status_code == 302


def test_a_strangers_wish_ends_no_invitation(site: Server, invitation: str) -> None:
    forget()
    deliver()

    assert set_password(invitation).status_code == 302


def change_address(user: PbxUser) -> None:
    PbxUser.objects.update(email="anna@elsewhere.example")


def change_password(user: PbxUser) -> None:
    user.set_password(PASSWORD)
    user.save()


def deactivate(user: PbxUser) -> None:
    PbxUser.objects.update(is_active=False)


def deactivate_for_a_while(user: PbxUser) -> None:
    PbxUser.objects.update(is_active=False)
    end_sessions([user])
    PbxUser.objects.update(is_active=True)


@pytest.mark.parametrize("which", ["link", "invitation"])
@pytest.mark.parametrize(
    "change", [change_address, change_password, deactivate, deactivate_for_a_while]
)
def test_a_link_ends_with_a_change_of_its_user(
    request: pytest.FixtureRequest,
    user: PbxUser,
    which: str,
    change: Callable[[PbxUser], None],
) -> None:
    link = request.getfixturevalue(which)
    change(user)

    assert Browser().get(link).status_code == 410
    assert set_password(link).status_code == 410
    assert is_unchanged(user)


def test_ending_all_sessions_ends_a_forgotten_ones_link_alone(
    link: str, invitation: str, user: PbxUser
) -> None:
    end_sessions([user])

    assert set_password(link).status_code == 410
    assert set_password(invitation).status_code == 302


@pytest.mark.parametrize("which", ["link", "invitation"])
@pytest.mark.parametrize(
    "type_", [AuthenticationType.NETLOGON_ONLY, AuthenticationType.OAUTH2_ONLY]
)
def test_a_link_ends_when_the_pbx_password_is_no_longer_in_use(
    request: pytest.FixtureRequest,
    configure: SettingsSetter,
    user: PbxUser,
    which: str,
    type_: AuthenticationType,
) -> None:
    link = request.getfixturevalue(which)
    configure(authentication_type=type_, **PROVIDERS)

    assert set_password(link).status_code == 410
    assert is_unchanged(user)


@pytest.mark.parametrize("kind", ["myapps", "mypbx"])
def test_a_session_adds_nothing_to_a_link_that_is_over(
    link: str, user: PbxUser, kind: str
) -> None:
    set_password(link)
    user.refresh_from_db()

    stolen = set_password(link, "stolen long password", sign_in(user, kind))

    assert stolen.status_code == 410
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1",
        signing.dumps(1),
        signing.dumps(1, key="another key", salt=SALT),
        signing.dumps("1; DROP TABLE", salt=SALT),
        signing.dumps([1], salt=SALT),
        "9" * 4000,
    ],
    ids=["none", "plain", "unsalted", "other key", "text", "list", "long"],
)
def test_a_token_cannot_be_made_up(user: PbxUser, site: Server, token: str) -> None:
    assert set_password(f"/account/password/set/?id={token}").status_code == 410
    assert is_unchanged(user)


def test_a_link_without_its_mail_opens_nothing(site: Server, user: PbxUser) -> None:
    """Its row exists before the mail is written, and its token is only a number."""
    invitations.start(invitations.choose([user]), actor=None)
    waiting = PasswordLink.objects.get()

    token = signing.dumps(waiting.pk, salt=SALT)

    assert set_password(f"/account/password/set/?id={token}").status_code == 410


def test_neither_the_database_nor_the_log_holds_a_link(
    site: Server, user: PbxUser, caplog: pytest.LogCaptureFixture
) -> None:
    forget()
    deliver()
    [link] = links(site)
    set_password(link)

    token = link.partition("id=")[2]
    assert token not in everything() + caplog.text
    assert NEW not in everything() + caplog.text


@pytest.mark.parametrize("path", ["/login/forgot/", "/mypbx/login/forgot/"])
def test_another_site_asks_for_no_link(site: Server, user: PbxUser, path: str) -> None:
    answer = Browser(enforce_csrf_checks=True).post(path, {"login": "anna"})
    deliver()

    assert answer.status_code == 403
    assert not site.mails


def test_another_site_uses_no_link(link: str, user: PbxUser) -> None:
    answer = set_password(link, NEW, Browser(enforce_csrf_checks=True))

    assert answer.status_code == 403
    assert is_unchanged(user)


def test_no_other_site_hears_of_a_link(link: str) -> None:
    page = Browser().get(link)

    assert page["Referrer-Policy"] == "same-origin"
    assert not re.search(rb'(src|href|action)="(https?:)?//', page.content)
    assert set_password(link)["Location"] == "/account/password/set/done/"


@pytest.mark.parametrize("end", ["open", "used"])
def test_no_page_of_a_link_is_kept(link: str, end: str) -> None:
    if end == "used":
        set_password(link)

    for path in (link, "/login/forgot/", "/login/forgot/sent/"):
        assert "no-store" in Browser().get(path)["Cache-Control"]


def test_the_page_of_a_link_sends_nothing_by_itself(link: str) -> None:
    page = Browser().get(link).content.decode()
    scripts = re.findall(r'<script[^>]*src="/static/([^"]+)"', page)

    assert scripts == [
        f"pbxsite/{name}.js" for name in ("preferences", "times", "login")
    ]
    assert not re.search(r"onload|http-equiv=.refresh", page)


def test_a_password_set_by_a_link_knows_no_address(
    link: str, user: PbxUser, start: Starter
) -> None:
    set_password(link)

    assert not user.known_addresses.exists()


def test_failures_in_a_row_outlast_a_new_password(
    link: str, user: PbxUser, start: Starter
) -> None:
    start(Browser(), password="wrong password")

    set_password(link)

    assert user.failure_counts.get().in_row == 1


def test_a_link_does_not_log_in(link: str, site: Server) -> None:
    browser = Browser()

    set_password(link, NEW, browser)

    assert browser.get("/account/").status_code == 302
    assert link_of(site.mails[0]) == link
