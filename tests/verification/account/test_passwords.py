"""Changing the own PBX password under Account security."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType, Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db
PATH = "/account/password/"
NEW = "seven purple lamps"


def change(browser: Browser, new: str = NEW, **values: str) -> HttpResponse:
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    return browser.post(PATH, data | values)


def faults(response: HttpResponse) -> str:
    assert response.status_code == 200
    return " ".join(
        f"{e}" for errors in response.context["form"].errors.values() for e in errors
    )


def test_the_password_is_changed_and_this_session_goes_on(
    signed_in: Browser, user: PbxUser, start: Starter
) -> None:
    key = signed_in.session.session_key

    assert change(signed_in).url == "/account/"

    user.refresh_from_db()
    assert user.check_password(NEW)
    page = signed_in.get("/account/").content.decode()
    assert "Your password was changed." in page
    assert "This browser" in page
    assert signed_in.session.session_key != key
    assert start(Browser()).status_code == 200
    assert start(Browser(), password=NEW).status_code == 302


def test_all_other_sessions_of_both_clients_end(
    signed_in: Browser, start: Starter, user: PbxUser
) -> None:
    others = Browser(), Browser()
    start(others[0])
    start(others[1], path="/mypbx/login/")

    change(signed_in)

    assert [b.get("/account/").status_code for b in others] == [302, 302]
    assert "2 other sessions were ended" in signed_in.get("/account/").content.decode()


def test_a_login_that_waits_ends(
    signed_in: Browser, start: Starter, two_factor: AuthenticationSettings
) -> None:
    waiting = Browser()
    start(waiting)

    change(signed_in)

    assert LoginSession.objects.get().status == "revoked"
    assert 'id="continue"' not in waiting.get("/login/waiting/").content.decode()


def test_it_is_recorded_and_told_without_the_password(
    signed_in: Browser, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    change(signed_in)

    event = AuditEvent.objects.get(event=Event.PASSWORD_CHANGED)
    assert (event.user, event.actor, event.address) == (user, user, "127.0.0.1")
    mail = OutgoingEmail.objects.get(kind="password")
    assert mail.recipient == user.email
    assert not hasattr(mail, "login_mail")
    rows = [*AuditEvent.objects.values(), *OutgoingEmail.objects.values()]
    assert NEW not in str(rows)
    assert PASSWORD not in str(rows)


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ("short", "at least 8 characters"),
        ("password1", "too common"),
        ("anna@example.com", "too similar"),
        (PASSWORD, "your present password"),
    ],
)
def test_bad_passwords_are_refused(
    signed_in: Browser, user: PbxUser, new: str, fault: str
) -> None:
    response = change(signed_in, new)
    assert fault in faults(response)
    assert list(response.context["form"].errors) == ["new_password1"]
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("new", ["aaaabbbbccccdddd", "ünïcödé wörds", "12 45 78 01 3"])
def test_there_are_no_rules_of_composition(signed_in: Browser, new: str) -> None:
    assert change(signed_in, new).status_code == 302


def test_a_password_is_taken_as_it_was_typed(signed_in: Browser, user: PbxUser) -> None:
    change(signed_in, "  spaces around it  ")

    user.refresh_from_db()
    assert user.check_password("  spaces around it  ")


def test_the_page_says_how_long_it_has_to_be(
    signed_in: Browser, configure: SettingsSetter
) -> None:
    configure(password_min_length=15)

    assert "At least 15 characters" in signed_in.get(PATH).content.decode()
    assert "at least 15 characters" in faults(change(signed_in, "only fourteen!"))
    assert change(signed_in, "now it is fifteen").status_code == 302


def test_the_length_counts_for_administrators_too(configure: SettingsSetter) -> None:
    configure(password_min_length=20)

    with pytest.raises(ValidationError, match="at least 20"):
        validate_password("nineteen letters ..")
    validate_password("twenty letters .....")


def test_the_present_password_is_asked_for(signed_in: Browser, user: PbxUser) -> None:
    response = change(signed_in, old_password="wrong one")

    assert "not your present PBX password" in faults(response)
    assert "wrong one" not in response.content.decode()
    event = AuditEvent.objects.get(event=Event.LOGIN_FAILED)
    assert (event.user, event.detail) == (user, "change of the password")


@pytest.mark.parametrize("old", ["", "wrong one"], ids=["none", "wrong"])
def test_the_new_one_is_no_second_guess_at_the_present_one(
    signed_in: Browser, old: str
) -> None:
    """Else whoever found an open session could guess on and on, and leave no trace."""
    response = change(signed_in, PASSWORD, old_password=old)

    assert list(response.context["form"].errors) == ["old_password"]


def test_who_changed_it_meanwhile_has_won(
    signed_in: Browser, user: PbxUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator may set another while whoever knows the old one waits here."""
    make = PbxUser.set_password

    def set_slowly(asking: PbxUser, new: str | None) -> None:
        make(user, "what the administrator set")
        PbxUser.objects.filter(pk=user.pk).update(password=user.password)
        make(asking, new)

    monkeypatch.setattr(PbxUser, "set_password", set_slowly)

    assert "not your present PBX password" in faults(change(signed_in))
    user.refresh_from_db()
    assert user.check_password("what the administrator set")


def test_the_two_new_passwords_have_to_be_the_same(signed_in: Browser) -> None:
    assert "not the same" in faults(change(signed_in, new_password2="another one"))


def test_guessing_the_present_password_is_limited(
    signed_in: Browser, user: PbxUser
) -> None:
    statuses = [
        change(signed_in, old_password=f"guess {n}").status_code for n in range(6)
    ]

    assert statuses == [200] * 5 + [429]
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert change(signed_in).status_code == 302


def test_wrong_guesses_count_for_all_sessions_together(
    signed_in: Browser, start: Starter
) -> None:
    other = Browser(REMOTE_ADDR="192.0.2.7")
    start(other)
    now = timezone.now()
    statuses = []
    for minute in range(3):
        with time_machine.travel(now + timedelta(minutes=minute), tick=False):
            for number in range(4):
                browser = (signed_in, other)[number % 2]
                guess = change(browser, old_password=f"guess {minute} {number}")
                statuses.append(guess.status_code)

    with time_machine.travel(now + timedelta(minutes=3)):
        limited = change(signed_in).status_code
        at_the_form = start(Browser())
    with time_machine.travel(now + timedelta(minutes=5, seconds=1)):
        later = change(signed_in).status_code

    assert statuses == [200] * 10 + [429] * 2
    assert limited == 429
    assert at_the_form.status_code == 302
    assert later == 302


@pytest.mark.parametrize("moved", [False, True], ids=["same place", "moved"])
def test_strangers_keep_no_owner_who_is_signed_in_from_his_password(
    signed_in: Browser, start: Starter, user: PbxUser, moved: bool
) -> None:
    if moved:
        signed_in.defaults["REMOTE_ADDR"] = "192.0.2.7"
    for place in ("127.0.0.1", "192.0.2.9"):
        for number in range(10):
            start(Browser(REMOTE_ADDR=place), password=f"guess {number}")

    assert change(signed_in).status_code == 302


def test_a_session_of_mypbx_guesses_as_a_stranger_does(
    signed_in: Browser, start: Starter
) -> None:
    """Whoever knows the password begins one, and could fill the owner's count."""
    stranger = Browser(REMOTE_ADDR="192.0.2.9")
    start(stranger, path="/mypbx/login/")
    for number in range(10):
        wrong = {"login": "anna", "password": f"guess {number}"}
        stranger.post("/login/again/", wrong)

    assert change(signed_in).status_code == 302


def test_a_right_password_here_counts_as_no_guess(
    signed_in: Browser, start: Starter
) -> None:
    now = timezone.now()
    for minute in range(11):
        with time_machine.travel(now + timedelta(seconds=minute * 13)):
            assert change(signed_in, "short").status_code == 200

    with time_machine.travel(now + timedelta(minutes=4)):
        assert start(Browser()).status_code == 302


def _is_offered(browser: Browser) -> bool:
    offered = f'href="{PATH}"' in browser.get("/account/").content.decode()
    assert (browser.get(PATH).status_code == 200) is offered
    return offered


def test_it_can_be_forbidden(signed_in: Browser, configure: SettingsSetter) -> None:
    assert _is_offered(signed_in)

    configure(password_changes_forbidden=True)

    assert not _is_offered(signed_in)
    assert change(signed_in).status_code == 404


@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        (AuthenticationType.PBX_AND_OAUTH2, True),
        (AuthenticationType.PBX_AND_NETLOGON, True),
        (AuthenticationType.NETLOGON_ONLY, False),
        (AuthenticationType.OAUTH2_ONLY, False),
    ],
)
def test_it_is_offered_where_the_pbx_password_is_in_use(
    signed_in: Browser, configure: SettingsSetter, kind: str, offered: bool
) -> None:
    configure(
        authentication_type=kind,
        netlogon_domain="ad.example",
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://idp.example/.well-known/openid-configuration",
        oauth2_client_id="pbx",
    )

    assert _is_offered(signed_in) is offered


def test_who_has_no_pbx_password_is_offered_none(
    signed_in: Browser, user: PbxUser
) -> None:
    user.set_unusable_password()
    PbxUser.objects.update(password=user.password)
    signed_in.force_login(user)
    session = signed_in.session
    session["kind"] = "myapps"
    session.save()

    assert not _is_offered(signed_in)
