"""Inviting users in the administration, and passwords that the site makes."""

from __future__ import annotations

import re
import time

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.choices import AuthenticationType, Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.pbxsite.administration.users.test_import_pages import confirm, upload
from tests.support.browsers import sign_in
from tests.support.html import Page
from tests.support.password_links import deliver, links, set_password
from tests.support.smtp_servers import Server
from tests.verification.login.test_rescue import PROVIDERS
from verification.mail.models import OutgoingEmail, SendingPause
from verification.password_links import making
from verification.password_links.models import PasswordLink

pytestmark = pytest.mark.django_db
LIST = "/admin/users/pbxuser/"
MANY = f"{LIST}invite/"


@pytest.fixture
def site(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    configure(smtp_port=server.port, two_factor=False)
    return server


def add_users(count: int, **facts: object) -> None:
    """Add users without a password, as an import does."""
    PbxUser.objects.bulk_create(
        PbxUser(
            name=f"u{n}",
            name_key=f"u{n}",
            **{"email": f"u{n}@example.com", "password": "!"} | facts,
        )
        for n in range(count)
    )


def act(browser: Browser, *, all_of_them: bool = False) -> HttpResponse:
    chosen = list(PbxUser.objects.exclude(is_staff=True).values_list("pk", flat=True))
    words = {
        "action": "invite_selected",
        "_selected_action": chosen[:1] if all_of_them else chosen,
        "select_across": "1" if all_of_them else "0",
        "confirmed": "yes",
    }
    return browser.post(LIST, words)  # type: ignore[return-value]


def test_an_invited_user_sets_a_password_and_logs_in(
    site: Server, admin: Browser, start: Starter
) -> None:
    PbxUser.objects.create_user("fritz", email="fritz@example.com")
    fritz = PbxUser.objects.get(name="fritz")

    asked = admin.get(f"{LIST}{fritz.pk}/invite/").content.decode()
    done = admin.post(f"{LIST}{fritz.pk}/invite/")
    deliver()
    [link] = links(site)
    overview = admin.get("/admin/").content.decode()
    # Nobody has any yet.
    assert "sessions are ended" not in Browser().get(link).content.decode()
    assert set_password(link).status_code == 302

    assert "1 invitation is out, and not used yet." in overview
    assert "invitation is out" not in admin.get("/admin/").content.decode()
    assert "1 user gets an e-mail" in asked
    assert done.status_code == 302
    logged_in = start(Browser(), login="fritz", password="another long password")
    assert logged_in.url == "/account/"
    event = AuditEvent.objects.get(event=Event.INVITED)
    assert (event.user, event.actor.name) == (fritz, "admin")  # type: ignore[union-attr]


def test_an_invited_users_login_may_be_approved_by_e_mail(
    site: Server, admin: Browser, configure: SettingsSetter, start: Starter
) -> None:
    fritz = PbxUser.objects.create_user("fritz", email="fritz@example.com")
    configure(two_factor=True)
    admin.post(f"{LIST}{fritz.pk}/invite/")
    deliver()
    set_password(links(site)[0])

    start(Browser(), login="fritz", password="another long password")

    assert OutgoingEmail.objects.filter(kind="approval", user=fritz).exists()


def test_the_report_names_who_was_not_invited(site: Server, admin: Browser) -> None:
    add_users(2)
    PbxUser.objects.create_user("silent")
    PbxUser.objects.create_user("idle", email="idle@example.com", is_active=False)

    page = admin.get(act(admin).url).content.decode()

    assert re.search(r"silent</a>: no e-mail address", page)
    assert re.search(r"idle</a>: inactive", page)
    assert "2 users were not invited" in page
    assert PasswordLink.objects.count() == 2


def test_the_page_tells_how_far_it_is(site: Server, admin: Browser) -> None:
    add_users(3)
    address = admin.post(MANY).url
    numbers = []
    for step in (lambda: None, making.make_all, deliver):
        step()
        page = admin.get(f"{address}live/").content.decode()
        numbers.append(re.findall(r'class="figure">(\d+)', page))
    set_password(links(site)[0])
    page = admin.get(f"{address}live/").content.decode()

    assert numbers == [["3", "0", "0"], ["3", "0", "0"], ["3", "3", "0"]]
    assert re.findall(r'class="figure">(\d+)', page) == ["3", "3", "1"]
    assert "All invitations were sent." in page


def test_the_page_tells_why_invitations_wait(site: Server, admin: Browser) -> None:
    add_users(1)
    SendingPause.objects.create()
    address = admin.post(MANY).url
    page = Page(admin.get(f"{address}live/").content.decode())

    assert page.texts("verdict-title") == ["The invitations wait."]
    assert "Sending is paused" in page.text(id="invitations-verdict")
    assert "1 still waits" in page.text(id="invitations-numbers")


def test_who_has_no_password_is_invited_after_an_import(
    site: Server, admin: Browser, user: PbxUser
) -> None:
    rows = "".join(f"u{n},,u{n}@example.com,,1\n" for n in range(3))
    done = confirm(admin, upload(admin, f"{rows}silent,,,,1\n")).content.decode()
    asked = admin.get(MANY).content.decode()
    admin.post(MANY)
    deliver()

    assert "4 active users have no PBX password." in done
    assert f'href="{MANY}"' in done
    assert "3 users get an e-mail" in asked
    assert "The link works once, for 72 hours." in asked
    assert "Not invited, no e-mail address (1): silent" in asked
    told = sorted(mail.recipient for mail in site.mails)
    assert told == ["u0@example.com", "u1@example.com", "u2@example.com"]


@pytest.mark.parametrize(
    "rules",
    [
        {"authentication_type": AuthenticationType.NETLOGON_ONLY, **PROVIDERS},
        {"smtp_server": ""},
    ],
    ids=["no PBX password", "no account"],
)
def test_nobody_is_invited_for_nothing(
    site: Server, admin: Browser, configure: SettingsSetter, rules: dict[str, str]
) -> None:
    add_users(1)
    configure(**rules)

    refused = admin.get(admin.post(MANY).url).content.decode()

    assert "Nobody can be invited" in refused
    assert f'href="{MANY}"' not in refused
    assert not PasswordLink.objects.exists()


def test_who_has_some_rights_invites_no_administrator(site: Server) -> None:
    helper = PbxUser.objects.create_user(
        "helper", PASSWORD, email="helper@example.com", is_staff=True
    )
    rights = ["view_pbxuser", "change_pbxuser"]
    helper.user_permissions.set(Permission.objects.filter(codename__in=rights))
    chief = PbxUser.objects.create_superuser("chief", email="chief@example.com")
    add_users(1)
    browser = sign_in(helper)

    assert browser.post(f"{LIST}{chief.pk}/invite/").status_code == 403
    assert browser.post(f"{LIST}{chief.pk}/generate/").status_code == 403
    page = browser.get(browser.post(MANY).url).content.decode()

    assert "chief</a>: for administrators with all rights alone" in page
    assert PasswordLink.objects.get().user.name == "u0"


def test_who_may_only_look_invites_nobody(site: Server, user: PbxUser) -> None:
    guest = PbxUser.objects.create_user("guest", PASSWORD, is_staff=True)
    guest.user_permissions.set(Permission.objects.filter(codename="view_pbxuser"))
    browser = sign_in(guest)

    assert browser.post(MANY).status_code == 403
    assert browser.post(f"{LIST}{user.pk}/invite/").status_code == 403
    assert browser.post(f"{LIST}{user.pk}/generate/").status_code == 403
    assert f'href="{MANY}"' not in browser.get(LIST).content.decode()


@pytest.mark.long
@pytest.mark.database
def test_a_thousand_are_invited_while_nobody_waits(
    site: Server, admin: Browser
) -> None:
    add_users(1000)
    act(admin, all_of_them=True)
    seconds = []
    for _ in range(3):
        # Of this process: what else the machine does is not the page's.
        began = time.process_time()
        assert act(admin, all_of_them=True).status_code == 302
        seconds.append(time.process_time() - began)

    assert PasswordLink.objects.unfinished().count() == 1001
    assert min(seconds) < 0.3


@pytest.mark.database
def test_inviting_takes_few_queries_however_many_there_are(
    site: Server, admin: Browser, django_assert_max_num_queries: object
) -> None:
    add_users(400)
    with django_assert_max_num_queries(30):  # type: ignore[operator]
        act(admin, all_of_them=True)


def test_the_users_page_says_what_became_of_the_invitation(
    site: Server, admin: Browser
) -> None:
    fritz = PbxUser.objects.create_user("fritz", email="fritz@example.com")
    page, said = f"{LIST}{fritz.pk}/change/", []
    steps = (
        lambda: None,
        lambda: admin.post(f"{LIST}{fritz.pk}/invite/"),
        deliver,
        lambda: set_password(links(site)[0]),
    )
    for step in steps:
        step()
        html = admin.get(page).content.decode()
        found = re.search(
            r"Never invited|is being written|link works until|last one was used", html
        )
        assert found
        said.append(found[0])

    assert said == [
        "Never invited",
        "is being written",
        "link works until",
        "last one was used",
    ]


def test_a_password_that_the_site_made_is_shown_once(
    admin: Browser, user: PbxUser, signed_in: Browser, configure: SettingsSetter
) -> None:
    configure(password_min_length=30)
    page = f"{LIST}{user.pk}/generate/"

    asked = admin.get(page).content.decode()
    shown = admin.post(page)

    found = re.search(r'id="shown-once" value="([a-z2-9-]{30,})"', str(shown.content))
    assert found
    user.refresh_from_db()
    assert "It is shown once" in asked
    assert user.check_password(found[1])
    assert "no-store" in shown["Cache-Control"]
    assert found[1] not in admin.get(page).content.decode()
    assert signed_in.get("/account/").status_code == 302
    event = AuditEvent.objects.get(event=Event.PASSWORD_CHANGED)
    assert (event.detail, event.actor.name) == ("generated", "admin")  # type: ignore[union-attr]


def test_nobody_generates_their_own_password(
    admin: Browser, administrator: PbxUser
) -> None:
    answer = admin.post(f"{LIST}{administrator.pk}/generate/")

    assert answer.headers["Location"] == "/account/password/"
