"""What holds on each page of the administration that a link leads to."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client as Browser
from django.utils import timezone

from authconfig import dependencies
from authconfig.choices import Dependency, Event
from authconfig.oauth2.models import ProviderIdentity
from authconfig.sync.choices import RunState, Trigger
from authconfig.sync.models import SyncRun
from authconfig.users import audit
from authconfig.users.models import PbxUser, SettingChange
from tests.support.html import Page
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail, SendingPause
from verification.voicemail.models import VoicemailKey

pytestmark = pytest.mark.django_db
# None of them is used anywhere.
LIBRARIES = re.compile(
    r"jquery|xregexp|chart\.js|alpine\.sort|urlify|prepopulate|RelatedObject|inlines"
)
NO_PAGES = re.compile(r"/(export|csv|json|logout|jsi18n|redis-channels)/$|/r/")
# They and the objects below them are headed by their names in the menu.
LISTS = re.compile(r"/admin/\w+/\w+/$")
FEWEST_PAGES = 40
FEWEST_WITH_TIMES = 15
A_TIME = re.compile(r"\d{4}-\d\d-\d\d,? \d\d:\d\d(?::\d\d)? UTC")
# A day with a time that names no zone, or in any other form.
ODD_TIME = re.compile(
    r"20\d\d(?:-\d\d-\d\d)?,? (?:at )?\d{1,2}:\d\d\S*(?: [ap]\.m\.)?|\d [ap]\.m\."
)
Pages = dict[str, Page]


@pytest.fixture
def pages(admin: Browser, user: PbxUser) -> Pages:
    """Return every page by its address, found by the links from the first one."""
    audit.record(Event.LOGIN, user=user)
    _with_times(user)
    Authenticator.objects.create(user=user, type="totp", data={"secret": ""})
    ProviderIdentity.objects.create(user=user, issuer="https://a.example", subject="7")
    actor = PbxUser.objects.get(name="admin")
    LogEntry.objects.log_actions(
        actor.pk, [user], CHANGE, "changed", single_object=True
    )
    found: Pages = {}
    waiting = ["/admin/"]
    while waiting:
        path = waiting.pop()
        answer = admin.get(path)
        assert answer.status_code in (200, 302), path
        if answer.status_code != 200 or "html" not in answer.headers["Content-Type"]:
            continue
        html = answer.content.decode()
        found[path] = Page(html)
        for link in re.findall(r'href="(/admin/[^"?#]*)', html):
            if link not in found and link not in waiting and not NO_PAGES.search(link):
                waiting.append(link)
    assert len(found) >= FEWEST_PAGES, sorted(found)
    return found


def _with_times(user: PbxUser) -> None:
    """Make rows whose times stand on pages of their own kind."""
    now = timezone.now()
    PbxUser.objects.update(last_login=now)
    OutgoingEmail.objects.create(
        kind="test",
        user=user,
        recipient=user.email,
        state=MailState.SENT,
        ended_at=now,
        expires_at=now,
    )
    LoginSession.objects.create(
        user=user, kind="myapps", method="password", auth_hash="", expires_at=now
    )
    SyncRun.objects.create(
        state=RunState.DONE, trigger=Trigger.PAGE, started_at=now, ended_at=now
    )
    VoicemailKey.objects.create(id=1, digest="0", last_used_at=now)
    SendingPause.objects.create()
    dependencies.note_down(Dependency.SMTP, "mail.example:25", "connect: refused")
    SettingChange.objects.create(field="smtp_server", before="a", after="b")


def heading(page: Page) -> list[str]:
    """Without that of the keys' list, which later versions of the theme hide there."""
    found = [" ".join(words) for tag, _facts, words in page.elements if tag == "h1"]
    return [each for each in found if each != "Available shortcuts"]


def test_each_page_keeps_what_all_of_them_keep(pages: Pages) -> None:
    """One walk through all of them is long enough."""
    check_libraries(pages)
    check_headings(pages)
    check_breadcrumbs(pages)
    check_times(pages)


def check_libraries(pages: Pages) -> None:
    """None is loaded in vain."""
    loaded = {
        path: [s for s in scripts_of(page) if LIBRARIES.search(s)]
        for path, page in pages.items()
    }
    assert {path: names for path, names in loaded.items() if names} == {}

    calendars = {p for p, page in pages.items() if loads(page, "/calendar.js")}
    assert "/admin/users/auditevent/" in calendars
    assert {p for p, page in pages.items() if loads(page, "/core.js")} == calendars


def check_headings(pages: Pages) -> None:
    """Each page has one heading, and its own."""
    headings = {path: heading(page) for path, page in pages.items()}
    assert {path: each for path, each in headings.items() if len(each) != 1} == {}
    lists = {headings[path][0] for path in pages if LISTS.fullmatch(path)}
    others = {path for path in pages if not LISTS.fullmatch(path)}
    assert {path for path in others if headings[path][0] in lists} == set()
    twice = Counter(each[0] for each in headings.values())
    assert [name for name, count in twice.items() if count > 1] == []
    assert headings["/admin/users/pbxuser/access/"] == ["Who can log in"]
    assert headings["/admin/users/pbxuser/import/"] == ["Import users"]


def check_breadcrumbs(pages: Pages) -> None:
    """Each begins with what the menu calls the list, or the page itself."""
    menu = settings.UNFOLD["SIDEBAR"]["navigation"]
    titles = {str(item["title"]) for group in menu for item in group["items"]}
    begins = {path: crumbs(page)[:1] for path, page in pages.items()}
    assert {p: first for p, first in begins.items() if not titles & set(first)} == {}


def crumbs(page: Page) -> list[str]:
    return [
        " ".join(words)
        for _tag, facts, words in page.elements
        if {"leading-5", "truncate"} <= set(facts.get("class", "").split())
    ]


def check_times(pages: Pages) -> None:
    """Each has one form and names its zone, the site's: no script changes it."""
    words = {path: words_of(page) for path, page in pages.items()}
    with_times = {path for path, shown in words.items() if A_TIME.search(shown)}
    assert len(with_times) >= FEWEST_WITH_TIMES, sorted(with_times)
    odd = {
        path: ODD_TIME.findall(A_TIME.sub("", shown)) for path, shown in words.items()
    }
    assert {path: times for path, times in odd.items() if times} == {}
    assert {p for p, page in pages.items() if loads(page, "/times.js")} == set()


def words_of(page: Page) -> str:
    return " ".join(
        next(words for tag, _facts, words in page.elements if tag == "body")
    )


def loads(page: Page, name: str) -> bool:
    return any(source.endswith(name) for source in scripts_of(page))


def scripts_of(page: Page) -> list[str]:
    return [
        facts["src"]
        for tag, facts, _words in page.elements
        if tag == "script" and facts.get("src")
    ]
