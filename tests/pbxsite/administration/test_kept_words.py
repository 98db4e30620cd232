"""No page, and no line for people, shows the code of a stage."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from authconfig import dependencies
from authconfig.choices import Dependency, Event
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.administration.kept_words import STAGES
from tests.conftest import SettingsSetter
from tests.support.html import Page
from verification.mail import claims
from verification.mail.choices import MailState, SmtpStage
from verification.mail.models import OutgoingEmail

USERS = "/admin/users/pbxuser/"
MAILS = "/admin/mail/outgoingemail/"
PAGES = (
    "/admin/",
    "/admin/queue/",
    "/admin/queue/live/",
    "/admin/users/auditevent/",
    "/admin/authconfig/authenticationsettings/",
    MAILS,
    "/account/",
)
# The code of a stage before a reply, unless its words end so, or one that is no word
# of any language.
CODES = [code for code, label in STAGES.items() if not str(label).endswith(code)]
RAW = re.compile(rf"\b(?:{'|'.join(CODES)}):? 550|\b(?:rcpt_to|mail_from)\b")


@pytest.fixture
def failed(
    user: PbxUser, administrator: PbxUser, configure: SettingsSetter
) -> list[OutgoingEmail]:
    """A mail that failed at each stage, with all that is kept of it elsewhere."""
    configure(smtp_server="mx.example")
    return [_failed_at(stage, user, administrator) for stage in SmtpStage]


def _failed_at(
    stage: SmtpStage, user: PbxUser, administrator: PbxUser
) -> OutgoingEmail:
    now = timezone.now()
    mail = OutgoingEmail.objects.create(
        kind="approval",
        user=user,
        recipient=user.email,
        state=MailState.SENDING,
        lease_expires_at=now,
        expires_at=now + timedelta(hours=1),
    )
    facts = {"stage": stage, "code": 550, "words": "550 5.1.1 no"}
    claims.delay(mail, now, **facts)
    mail.refresh_from_db()
    claims.end(mail, MailState.FAILED, **facts)
    dependencies.note_down(Dependency.SMTP, "mx.example:587", f"{stage}: 550 no")
    for event in (Event.MAIL_TESTED, Event.NETLOGON_TESTED):
        audit.record(event, user=administrator, detail=f"mx.example:25 {stage}: 550 no")
    return mail


def raw(html: str) -> list[str]:
    """Return the codes that people read; the queue page asks for a part alone."""
    whole = html if "<main" in html else f"<main>{html}</main>"
    (words,) = [words for tag, _names, words in Page(whole).elements if tag == "main"]
    assert words
    return RAW.findall(" ".join(words))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_shows_a_stages_code(
    admin: Browser, failed: list[OutgoingEmail], page: str
) -> None:
    assert raw(admin.get(page).content.decode()) == []


def test_no_page_of_a_mail_or_user_does(
    admin: Browser, failed: list[OutgoingEmail]
) -> None:
    pages = [f"{MAILS}{mail.pk}/change/" for mail in failed]

    for page in (*pages, f"{USERS}{failed[0].user_id}/change/"):
        assert raw(admin.get(page).content.decode()) == [], page


def test_a_mails_own_page_tells_its_tries_in_words(
    admin: Browser, failed: list[OutgoingEmail]
) -> None:
    (mail,) = [mail for mail in failed if mail.stage == SmtpStage.RCPT_TO]

    html = admin.get(f"{MAILS}{mail.pk}/change/").content.decode()

    assert "Name the recipient (RCPT TO): 550 5.1.1 no" in html


def test_no_line_of_the_command_does(failed: list[OutgoingEmail]) -> None:
    said = io.StringIO()

    call_command("queue", stdout=said)

    assert "550 5.1.1 no" in said.getvalue()
    assert RAW.findall(said.getvalue()) == []


def test_one_addresss_refusal_stands_on_its_users_page(
    admin: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    _failed_at(SmtpStage.RCPT_TO, user, administrator)

    html = admin.get(f"{USERS}{user.pk}/change/").content.decode()

    assert "The mail server refuses anna@example.com: 550 5.1.1 no" in html
    other = admin.get(f"{USERS}{administrator.pk}/change/").content.decode()
    assert "The mail server refuses" not in other


@pytest.mark.parametrize("after", ["sent", "another address", "the site's fault"])
def test_it_is_gone_once_it_says_nothing_any_more(
    admin: Browser, user: PbxUser, administrator: PbxUser, after: str
) -> None:
    mail = _failed_at(SmtpStage.RCPT_TO, user, administrator)
    if after == "sent":
        OutgoingEmail.objects.filter(pk=mail.pk).update(state="sent")
    elif after == "another address":
        PbxUser.objects.filter(pk=user.pk).update(email="new@example.com")
    else:
        _failed_at(SmtpStage.AUTH, user, administrator)

    html = admin.get(f"{USERS}{user.pk}/change/").content.decode()

    assert "The mail server refuses" not in html
