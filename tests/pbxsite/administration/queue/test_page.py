"""The operators' page: right from the database alone, and theirs alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.core.cache import cache
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from authconfig import dependencies
from authconfig.choices import Dependency, Event
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite import broker as brokers
from pbxsite.administration.queue.report import queue_report
from pbxsite.celery import app
from tests.conftest import SettingsSetter
from tests.support.html import Page
from verification.mail.choices import MailState
from verification.mail.models import Heartbeat, OutgoingEmail, SendingPause
from verification.mail.tasks import deliver_mails
from verification.redis_access import redis_outage
from verification.voicemail.models import KeptRecording, Voicemail

pytestmark = pytest.mark.django_db
PAGE, ACT, LIVE = "/admin/queue/", "/admin/queue/act/", "/admin/queue/live/"
MAILS = "/admin/mail/outgoingemail/"
MailMaker = Callable[..., list[OutgoingEmail]]


def words(browser: Browser, part: str) -> str:
    return Page(browser.get(PAGE).content.decode()).text(id=part)


def act(browser: Browser, **posted: str) -> str:
    """Press the button, then say yes."""
    asked = browser.post(ACT, posted)
    assert asked.status_code == 200
    answer = browser.post(ACT, posted | {"confirmed": "yes"}, follow=True)
    return answer.content.decode()


def test_an_operator_sees_this_page_and_nothing_else(operator: Browser) -> None:
    assert operator.get("/admin/").headers["Location"] == PAGE
    assert operator.get(PAGE).status_code == 200
    assert operator.get(MAILS).status_code == 200
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
        if path != MAILS:
            assert operator.get(path).status_code == 403, path
            assert operator.get(f"{path}add/").status_code == 403, path
    page = Page(operator.get(PAGE).content.decode())
    links = {a["href"] for a in page.find() if a.get("href", "").startswith("/admin/")}
    own = {link.partition("?")[0] for link in links}
    assert own <= {PAGE, MAILS, "/admin/", "/admin/logout/", "/admin/password_change/"}


def test_nobody_else_sees_the_page(user: PbxUser, browser: Browser) -> None:
    for path in (PAGE, LIVE):
        assert browser.get(path).status_code == 302
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    browser.force_login(user)
    assert browser.get(PAGE).status_code == 302
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    for path in (PAGE, LIVE):
        assert browser.get(path).status_code == 403
    assert browser.post(ACT, {"action": "pause", "confirmed": "yes"}).status_code == 403
    assert not SendingPause.objects.exists()


def test_a_proxy_is_told_who_is_an_operator(
    operator: Browser, admin_client_myapps: Browser
) -> None:
    for known in (operator, admin_client_myapps):
        assert known.get("/operators/allowed/").status_code == 204
    assert Browser().get("/operators/allowed/").status_code == 401


def test_a_quiet_site_says_that_mails_go_out(operator: Browser) -> None:
    assert words(operator, "queue-verdict").startswith("E-mails go out.")
    assert "nothing waits" in words(operator, "queue-numbers")
    assert "Nothing failed" in words(operator, "queue-failures")
    assert "one@host" in words(operator, "queue-workers")


def test_it_is_right_with_redis_down(
    operator: Browser, make_mails: MailMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mails(3, MailState.SENT)
    make_mails(2, MailState.QUEUED)
    monkeypatch.setattr(redis_outage, "is_on", lambda: False)
    with _no_broker():
        page = operator.get(PAGE).content.decode()
    redis_outage.end()

    shown = Page(page)
    assert "2 Queued" in shown.text(id="queue-states")
    assert "3 Sent" in shown.text(id="queue-states")
    assert "The broker (Redis) does not answer" in shown.text(id="queue-verdict")
    assert "does not answer" in shown.text(id="queue-servers")


class _no_broker:
    """A broker at an address where nobody listens."""

    def __enter__(self) -> None:
        self._url = app.conf.broker_url
        app.conf.broker_url = "redis://127.0.0.1:1/0"

    def __exit__(self, *error: object) -> None:
        app.conf.broker_url = self._url


def test_the_brokers_queue_is_counted() -> None:
    before = brokers.broker().lengths["celery"]
    for _number in (1, 2):
        deliver_mails.delay()

    found = brokers.broker()

    assert found.is_up
    assert found.lengths["celery"] == before + 2


@pytest.mark.database
def test_mails_are_drawn_where_they_were_over(make_mails: MailMaker) -> None:
    now = timezone.now()
    make_mails(2, MailState.SENT, ended_at=now - timedelta(minutes=10))
    make_mails(1, MailState.FAILED, ended_at=now - timedelta(minutes=10))
    make_mails(5, MailState.SENT, ended_at=now - timedelta(hours=5))
    make_mails(9, MailState.SENT, ended_at=now - timedelta(days=2))

    # Else a minute could end meanwhile.
    with time_machine.travel(now, tick=False):
        found = queue_report()

    hour = [(b.sent, b.failed) for b in found.hour if b.sent or b.failed]
    assert (len(found.hour), len(found.day)) == (60, 97)
    assert hour == [(2, 1)]
    assert sum(b.sent for b in found.day) == 7
    assert found.mails["sent"] == 7
    assert found.hour[-11].sent == 2


def test_a_chart_is_read_as_a_table_too(
    operator: Browser, make_mails: MailMaker
) -> None:
    make_mails(3, MailState.SENT)
    make_mails(1, MailState.UNKNOWN)

    page = Page(operator.get(PAGE).content.decode())

    (hour, _day) = page.find(role="img")
    assert hour["aria-label"] == "The last hour, by the minute: 3 sent, 1 failed"
    assert "3 1" in page.text(id="chart-table-1")


@pytest.mark.database
def test_failures_are_grouped_with_a_remedy(
    operator: Browser, make_mails: MailMaker
) -> None:
    refused = {"stage": "auth", "code": 535, "words": "535 5.7.8 wrong"}
    make_mails(4, MailState.FAILED, **refused)
    closed = {"stage": "connect", "fault": "REFUSED", "words": "Connection refused"}
    make_mails(2, MailState.QUEUED, **closed)

    shown = words(operator, "queue-failures")

    assert "4 failed 535 5.7.8 wrong The user name or the password is wrong." in shown
    assert "2 will be tried again Connection refused Nothing answers on port" in shown


NO_MAILBOX = {"stage": "rcpt_to", "code": 550, "words": "550 5.1.1 no such mailbox"}


def test_a_refused_address_is_no_fault_of_the_site(
    operator: Browser, make_mails: MailMaker
) -> None:
    make_mails(3, MailState.FAILED, recipient="gone@example.com", **NO_MAILBOX)

    assert words(operator, "queue-verdict").startswith("E-mails go out.")
    shown = words(operator, "queue-failures")
    assert "The mail server refused 1 address in the last day. Which ones?" in shown
    listed = operator.get(f"{MAILS}?address=refused").content.decode()
    assert listed.count("gone@<wbr>example.com") == 3


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"stage": "auth", "code": 535, "words": "535 5.7.8 wrong"},
            "E-mails fail. The last step was “Log in (AUTH)”: 535 5.7.8 wrong",
        ),
        (
            {"stage": "rcpt_to", "code": 550, "words": "550 5.7.1 relaying denied"},
            "E-mails fail. The last step was “Name the recipient (RCPT TO)”: 550",
        ),
        ({"words": "This site itself failed"}, "E-mails fail: This site itself failed"),
    ],
    ids=["login", "relay", "this site"],
)
def test_what_others_would_meet_as_well_is_the_sites(
    operator: Browser, make_mails: MailMaker, facts: dict[str, Any], told: str
) -> None:
    make_mails(1, MailState.FAILED, **facts)
    make_mails(1, MailState.FAILED, recipient="gone@example.com", **NO_MAILBOX)

    assert told in words(operator, "queue-verdict")


def test_many_refused_addresses_are_the_sites(
    operator: Browser, make_mails: MailMaker
) -> None:
    for number in range(5):
        recipient = f"user{number}@example.com"
        make_mails(1, MailState.FAILED, recipient=recipient, **NO_MAILBOX)

    shown = words(operator, "queue-verdict")
    assert "“Name the recipient (RCPT TO)”: 550 5.1.1 no such mailbox" in shown
    assert "rcpt_to" not in shown


def test_a_server_that_is_down_is_told_of_by_the_names_of_the_pages(
    operator: Browser, configure: SettingsSetter
) -> None:
    configure(smtp_server="mail.example")
    dependencies.note_down(Dependency.SMTP, "mail.example:587", "mail_from: 550 no")

    shown = words(operator, "queue-verdict")
    assert "does not take e-mails: Name the sender (MAIL FROM): 550 no" in shown


def test_each_way_to_fail_has_a_remedy(make_mails: MailMaker) -> None:
    make_mails(1, MailState.FAILED, words="This site itself failed")
    make_mails(1, MailState.FAILED, stage="tls", fault="UNTRUSTED", words="x")
    make_mails(1, MailState.FAILED, stage="data", code=554, words="554 spam")

    remedies = [group.remedy for group in queue_report().failures]
    assert len(remedies) == 3
    assert all(remedies)


@pytest.mark.database
def test_all_mails_of_a_group_are_retried_after_a_question(
    operator: Browser, make_mails: MailMaker, user: PbxUser
) -> None:
    make_mails(3, MailState.FAILED, stage="auth", code=535, words="535 wrong")
    make_mails(1, MailState.FAILED, stage="data", code=554, words="554 spam")
    group = "failed:auth:535:"

    asked = operator.post(ACT, {"group": group}).content.decode()
    assert "3 e-mails go out." in asked
    assert OutgoingEmail.objects.filter(state=MailState.FAILED).count() == 4
    page = act(operator, group=group)

    assert "3 e-mails queued." in page
    assert OutgoingEmail.objects.filter(state=MailState.QUEUED).count() == 3
    assert AuditEvent.objects.filter(event=Event.MAIL_RETRIED, actor=user).count() == 3


@pytest.mark.database
def test_unknown_mails_are_retried_with_a_warning(
    operator: Browser, make_mails: MailMaker, mail: OutgoingEmail
) -> None:
    facts: dict[str, Any] = {"stage": "data", "fault": "CLOSED", "words": "lost"}
    make_mails(1, MailState.UNKNOWN, **facts)
    ended = {"state": MailState.UNKNOWN, "ended_at": timezone.now()}
    OutgoingEmail.objects.filter(pk=mail.pk).update(**facts, **ended)

    asked = operator.post(ACT, {"group": "unknown:data::CLOSED"}).content.decode()

    assert "1 e-mail goes out." in asked
    assert "They may be there already, and then arrive twice." in asked
    assert "1 stays as it is" in asked


def test_a_group_that_is_no_more_is_told_so(operator: Browser) -> None:
    answer = operator.post(ACT, {"group": "failed:auth:535:"}, follow=True)

    assert "nothing was done" in answer.content.decode()


def test_sending_is_paused_and_resumed_and_said_everywhere(
    operator: Browser, admin_client_myapps: Browser, user: PbxUser
) -> None:
    paused = "Sending is paused: no e-mail goes out"
    assert paused not in admin_client_myapps.get("/admin/").content.decode()
    assert operator.post(ACT, {"action": "pause"}).status_code == 200
    assert not SendingPause.objects.exists()

    page = act(operator, action="pause")

    assert SendingPause.objects.get().actor == user
    assert paused in page
    settings = "/admin/authconfig/authenticationsettings/"
    for path in ("/admin/", settings):
        assert paused in admin_client_myapps.get(path).content.decode()
    assert "Sending goes on." in act(operator, action="resume")
    assert not SendingPause.objects.exists()
    told = AuditEvent.objects.filter(actor=user).values_list("event", flat=True)
    assert set(told) == {"sending_paused", "sending_resumed"}


@pytest.mark.database
def test_servers_are_shown_as_they_answered_last(
    operator: Browser, configure: SettingsSetter
) -> None:
    configure(
        authentication_type="pbx_and_netlogon",
        netlogon_domain="ad.example",
        netlogon_servers="dc1.ad.example, dc2.ad.example",
        smtp_server="mail.example",
    )
    dependencies.note_up(Dependency.SMTP, "mail.example:587")
    dependencies.note_down(Dependency.CONTROLLER, "dc2.ad.example:636", "no route")

    shown = words(operator, "queue-servers")

    assert "SMTP server mail.example:587 answers since" in shown
    assert "Domain controller dc1.ad.example:636 not asked yet" in shown
    assert "Domain controller dc2.ad.example:636 fails since" in shown
    assert "no route" in words(operator, "queue-verdict")


def test_a_provider_that_is_not_in_use_is_not_shown(
    operator: Browser, configure: SettingsSetter
) -> None:
    dependencies.note_down(Dependency.PROVIDER, "login.example", "away")
    url = "https://login.example/.well-known/openid-configuration"
    configure(oauth2_well_known_url=url)
    assert "login.example" not in words(operator, "queue-servers")

    configure(
        authentication_type="pbx_and_oauth2",
        oauth2_provider_name="Windows",
        oauth2_client_id="pbx",
    )

    assert "OpenID provider login.example fails" in words(operator, "queue-servers")


def test_the_causes_are_told_before_what_comes_of_them(
    operator: Browser, make_mails: MailMaker
) -> None:
    then = timezone.now() - timedelta(minutes=3)
    make_mails(2, MailState.QUEUED, due_at=then)
    make_mails(1, MailState.SENT)
    assert "More workers would send faster." in words(operator, "queue-verdict")
    OutgoingEmail.objects.filter(state=MailState.SENT).delete()
    assert "nobody has taken it up" in words(operator, "queue-verdict")

    Heartbeat.objects.filter(name="one@host").update(seen_at=then)

    first, second = (finding.sentence for finding in queue_report().findings)
    assert "No Celery worker has reported" in first
    assert second.startswith("The oldest e-mail that is due has been waiting for 18")


def test_a_worker_that_was_killed_has_no_tick_beside_the_banner_that_asks_for_it(
    operator: Browser, make_mails: MailMaker
) -> None:
    then = timezone.now() - timedelta(seconds=35)
    Heartbeat.objects.filter(name="one@host").update(seen_at=then)
    make_mails(1, MailState.QUEUED, due_at=then)

    assert "nobody has taken it up" in words(operator, "queue-verdict")
    assert "late, not heard of for 3" in words(operator, "queue-workers")


def test_a_silent_worker_is_seen(operator: Browser) -> None:
    then = timezone.now() - timedelta(minutes=3)
    Heartbeat.objects.filter(name="one@host").update(seen_at=then, work="deliver_mails")

    assert "silent for 18" in words(operator, "queue-workers")
    assert "deliver_mails" in words(operator, "queue-workers")
    assert "No Celery worker has reported" in words(operator, "queue-verdict")


@pytest.mark.database
def test_the_page_asks_the_same_few_questions_of_many_mails(
    operator: Browser, make_mails: MailMaker, django_assert_max_num_queries: Any
) -> None:
    make_mails(300, MailState.QUEUED, stage="connect", fault="REFUSED", words="no")
    make_mails(300, MailState.SENT)
    operator.get(LIVE)

    with django_assert_max_num_queries(18):
        operator.get(LIVE)


@override_settings(LANGUAGE_CODE="de")
def test_a_drawing_has_the_same_numbers_in_german(
    operator: Browser, make_mails: MailMaker
) -> None:
    make_mails(7, MailState.SENT)

    html = operator.get(LIVE, HTTP_ACCEPT_LANGUAGE="de").content.decode()

    places = [bar["x"] for bar in Page(html).find() if "x" in bar]
    assert places
    assert not [x for x in places if "," in x]


def test_it_tells_of_recordings_that_were_too_large(
    operator: Browser, make_mails: MailMaker
) -> None:
    assert "Too large voicemail" not in operator.get(PAGE).content.decode()
    cache.clear()
    now = timezone.now()
    for age, mail in zip(
        (1, 5, 20), make_mails(3, MailState.SENT, kind="voicemail"), strict=True
    ):
        at = now - timedelta(days=age)
        kept = KeptRecording.objects.create(
            user=mail.user, file=str(age), size=1024, key="key", kept_until=now
        )
        Voicemail.objects.create(mail=mail, oversized_at=at, kept=kept)

    for path in (PAGE, LIVE):
        page = Page(operator.get(path).content.decode())
        told = page.text(id="queue-oversized")
        assert "2 recordings were larger than the mail server takes" in told
        assert "3.0 KB of 500.0 MB" in told
    assert queue_report().as_dict()["oversized"]["count"] == 2


def test_recordings_that_wait_for_room_are_a_finding(
    operator: Browser, make_mails: MailMaker
) -> None:
    facts = {"stage": "mail_from", "fault": "NO_ROOM", "words": "No room"}
    make_mails(2, MailState.QUEUED, kind="voicemail", **facts)

    assert "filled VOICEMAIL_KEPT_MB" in words(operator, "queue-verdict")
    assert "Raise VOICEMAIL_KEPT_MB" in words(operator, "queue-failures")
