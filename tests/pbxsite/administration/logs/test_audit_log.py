"""The audit log speaks as the pages do, in each language, and leads to them."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser

pytestmark = pytest.mark.django_db
PATH = "/admin/users/auditevent/"
MAIL_PAGE, SETTINGS = "/admin/mail/outgoingemail/12/change/", "authenticationsettings"
SAID = [
    (
        Event.MAIL_FAILED,
        "approval 12: failed 550 no such mailbox",
        f'<a href="{MAIL_PAGE}">Verification e-mail 12</a>: Failed: 550 no such',
        f'<a href="{MAIL_PAGE}">Bestätigungs-E-Mail 12</a>: ',
    ),
    (
        Event.MAIL_DELAYED,
        "approval 12: rcpt_to 450 later",
        "Name the recipient (RCPT TO): 450 later",
        "(RCPT TO): 450 later",
    ),
    (
        Event.SETTING_CHANGED,
        "smtp_port: 25 → 587",
        'id_smtp_port">Port (Email verification)</a>: 25 → 587',
        'id_smtp_port">Port (',
    ),
    (
        Event.MAIL_TESTED,
        "mx.example:25 rcpt_to: 550 no",
        "mx.example:25 Name the recipient (RCPT TO): 550 no",
        "(RCPT TO): 550 no",
    ),
    (
        Event.NETLOGON_TESTED,
        "anna: password: rejected",
        "anna: Check the user&#x27;s password: rejected",
        "anna: ",
    ),
    (Event.LOGIN_ENDED, "wrong_codes", "Three wrong codes", "Drei falsche"),
    (Event.LOGIN_ACCEPTED, "email", "E-mail link", "Link in der E-Mail"),
    (Event.LOGIN, "email", "E-mail link", "Link in der E-Mail"),
    (
        Event.PASSWORD_CHANGED,
        "by a link (invitation)",
        "by the link of an invitation",
        "mit dem Link einer Einladung",
    ),
    (Event.USER_CHANGED, "added", ">added<", ">hinzugefügt<"),
    (
        Event.USER_CHANGED,
        "email: a@b.example → c@b.example",
        ">e-mail address: a@b.example → c@b.example<",
        ">E-Mail-Adresse: a@b.example → c@b.example<",
    ),
    (
        Event.USER_CHANGED,
        "import: number: empty → 15, is_active: on → off",
        ">import: extension number: empty → 15, active: On → Off<",
        ">Import: Nebenstelle: leer → 15, aktiv: Ein → Aus<",
    ),
    (
        Event.USER_CHANGED,
        "directory: linked with its entry, email: a@b.example → empty",
        ">directory: linked with its entry, e-mail address: a@b.example → empty<",
        ">Verzeichnis: mit dem Eintrag verknüpft, E-Mail-Adresse: a@b.example → leer<",
    ),
    (Event.CLIENT_OPENED, "a <b> c", "a &lt;b&gt; c", "a &lt;b&gt; c"),
]


@pytest.mark.parametrize(("event", "kept", "english", "german"), SAID)
def test_details_are_in_the_words_of_the_pages(
    admin: Browser, event: Event, kept: str, english: str, german: str
) -> None:
    audit.record(event, user=None, detail=kept)

    for language, words in (("de", german), ("en", english)):
        page = admin.get(PATH, headers={"Accept-Language": language})
        assert words in page.content.decode()


def test_a_name_leads_to_the_user_and_a_time_names_its_zone(
    admin: Browser, user: PbxUser
) -> None:
    audit.record(Event.LOGIN, user=user)

    html = admin.get(PATH).content.decode()

    assert f'<a href="/admin/users/pbxuser/{user.pk}/change/">{user.name}</a>' in html
    assert " UTC<" in html


def test_an_event_that_nobody_can_change_has_no_bar_for_buttons(
    admin: Browser,
) -> None:
    audit.record(Event.LOGIN, user=None)

    event = AuditEvent.objects.latest("pk")
    shown = admin.get(f"{PATH}{event.pk}/change/").content.decode()

    assert 'id="submit-row"' not in shown
    assert 'id="submit-row"' in admin.get("/admin/auth/group/add/").content.decode()


def test_events_are_counted(admin: Browser) -> None:
    AuditEvent.objects.all().delete()
    for _ in range(2):
        audit.record(Event.LOGIN, user=None)

    words = " ".join(admin.get(PATH).content.decode().split())

    assert "2 events </div>" in words


def test_the_days_of_a_filter_have_names(admin: Browser) -> None:
    page = admin.get(PATH, headers={"Accept-Language": "de"}).content.decode()

    for name in ("Erster Tag", "Letzter Tag"):
        assert f'aria-label="{name}"' in page
    admin.get(PATH, headers={"Accept-Language": "en"})
