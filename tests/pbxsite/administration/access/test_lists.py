from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

LOGINS = "/admin/approval/loginsession/"
MAILS = "/admin/mail/outgoingemail/"
SESSIONS = "/admin/usersessions/usersession/"
FACTORS = "/admin/mfa/authenticator/"
NOW = timezone.now()
# Later than the longest run of all tests ends.
THEN = NOW + timedelta(hours=3)


def rows(browser: Browser, path: str, **query: str) -> list[Any]:
    return list(browser.get(path, query).context["cl"].result_list)


def act(browser: Browser, path: str, action: str, *selected: Any) -> str:
    """Choose an action, then say yes."""
    chosen = [each.pk for each in selected]
    posted = {"action": action, "_selected_action": chosen}
    browser.post(path, posted)
    answer = browser.post(path, posted | {"confirmed": "yes"}, follow=True)
    return answer.content.decode()


def make_login(user: PbxUser, state: str, **values: Any) -> LoginSession:
    facts = {"kind": "myapps", "method": "pbx", "expires_at": THEN} | values
    facts["decided_at"] = None if state == LoginState.PENDING else NOW
    return LoginSession.objects.create(user=user, state=state, **facts)


@pytest.mark.parametrize("path", [LOGINS, MAILS, SESSIONS, FACTORS])
def test_the_lists_are_for_reading(
    admin_client_myapps: Browser, mail: OutgoingEmail, path: str
) -> None:
    for part in ("add/", "1/delete/"):
        assert admin_client_myapps.get(path + part).status_code in (302, 403)
    assert admin_client_myapps.post(f"{path}1/change/", {}).status_code in (302, 403)


def test_no_page_shows_a_code_or_a_link(
    admin_client_myapps: Browser, held: LoginSession, mail: OutgoingEmail
) -> None:
    pages = [LOGINS, f"{LOGINS}{held.pk}/change/", MAILS, f"{MAILS}{mail.pk}/change/"]

    for page in pages:
        html = admin_client_myapps.get(page).content.decode()
        for secret in (link_token(held), str(held.public_id), held.public_id.hex):
            assert secret not in html, page
        assert f">{approval_code(held)}<" not in html, page
        assert held.auth_hash not in html, page


def test_a_login_is_shown_by_what_became_of_it(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    make_login(user, LoginState.PENDING, expires_at=NOW - timedelta(minutes=1))
    make_login(user, LoginState.REJECTED, ending=Ending.WRONG_CODES)
    make_login(user, LoginState.COMPLETED, user_agent="Mozilla/5.0 Firefox/130.0")

    html = admin_client_myapps.get(LOGINS).content.decode()

    for words in ("Expired", "Three wrong codes", "Logged in", "Firefox"):
        assert words in html


@pytest.mark.database
@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("pending", 0),
        ("expired", 1),
        ("accepted", 1),
        ("rejected", 1),
        ("completed", 1),
        ("", 4),
    ],
)
def test_logins_are_filtered_by_the_state_that_people_see(
    admin_client_myapps: Browser, user: PbxUser, state: str, found: int
) -> None:
    make_login(user, LoginState.PENDING, expires_at=NOW - timedelta(minutes=1))
    make_login(user, LoginState.ACCEPTED)
    make_login(user, LoginState.REJECTED, ending=Ending.REJECTED)
    make_login(user, LoginState.COMPLETED)

    assert len(rows(admin_client_myapps, LOGINS, state=state)) == found


@pytest.mark.database
def test_selected_logins_are_rejected_and_counted(
    admin_client_myapps: Browser, administrator: PbxUser, held: LoginSession
) -> None:
    over = make_login(held.user, LoginState.COMPLETED)

    html = act(admin_client_myapps, LOGINS, "reject_selected", held, over)

    held.refresh_from_db()
    assert "1 login rejected." in html
    assert (held.state, held.ending) == (LoginState.REJECTED, Ending.ENDED)
    assert AuditEvent.objects.get(event=Event.LOGIN_ENDED).actor == administrator


@pytest.mark.parametrize(
    ("path", "action"), [(LOGINS, "reject_selected"), (SESSIONS, "end_selected")]
)
def test_an_action_asks_before_it_does_anything(
    admin_client_myapps: Browser,
    start: Starter,
    configure: SettingsSetter,
    two_factor: AuthenticationSettings,
    path: str,
    action: str,
) -> None:
    configure(two_factor=False)
    signed_in = Browser()
    start(signed_in)
    configure(two_factor=True)
    start(Browser(), HTTP_USER_AGENT="<b>Firefox/130.0")
    chosen = LoginSession if path == LOGINS else UserSession
    posted = {"action": action, "_selected_action": [chosen.objects.get().pk]}
    events = AuditEvent.objects.count()

    page = admin_client_myapps.post(path, posted).content.decode()

    assert "anna · " in page
    assert "<b>" not in page
    assert f'name="action" value="{action}"' in page
    assert f'name="_selected_action" value="{chosen.objects.get().pk}"' in page
    assert LoginSession.objects.get().state == LoginState.PENDING
    assert signed_in.get("/account/").status_code == 200
    assert AuditEvent.objects.count() == events


@pytest.mark.database
def test_mails_are_found_and_filtered(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    assert rows(admin_client_myapps, MAILS, q="anna@") == [mail]
    assert rows(admin_client_myapps, MAILS, state__exact=MailState.SENT) == []
    assert rows(admin_client_myapps, MAILS, kind__exact="approval") == [mail]


def test_a_session_is_ended_in_the_store(
    admin_client_myapps: Browser,
    administrator: PbxUser,
    start: Starter,
    browser: Browser,
) -> None:
    start(browser)
    session = UserSession.objects.get(user__name="anna")

    html = act(admin_client_myapps, SESSIONS, "end_selected", session)

    assert "1 session ended." in html
    assert not Session.objects.filter(session_key=session.session_key).exists()
    assert browser.get("/account/").status_code == 302
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert (event.user_name, event.actor) == ("anna", administrator)


def test_the_own_session_is_left(
    administrator: PbxUser, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser, login="admin")

    html = act(browser, SESSIONS, "end_selected", *UserSession.objects.all())

    assert "0 sessions ended." in html
    assert "Log out to end your own session." in html


@pytest.mark.database
def test_only_living_sessions_are_listed_and_no_key_is_shown(
    admin_client_myapps: Browser, start: Starter, browser: Browser, user: PbxUser
) -> None:
    start(browser)
    UserSession.objects.create(
        user=user, ip="192.0.2.9", session_key="dead", data={"kind": "myapps"}
    )
    session = UserSession.objects.get(session_key=browser.session.session_key)

    listed = rows(admin_client_myapps, SESSIONS, q="anna", client="myapps")
    pages = [SESSIONS, f"{SESSIONS}{session.pk}/change/"]

    assert listed == [session]
    for page in pages:
        html = admin_client_myapps.get(page).content.decode()
        assert session.session_key not in html


def test_who_may_only_look_ends_nothing(
    held: LoginSession, start: Starter, user: PbxUser
) -> None:
    viewer = PbxUser.objects.create_user("viewer", PASSWORD, is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view"))
    browser = Browser()
    browser.force_login(viewer)
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    assert rows(browser, LOGINS) == [held]
    act(browser, LOGINS, "reject_selected", held)

    held.refresh_from_db()
    assert held.state == LoginState.PENDING


@pytest.fixture
def thousand(user: PbxUser) -> None:
    """A thousand logins, mails and sessions of as many users."""
    PbxUser.objects.bulk_create(PbxUser(name=f"u{i}") for i in range(1000))
    users = PbxUser.objects.filter(name__startswith="u")
    LoginSession.objects.bulk_create(
        LoginSession(user=each, kind="myapps", method="pbx", expires_at=THEN)
        for each in users
    )
    OutgoingEmail.objects.bulk_create(
        OutgoingEmail(user=each, recipient="x@y.z", expires_at=THEN) for each in users
    )
    Session.objects.bulk_create(
        Session(session_key=f"k{each.pk}", expire_date=THEN) for each in users
    )
    UserSession.objects.bulk_create(
        UserSession(user=each, ip="192.0.2.1", session_key=f"k{each.pk}")
        for each in users
    )
    Authenticator.objects.bulk_create(
        Authenticator(user=each, type="totp", data={"secret": "sealed"})
        for each in users
    )


@pytest.mark.database
@pytest.mark.parametrize("path", [LOGINS, MAILS, SESSIONS, FACTORS])
@pytest.mark.usefixtures("thousand")
def test_a_thousand_rows_cost_no_more_queries(
    admin_client_myapps: Browser, path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        assert admin_client_myapps.get(path).status_code == 200


def test_a_lost_device_is_removed_for_its_user(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    factor = Authenticator.objects.create(user=user, type="totp", data={"secret": "s"})
    Authenticator.objects.create(
        user=user, type="recovery_codes", data={"seed": "s", "used_mask": 0}
    )

    act(admin_client_myapps, FACTORS, "remove_all_of_users", factor)

    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(event=Event.FACTOR_REMOVED)
    assert (event.user, event.actor.name) == (user, "admin")  # type: ignore[union-attr]


def test_some_rights_take_no_factor_from_another_administrator(
    user: PbxUser, administrator: PbxUser
) -> None:
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    rights = Permission.objects.filter(content_type__model="authenticator")
    helper.user_permissions.set(rights)
    browser = Browser()
    browser.post("/login/", {"login": "helper", "password": PASSWORD})
    factors = [
        Authenticator.objects.create(user=owner, type="totp", data={"secret": "s"})
        for owner in (user, administrator)
    ]

    html = act(browser, FACTORS, "remove_all_of_users", *factors)

    assert [factor.user for factor in Authenticator.objects.all()] == [administrator]
    assert "Removed: all second factors of anna." in html
    assert "Only an administrator with all rights may do that to admin." in html


def test_no_page_shows_a_factor_s_secret(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    data = {"secret": "sealed-secret"}
    factor = Authenticator.objects.create(user=user, type="totp", data=data)

    for page in (FACTORS, f"{FACTORS}{factor.pk}/change/"):
        assert "sealed-secret" not in admin_client_myapps.get(page).content.decode()
