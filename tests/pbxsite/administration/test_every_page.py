"""What holds on each page of the administration that a link leads to."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.oauth2.models import ProviderIdentity
from authconfig.users import audit
from authconfig.users.models import PbxUser
from tests.support.html import Page

pytestmark = pytest.mark.django_db
# None of them is used anywhere.
LIBRARIES = re.compile(
    r"jquery|xregexp|chart\.js|alpine\.sort|urlify|prepopulate|RelatedObject|inlines"
)
NO_PAGES = re.compile(r"/(export|csv|json|logout|jsi18n|redis-channels)/$|/r/")
# They and the objects below them are headed by their names in the menu.
LISTS = re.compile(r"/admin/\w+/\w+/$")
FEWEST_PAGES = 40
Pages = dict[str, Page]


@pytest.fixture
def pages(admin: Browser, user: PbxUser) -> Pages:
    """Return every page by its address, found by the links from the first one."""
    audit.record(Event.LOGIN, user=user)
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


def heading(page: Page) -> list[str]:
    return [" ".join(words) for tag, _facts, words in page.elements if tag == "h1"]


def test_no_page_loads_a_library_in_vain_and_each_has_a_heading_of_its_own(
    pages: Pages,
) -> None:
    loaded = {
        path: [s for s in scripts_of(page) if LIBRARIES.search(s)]
        for path, page in pages.items()
    }
    assert {path: names for path, names in loaded.items() if names} == {}

    calendars = {p for p, page in pages.items() if loads(page, "/calendar.js")}
    assert "/admin/users/auditevent/" in calendars
    assert {p for p, page in pages.items() if loads(page, "/core.js")} == calendars

    headings = {path: heading(page) for path, page in pages.items()}
    assert {path: each for path, each in headings.items() if len(each) != 1} == {}
    lists = {headings[path][0] for path in pages if LISTS.fullmatch(path)}
    others = {path for path in pages if not LISTS.fullmatch(path)}
    assert {path for path in others if headings[path][0] in lists} == set()
    twice = Counter(each[0] for each in headings.values())
    assert [name for name, count in twice.items() if count > 1] == []
    assert headings["/admin/users/pbxuser/access/"] == ["Who can log in"]
    assert headings["/admin/users/pbxuser/import/"] == ["Import users"]


def loads(page: Page, name: str) -> bool:
    return any(source.endswith(name) for source in scripts_of(page))


def scripts_of(page: Page) -> list[str]:
    return [
        facts["src"]
        for tag, facts, _words in page.elements
        if tag == "script" and facts.get("src")
    ]
