"""The list of outgoing e-mails, as operators use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.models import PbxUser
from tests.support.html import Page
from verification.approval.tokens import approval_code, link_token
from verification.mail.choices import MailState, SmtpStage
from verification.mail.models import OutgoingEmail
from verification.mail.operation import actions

pytestmark = pytest.mark.django_db
MAILS = "/admin/mail/outgoingemail/"
MailMaker = Callable[..., list[OutgoingEmail]]


def test_a_mail_tells_its_history_and_neither_link_nor_code(
    operator: Browser, mail: OutgoingEmail, user: PbxUser
) -> None:
    audit.record(
        Event.MAIL_DELAYED, user=user, detail=f"approval {mail.pk}: connect refused"
    )
    audit.record(Event.MAIL_SENT, user=user, detail=f"approval {mail.pk}0: sent later")
    actions.retry(OutgoingEmail.objects.all(), actions.Operator(user, audit.NOWHERE))

    html = operator.get(f"{MAILS}{mail.pk}/change/").content.decode()

    assert "E-mail delayed" in html
    assert f"{SmtpStage.CONNECT.label}: refused" in html
    assert "E-mail queued again" in html
    assert "sent later" not in html
    login = mail.login_mail.login
    assert link_token(login) not in html
    assert f">{approval_code(login)}<" not in html


def test_the_page_of_a_failed_mail_queues_it_again(
    operator: Browser, make_mails: MailMaker
) -> None:
    (sent,) = make_mails(1, MailState.SENT)
    (failed,) = make_mails(1, MailState.FAILED)
    pages = {
        mail.pk: Page(operator.get(f"{MAILS}{mail.pk}/change/").content.decode())
        for mail in (sent, failed)
    }
    (form,) = pages[failed.pk].find(action=MAILS, method="post")
    names = ("action", "_selected_action", "csrfmiddlewaretoken")
    posted = {n: pages[failed.pk].find(name=n)[-1]["value"] for n in names}

    question = operator.post(form["action"], posted).content.decode()
    operator.post(form["action"], posted | {"confirmed": "yes"})

    assert not pages[sent.pk].find(action=MAILS)
    assert "Queue these e-mails again?" in question
    failed.refresh_from_db()
    assert failed.state == MailState.QUEUED


@pytest.mark.database
@pytest.mark.parametrize(
    ("action", "answer", "said"),
    [
        ("retry_selected", "Queue again", "1 e-mail queued."),
        ("cancel_selected", "Cancel the e-mails", "1 e-mail cancelled"),
    ],
)
def test_chosen_mails_are_retried_and_cancelled(
    operator: Browser, make_mails: MailMaker, action: str, answer: str, said: str
) -> None:
    (sent,) = make_mails(1, MailState.SENT)
    (queued,) = make_mails(1, MailState.QUEUED)
    posted = {"action": action, "_selected_action": [sent.pk, queued.pk]}

    question = operator.post(MAILS, posted).content.decode()
    page = operator.post(MAILS, posted | {"confirmed": "yes"}, follow=True)

    assert answer in question
    assert "Yes, do it" not in question
    assert said in page.content.decode()
    sent.refresh_from_db()
    assert sent.state == MailState.SENT
