"""What attackers and scanners try, one after the other.

Many of these are also tested where they belong; here the list is complete.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from urllib.parse import quote, urlencode

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings as site
from django.http import HttpResponse
from django.test import Client as Browser
from playwright.sync_api import Page, sync_playwright
from redis import Redis

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from tests.pbxsite.test_urls import ROUTES, address
from tests.support.site import launch
from tests.support.smtp_servers import Mail, Server
from tests.support.streams import Stream, told
from verification.approval.choices import LoginState
from verification.approval.live import hub as hubs
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail import sending
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db
ELSEWHERE = "https://evil.test/"


def link_of(login: LoginSession) -> str:
    return f"/PBX0/session.xml?{urlencode({'id': link_token(login)})}"


def decide_by_link(login: LoginSession, decision: str, code: str = "") -> HttpResponse:
    return Browser().post(link_of(login), {"decision": decision, "code": code})  # type: ignore[return-value]


def accept_by_link(login: LoginSession) -> None:
    assert decide_by_link(login, "accept", approval_code(login)).status_code == 200


def wrong_code(login: LoginSession) -> str:
    return f"{(int(approval_code(login)) + 1) % 10_000:04d}"


def everything() -> str:
    """Every value of every row in the database."""
    rows = [
        str(row)
        for model in apps.get_models()
        for row in model._base_manager.all().values()
    ]
    return "\n".join(rows)


@pytest.fixture
def server(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    configure(smtp_port=server.port)
    return server


@pytest.fixture
def sent(server: Server, start: Starter, browser: Browser) -> Mail:
    """Anna's login waits in `browser`, and its mail has come."""
    start(browser)
    sending.deliver_due()
    [mail] = server.mails
    return mail


def link_in(mail: Mail) -> str:
    text = mail.message.get_body(("plain",))
    assert text
    found = re.search(r"https://\S+", text.get_content())
    assert found
    return found[0]


# Prefetching the link


@pytest.mark.parametrize("method", ["head", "get", "options"])
@pytest.mark.parametrize("agent", ["Barracuda", "Microsoft Office", "curl/8"])
def test_prefetching_the_link_changes_nothing(
    held: LoginSession, method: str, agent: str
) -> None:
    before = everything()

    for _ in range(5):
        getattr(Browser(HTTP_USER_AGENT=agent), method)(link_of(held))

    assert everything() == before


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_no_other_method_decides(held: LoginSession, method: str) -> None:
    getattr(Browser(), method)(link_of(held))

    held.refresh_from_db()
    assert held.state == LoginState.PENDING


def test_the_links_page_does_nothing_by_script(held: LoginSession) -> None:
    """What runs in a scanner's browser is on the page: nothing that sends a form."""
    page = Browser().get(link_of(held)).content.decode()
    scripts = re.findall(r'<script[^>]*src="/static/([^"]+)"', page)

    assert scripts == ["pbxsite/times.js"]
    assert not re.search(r"autofocus|onload|http-equiv=.refresh", page)


# Guessing the code


def test_three_guesses_end_the_login(held: LoginSession, browser: Browser) -> None:
    statuses = [
        decide_by_link(held, "accept", wrong_code(held)).status_code for _ in range(3)
    ]

    assert statuses == [200, 200, 410]
    assert decide_by_link(held, "accept", approval_code(held)).status_code == 410
    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"


def test_guesses_by_link_and_in_a_session_count_together(
    start: Starter, configure: SettingsSetter, two_factor: AuthenticationSettings
) -> None:
    configure(two_factor=False)
    existing = Browser()
    start(existing)
    configure(two_factor=True)
    start(Browser())
    login = LoginSession.objects.get()
    guess = {"decision": "accept", "code": wrong_code(login)}

    existing.post(f"/account/approvals/{login.pk}/", guess)
    decide_by_link(login, "accept", wrong_code(login))
    existing.post(f"/account/approvals/{login.pk}/", guess)

    login.refresh_from_db()
    assert login.status == "wrong_codes"


def test_a_new_link_gives_no_new_guesses(held: LoginSession) -> None:
    decide_by_link(held, "accept", wrong_code(held))
    LoginSession.objects.update(link_number=2)
    held.refresh_from_db()

    assert held.code_tries == 1
    page = decide_by_link(held, "accept", wrong_code(held)).content.decode()
    assert "1 try is left" in page


def test_the_code_is_nowhere_but_on_the_waiting_page(
    held: LoginSession, browser: Browser, admin_client_myapps: Browser
) -> None:
    code = rf"(?<![\w.:-]){approval_code(held)}(?![\w-])"
    pages = [
        Browser().get(link_of(held)),
        browser.get("/login/"),
        admin_client_myapps.get("/admin/approval/loginsession/"),
        admin_client_myapps.get(f"/admin/approval/loginsession/{held.pk}/change/"),
    ]

    assert re.search(code, browser.get("/login/waiting/").content.decode())
    for page in pages:
        text = re.sub(r"<time.*?</time>|value=\"[^\"]*\"", "", page.content.decode())
        assert not re.search(code, text), page.request["PATH_INFO"]


# Approving what is not one's own


def test_nobody_approves_another_users_login(
    held: LoginSession, admin_client_myapps: Browser
) -> None:
    for decision in ("accept", "reject"):
        answer = admin_client_myapps.post(
            f"/account/approvals/{held.pk}/",
            {"decision": decision, "code": approval_code(held)},
        )
        assert answer.status_code == 410

    held.refresh_from_db()
    assert held.state == LoginState.PENDING


def test_a_pending_browser_approves_neither_itself_nor_another(
    held: LoginSession, browser: Browser, administrator: PbxUser
) -> None:
    other = Browser()
    other.post("/login/", {"login": "admin", "password": PASSWORD})
    logins = list(LoginSession.objects.pending())
    assert len(logins) == 2

    for pending in (browser, other):
        for login in logins:
            decision = {"decision": "accept", "code": approval_code(login)}
            answer = pending.post(f"/account/approvals/{login.pk}/", decision)
            assert answer.url.startswith("/login/?next=")
        assert pending.post("/login/waiting/continue/").url == "/login/waiting/"
    assert LoginSession.objects.pending().count() == 2


def test_a_session_without_second_factor_approves_nothing(
    held: LoginSession, start: Starter
) -> None:
    mypbx = Browser()
    start(mypbx, path="/mypbx/login/")

    answer = mypbx.post(
        f"/account/approvals/{held.pk}/",
        {"decision": "accept", "code": approval_code(held)},
    )

    assert answer.status_code == 403


def test_the_link_of_one_login_decides_about_no_other(
    held: LoginSession, start: Starter
) -> None:
    old = link_of(held)
    start(Browser())
    newer = LoginSession.objects.pending().get()

    answer = Browser().post(old, {"decision": "accept", "code": approval_code(newer)})

    assert answer.status_code == 410
    newer.refresh_from_db()
    assert newer.state == LoginState.PENDING


# Fixing and stealing sessions


def test_a_session_key_from_before_is_worth_nothing(
    held: LoginSession, browser: Browser
) -> None:
    thief = Browser()
    thief.cookies = browser.cookies.copy()
    key = browser.session.session_key
    accept_by_link(held)

    browser.post("/login/waiting/continue/")

    assert browser.session.session_key != key
    assert thief.get("/account/").status_code == 302
    assert thief.post("/login/waiting/continue/").url == "/login/"


def plant(thief: Browser, browser: Browser) -> None:
    """Put the thief's session into the victim's browser, as a neighbouring host may."""
    assert thief.session.session_key
    browser.cookies = thief.cookies.copy()


def test_a_session_from_before_the_password_takes_no_held_login(
    two_factor: AuthenticationSettings, browser: Browser, start: Starter
) -> None:
    thief = Browser()
    plant(thief, browser)

    start(browser)

    assert thief.get("/login/waiting/").url == "/login/"
    accept_by_link(LoginSession.objects.get())
    assert thief.post("/login/waiting/continue/").url == "/login/"
    assert browser.post("/login/waiting/continue/").url == "/account/"


def test_a_strangers_signed_in_session_takes_no_held_login(
    two_factor: AuthenticationSettings,
    administrator: PbxUser,
    browser: Browser,
    start: Starter,
) -> None:
    thief = Browser()
    start(thief, "admin", path="/mypbx/login/")
    plant(thief, browser)

    start(browser)

    assert thief.get("/login/waiting/").url == "/login/"
    assert thief.get("/account/").url.startswith("/login/")
    listed = UserSession.objects.get()
    assert listed.session_key == browser.session.session_key


def test_a_planted_key_is_not_taken(browser: Browser, start: Starter) -> None:
    browser.cookies["pbx_session"] = "p" * 32

    start(browser)

    assert browser.cookies["pbx_session"].value != "p" * 32
    cookie = browser.cookies["pbx_session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


# Forged requests


# They take a key, secret or token of their own, and never a browser's session.
KEYED = {
    "PBX0/voicemail.xml",
    "openid/revoke",
    "openid/token",
    "openid/userinfo",
}
# Clients may post what they may also get (OpenID Connect Core, 3.1.2.1, and
# RP-Initiated Logout, 2): a page that asks is all that comes of it.
LIKE_A_GET = {"openid/authorize", "openid/logout"}


def test_every_post_asks_for_the_csrf_token(start: Starter, user: PbxUser) -> None:
    PbxUser.objects.update(is_staff=True, is_superuser=True)
    strict = Browser(enforce_csrf_checks=True)
    lenient = Browser()
    start(lenient)
    strict.cookies = lenient.cookies

    for route in ROUTES:
        answer = strict.post(address(route))
        if route in KEYED:
            assert answer.status_code in (400, 401), route
            continue
        if route in LIKE_A_GET:
            assert answer.status_code == 302, route
            assert answer["Location"] == f"{address(route)}?", route
            continue
        used = [template.name for template in answer.templates]
        assert used[:1] == ["403_csrf.html"], (route, answer.status_code)
    assert strict.get("/account/").status_code == 200


def test_no_other_site_logs_its_visitor_out(start: Starter) -> None:
    browser = Browser(enforce_csrf_checks=True)
    lenient = Browser()
    start(lenient)
    browser.cookies = lenient.cookies

    for token in ("", "made-up"):
        said = {"action": "logout", "csrfmiddlewaretoken": token}
        browser.post("/openid/logout", said)

    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_no_page_stands_in_a_frame(
    admin_client_myapps: Browser, browser: Browser, route: str
) -> None:
    for visitor in (browser, admin_client_myapps):
        answer = visitor.get(address(route))
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


# Leading elsewhere


@pytest.mark.parametrize(
    "wanted",
    [
        ELSEWHERE,
        "//evil.test/",
        "/\\evil.test",
        "https:evil.test",
        "javascript:alert(1)",
    ],
)
def test_nothing_leads_to_another_site(
    start: Starter,
    configure: SettingsSetter,
    two_factor: AuthenticationSettings,
    wanted: str,
) -> None:
    query = f"?next={quote(wanted)}"
    configure(two_factor=False)
    existing = Browser()
    answers = [start(existing, path=f"/login/{query}")]
    answers += [existing.get(f"/login/{query}")]
    answers += [start(existing, path=f"/login/again/{query}")]
    confirmed = {"password": PASSWORD, "next": wanted}
    answers += [existing.post(f"/account/confirm/{query}", confirmed)]
    configure(two_factor=True)
    waiting = Browser()
    answers += [start(waiting, path=f"/login/{query}")]
    login = LoginSession.objects.get()
    decision = {"decision": "accept", "code": approval_code(login), "next": wanted}
    answers += [existing.post(f"/account/approvals/{login.pk}/", decision)]
    answers += [waiting.post(f"/login/waiting/continue/{query}")]
    answers += [existing.post(f"/logout/{query}", {"next": wanted})]

    for answer in answers:
        assert answer.status_code == 302
        assert re.match(r"/(?![/\\])", answer.url), answer.url  # type: ignore[attr-defined]
        assert "evil" not in answer.url  # type: ignore[attr-defined]


# The mail's link


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_FORWARDED_HOST": "evil.test"},
        {"HTTP_HOST": "localhost", "HTTP_FORWARDED": "host=evil.test"},
        {"HTTP_X_FORWARDED_SERVER": "evil.test", "HTTP_X_HOST": "evil.test"},
    ],
)
def test_a_forged_host_stands_in_no_link(
    server: Server, start: Starter, headers: dict[str, str]
) -> None:
    start(Browser(), **headers)
    sending.deliver_due()

    [mail] = server.mails
    assert link_in(mail).startswith(f"{LINK}?id=")
    assert b"evil" not in mail.content


def test_an_unknown_host_is_no_site_of_ours(start: Starter, server: Server) -> None:
    assert start(Browser(), HTTP_HOST="evil.test").status_code == 400
    assert not OutgoingEmail.objects.exists()


# Finding the token


def test_the_token_is_in_no_referer_that_leaves_the_site(held: LoginSession) -> None:
    page = Browser().get(link_of(held))
    html = page.content.decode()

    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)
    assert link_token(held) not in html


def test_secrets_are_in_no_log_no_row_and_no_message(
    sent: Mail, browser: Browser, start: Starter
) -> None:
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        login = LoginSession.objects.get()
        token, code = link_token(login), approval_code(login)
        Browser().get(link_of(login))
        decide_by_link(login, "accept", wrong_code(login))
        accept_by_link(login)
        browser.post("/login/waiting/continue/")
        start(Browser(), password="another secret of Anna's")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    where = {"log": lines.getvalue(), "database": everything(), "redis": in_redis()}
    for name, text in where.items():
        for secret in (token, token.split(":")[-1], PASSWORD, "another secret"):
            assert secret not in text, name
    assert f'"{code}"' not in where["redis"]
    assert f"'{code}'" not in where["database"]


def in_redis() -> str:
    """All that the broker, the cache and the channel hold."""
    redis = Redis.from_url(site.REDIS_URL)
    kinds = {b"list": "lrange", b"set": "smembers", b"hash": "hgetall"}
    found = []
    for key in redis.scan_iter():
        kind = redis.type(key)
        if kind == b"zset" or kind == b"list":
            command = getattr(redis, "lrange" if kind == b"list" else "zrange")
            value = command(key, 0, -1)
        elif kind in kinds:
            value = getattr(redis, kinds[kind])(key)
        else:
            value = redis.get(key)
        found.append(f"{key!r} {value!r}")
    return "\n".join(found)


def test_the_broker_is_told_a_number_alone(
    two_factor: AuthenticationSettings,
    start: Starter,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        start(Browser())
    login = LoginSession.objects.get()
    told = in_redis()

    assert "deliver_mails" in told
    for secret in (link_token(login), login.public_id.hex, "anna@example.com"):
        assert secret not in told


# Doing it twice


def test_a_link_works_once(held: LoginSession) -> None:
    accept_by_link(held)

    for decision in ("accept", "reject"):
        answer = decide_by_link(held, decision, approval_code(held))
        assert answer.status_code == 410
    held.refresh_from_db()
    assert held.state == LoginState.ACCEPTED


def test_a_login_is_continued_once(held: LoginSession, browser: Browser) -> None:
    copies = [browser, Browser(), Browser()]
    for copy in copies[1:]:
        copy.cookies = browser.cookies.copy()
    accept_by_link(held)

    ends = [copy.post("/login/waiting/continue/").url for copy in copies]

    assert ends == ["/account/", "/login/", "/login/"]
    assert UserSession.objects.count() == 1
    assert AuditEvent.objects.filter(event=Event.LOGIN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_stream_follows_nothing_a_second_time(
    two_factor: AuthenticationSettings, user: PbxUser, hub: hubs.Hub
) -> None:
    browser = Browser()
    browser.post("/login/", {"login": "anna", "password": PASSWORD})
    stolen = Browser()
    stolen.cookies = browser.cookies.copy()
    accept_by_link(LoginSession.objects.get())
    browser.post("/login/waiting/continue/")
    ended = Browser()
    ended.cookies = browser.cookies.copy()
    browser.post("/logout/")

    async def story() -> None:
        assert await Stream(stolen).open() == 204
        assert await Stream(stolen, path="/account/events/").open() == 204
        assert await Stream(ended, path="/account/events/").open() == 204

    told(story())


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_browser_that_runs_scripts_on_the_link_changes_nothing(
    held: LoginSession, live_server: object
) -> None:
    before = everything()

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        page: Page = chromium.new_page()
        page.goto(f"{live_server.url}{link_of(held)}")  # type: ignore[attr-defined]
        page.wait_for_timeout(1500)
        chromium.close()

    assert everything() == before
