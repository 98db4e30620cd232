"""Those who send the same mails: this site's worker, and its peers as they come.

Each is a pair of functions: one fills its queue, the other empties it.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from functools import partial

import mailer
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.template.loader import render_to_string
from django.utils import timezone, translation
from mailer.engine import send_all
from mailer.models import Message, MessageLog
from post_office.models import STATUS as PEER_STATUS
from post_office.models import Email

from authconfig.models import current_rules
from authconfig.users.models import AuditEvent, PbxUser
from tests.harnesses.bench import settings as own_settings
from verification.approval.mails import APPROVAL
from verification.approval.models import LoginMail, LoginSession
from verification.mail import sending
from verification.mail.account import Account, account_of
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SENDER = "pbx@example.com"


@dataclass(frozen=True)
class Mailer:
    """`connections` is how many it opens to the server at most at a time.

    `mails` is how many this site sends over each.
    """

    fill: Callable[[int], None]
    empty: Callable[[], None]
    count_sent: Callable[[], int]
    connections: int = 1
    mails: int = 10


def login(user: PbxUser) -> LoginSession:
    return LoginSession(
        user=user,
        kind="myapps",
        method="password",
        address="192.0.2.7",
        user_agent=AGENT,
        expires_at=timezone.now() + timedelta(minutes=10),
    )


def fill_ours(count: int) -> None:
    """Queue verification e-mails of as many users."""
    names = [f"user{number}" for number in range(count)]
    known = set(PbxUser.objects.values_list("name", flat=True))
    PbxUser.objects.bulk_create(
        PbxUser(name=n, name_key=n, email=f"{n}@example.com", long_name="Anna Berg")
        for n in names
        if n not in known
    )
    users = PbxUser.objects.filter(name__in=names)
    logins = LoginSession.objects.bulk_create(login(user) for user in users)
    mails = OutgoingEmail.objects.bulk_create(
        OutgoingEmail(
            kind=APPROVAL.name,
            user=login.user,
            recipient=login.user.email,
            expires_at=login.expires_at,
        )
        for login in logins
    )
    LoginMail.objects.bulk_create(
        LoginMail(mail=mail, login=login, link_number=login.link_number)
        for mail, login in zip(mails, logins, strict=True)
    )


def forget_ours() -> None:
    OutgoingEmail.objects.filter(login_mail__login__user_agent=AGENT).delete()
    LoginSession.objects.filter(user_agent=AGENT).delete()
    AuditEvent.objects.all().delete()


def queued() -> list[OutgoingEmail]:
    mails = OutgoingEmail.objects.filter(state=MailState.QUEUED)
    return list(mails.select_related("user", *APPROVAL.related))


def count_queued() -> int:
    """Count what the bare ones were given: they write nothing down."""
    return OutgoingEmail.objects.filter(state=MailState.QUEUED).count()


def count_ours() -> int:
    return OutgoingEmail.objects.filter(
        state=MailState.SENT, login_mail__login__user_agent=AGENT
    ).count()


def send_bare(make: Callable[[OutgoingEmail, Account], EmailMessage]) -> None:
    """Make each message and send it with the standard library alone."""
    account = account_of(current_rules())
    with smtplib.SMTP(account.server, account.port) as server:
        for mail in queued():
            server.send_message(make(mail, account), SENDER, [mail.recipient])


def message_of(mail: OutgoingEmail, account: Account) -> EmailMessage:
    """Make the same mail with this site's own rendering."""
    return render_mail(mail, account).whole()


def plain_message(mail: OutgoingEmail, account: Account) -> EmailMessage:
    """Make the same mail as anybody would, by Django and the standard library."""
    with translation.override(mail.language):
        context = APPROVAL.context(mail)
        context["site_name"] = settings.SITE_NAME
        context["contact_line"] = settings.CONTACT_LINE
        subject, text, html = (
            render_to_string(f"{APPROVAL.template}_{part}", context)
            for part in ("subject.txt", "body.txt", "body.html")
        )
    message = EmailMessage()
    message["Subject"] = subject.strip()
    message["From"] = account.email_address
    message["To"] = mail.recipient
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain="example.com")
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def rendered(count: int) -> list[tuple[str, str, str, str]]:
    """Return recipient, subject, text and HTML of the mails that ours would be."""
    fill_ours(count)
    account = account_of(current_rules())
    texts = [_texts(message_of(mail, account)) for mail in queued()]
    forget_ours()
    return texts


def _texts(message: EmailMessage) -> tuple[str, str, str, str]:
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    text, html = (body.get_content() for body in bodies if body)
    return str(message["To"]), str(message["Subject"]), text, html


def fill_post_office(count: int) -> None:
    Email.objects.all().delete()
    Email.objects.bulk_create(
        Email(
            from_email=SENDER,
            to=[recipient],
            subject=subject,
            message=text,
            html_message=html,
            status=PEER_STATUS.queued,
        )
        for recipient, subject, text, html in rendered(count)
    )


def empty_post_office() -> None:
    call_command("send_queued_mail")


def fill_django_mailer(count: int) -> None:
    MessageLog.objects.all().delete()
    for recipient, subject, text, html in rendered(count):
        mailer.send_html_mail(subject, text, html, SENDER, [recipient])


_for_django: list[tuple[str, str, str, str]] = []


def fill_django(count: int) -> None:
    _for_django[:] = rendered(count)


def empty_django() -> None:
    for recipient, subject, text, html in _for_django:
        message = EmailMultiAlternatives(subject, text, SENDER, [recipient])
        message.attach_alternative(html, "text/html")
        message.send()


THREADS = own_settings.POST_OFFICE["THREADS_PER_PROCESS"]
BARE, BARE_MERGED, POST_OFFICE, DJANGO_MAILER, DJANGO = (
    "bare smtplib, one connection",
    "bare smtplib with this site's own rendering, one connection",
    f"post_office, {THREADS} connections",
    "django-mailer, one connection",
    "Django's backend, a connection per mail",
)
PEERS = {
    BARE: Mailer(fill_ours, partial(send_bare, plain_message), count_queued),
    BARE_MERGED: Mailer(fill_ours, partial(send_bare, message_of), count_queued),
    POST_OFFICE: Mailer(
        fill_post_office,
        empty_post_office,
        lambda: Email.objects.filter(status=PEER_STATUS.sent).count(),
        THREADS,
    ),
    DJANGO_MAILER: Mailer(
        fill_django_mailer,
        send_all,
        lambda: MessageLog.objects.count() - Message.objects.count(),
    ),
    DJANGO: Mailer(fill_django, empty_django, lambda: len(_for_django)),
}


def this_site(connections: int, mails: int = 10) -> Mailer:
    return Mailer(fill_ours, sending.deliver_due, count_ours, connections, mails)
