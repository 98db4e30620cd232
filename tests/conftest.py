"""The smallest valid things that tests begin with."""

from __future__ import annotations

import gc
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import TransactionTestCase
from django.utils import translation
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from authconfig import dependencies
from authconfig.choices import AuthenticationType, SmtpSecurity
from authconfig.clients.first_rows import make_first_clients
from authconfig.clients.models import ClientApplication
from authconfig.directory import controllers
from authconfig.models import AuthenticationSettings, CurrentRules, current_rules
from authconfig.network import database_clock
from authconfig.users.models import AuditEvent, PbxUser
from authconfig.users.passwords import parameters_in_use
from pbxsite.tables.writes import LastWrite
from tests.support.browsers import sign_in
from tests.support.certificates import make_authority
from tests.support.directory import Directory, running_directory
from tests.support.emptying import empty_tables
from tests.support.provider import Provider, running_provider
from tests.support.shared_site import SharedSite, shared_site
from tests.support.site import (
    ADMIN_PASSWORD,
    Site,
    empty_database,
    launch,
    log_in,
    running_site,
)
from tests.support.smtp_servers import Server, smtp_server
from verification.approval.live import hub as hubs
from verification.approval.models import LoginSession
from verification.mail import sending
from verification.mail.models import OutgoingEmail
from verification.mail.oauth2.keeping import copies
from verification.mail.operation.operators import make_group
from verification.mail.operation.overview import ended
from verification.sessions.lifecycle import noted

PASSWORD = "correct horse battery"
LINK = "https://pbx.example/PBX0/session.xml"
SettingsSetter = Callable[..., AuthenticationSettings]
Starter = Callable[..., HttpResponse]
NewPage = Callable[..., Page]
SiteRunner = Callable[..., Site]
# In "(database or postgresql) and not long", the first two.
CHOSEN_MARK = re.compile(r"(?<!\bnot )\b(?!(?:and|or|not)\b)\w+")


# Tests turn this process's clock alone; those of the clocks themselves ask.
database_clock.is_asked = False
TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """Leave alone what lives to the end: looking through it costs each test anew."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module that names none of the marks which are asked for."""
    asked = CHOSEN_MARK.findall(config.getoption("markexpr"))
    if not asked or not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_text()
    return None if any(f"mark.{name}" in text for name in asked) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take long begins first: at the end nobody waits for it alone."""
    items.sort(key=_seconds_allowed, reverse=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Show the audit log below a failure: it knows reasons that pages withhold."""
    report = yield
    if report.when == "call" and report.failed:
        with suppress(Exception):
            lines = "\n".join(map(str, AuditEvent.objects.order_by("pk")))
            report.sections.append(("Audit log", lines))
    return report


def _seconds_allowed(item: pytest.Item) -> float:
    limit = item.get_closest_marker("timeout")
    return float(limit.args[0]) if limit else 0.0


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """On SQLite the database is there before the tests: a copy with all tables."""
    return settings.EMBEDDED


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    if settings.EMBEDDED:
        shutil.copy(empty_database(), settings.DATABASES["default"]["TEST"]["NAME"])


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Neither the process's copy of the settings nor a rate limit outlives a test.

    Whether the database takes writes is looked at where a test asks for it.
    """
    LastWrite.at = time.monotonic()
    current_rules.forget()
    cache.clear()
    noted.forget()
    controllers.answers.clear()
    controllers.resting.clear()
    dependencies.forget()
    ended.forget()
    copies.forget()
    parameters_in_use.forget()
    yield
    current_rules.forget()
    sending.pool.close()


@pytest.fixture(autouse=True)
def _no_query_for_old_rules(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where queries are counted, no slow machine asks the same once more."""
    counters = {"django_assert_num_queries", "django_assert_max_num_queries"}
    if counters & set(request.fixturenames):
        monkeypatch.setattr(CurrentRules, "MAX_AGE_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def _no_language_left_active() -> Iterator[None]:
    """A request leaves its language active in the thread: override it in the test."""
    yield
    left = translation.get_language()
    translation.deactivate()
    assert left == settings.LANGUAGE_CODE, f"This test leaves “{left}” active."


@pytest.fixture(autouse=True)
def _rows_from_the_start(request: pytest.FixtureRequest) -> None:
    """Tests with transactions of their own empty every table when they end."""
    with_database = {"db", "transactional_db"} & set(request.fixturenames)
    if with_database or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        if not Group.objects.exists():
            make_first_clients(ClientApplication)
            make_group(apps.get_model)


@pytest.fixture
def user(db: None) -> PbxUser:
    return PbxUser.objects.create_user(
        "anna", PASSWORD, long_name="Anna Berg", email="anna@example.com"
    )


@pytest.fixture
def administrator(db: None) -> PbxUser:
    return PbxUser.objects.create_superuser(
        "admin", PASSWORD, email="admin@example.com"
    )


@pytest.fixture
def configure(db: None) -> SettingsSetter:
    """Set fields of the settings' row, past the page's rules."""

    def set_fields(**values: object) -> AuthenticationSettings:
        AuthenticationSettings.load()
        AuthenticationSettings.objects.update(**values)
        current_rules.forget()
        return current_rules()

    return set_fields


@pytest.fixture
def two_factor(configure: SettingsSetter) -> AuthenticationSettings:
    return configure(
        authentication_type=AuthenticationType.PBX_ONLY,
        two_factor=True,
        verification_link=LINK,
        smtp_server="127.0.0.1",
        smtp_port=1,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
        # Another thread would not see what a test has not committed.
        smtp_connections=1,
    )


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def start(user: PbxUser) -> Starter:
    """Post a login, by default Anna's right one at myApps."""

    def post(
        browser: Browser,
        login: str = "anna",
        password: str = PASSWORD,
        path: str = "/login/",
        **extra: str,
    ) -> HttpResponse:
        return browser.post(path, {"login": login, "password": password}, **extra)

    return post


@pytest.fixture
def signed_in(start: Starter, browser: Browser) -> Browser:
    """Anna's browser, signed in to myApps."""
    start(browser)
    return browser


@pytest.fixture
def server() -> Iterator[Server]:
    """A mail server that asks for no password and has no TLS."""
    with smtp_server(SmtpSecurity.NONE, credentials=None) as running:
        yield running


@pytest.fixture
def held(
    two_factor: AuthenticationSettings, start: Starter, browser: Browser
) -> LoginSession:
    """Anna's login, waiting for approval in `browser`."""
    start(browser)
    return LoginSession.objects.get()


@pytest.fixture
def mail(held: LoginSession) -> OutgoingEmail:
    return OutgoingEmail.objects.get(login_mail__login=held)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> hubs.Hub:
    """A hub for each test of streams, as a process has one for its loop."""
    fresh = hubs.Hub()
    monkeypatch.setattr(hubs, "hub", fresh)
    return fresh


@pytest.fixture
def admin_client_myapps(administrator: PbxUser) -> Browser:
    """The administrator's browser, signed in to myApps."""
    browser = sign_in(administrator)
    # The first page, here the smallest, notes that the session is used.
    browser.get("/account/approvals/")
    return browser


@pytest.fixture
def admin(admin_client_myapps: Browser) -> Browser:
    return admin_client_myapps


@pytest.fixture(scope="session")
def directory() -> Iterator[Directory]:
    """The users' directory; a test that changes a user adds one of its own."""
    with running_directory(make_authority("Example AD CA")) as running:
        yield running


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def netlogon(configure: SettingsSetter, directory: Directory) -> SettingsSetter:
    """Let users log in with their Windows passwords alone, unless told else."""

    def set_fields(**values: object) -> AuthenticationSettings:
        chosen = {"authentication_type": AuthenticationType.NETLOGON_ONLY} | values
        return configure(**directory.settings(**chosen))

    set_fields()
    return set_fields


@pytest.fixture(scope="module")
def run_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteRunner]:
    """Start a site, which ends with the module's tests."""
    with ExitStack() as running:

        def run(**settings: str) -> Site:
            place = tmp_path_factory.mktemp("site")
            return running.enter_context(running_site(place, **settings))

        yield run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedSite]:
    with shared_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def site(shared: SharedSite) -> Site:
    """The site that runs for all modules, as it was when it began."""
    return shared.begin_anew()


# Not for longer: while it runs, Django takes the thread for one that may not wait.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Chromium]:
    with launch(playwright) as launched:
        yield launched


@pytest.fixture
def new_page(chromium: Chromium) -> Iterator[NewPage]:
    """Open a page in a browser profile of its own."""
    contexts = []

    def open_page(**options: Any) -> Page:
        context = chromium.new_context(**options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def admin_page(site: Site, new_page: NewPage) -> Iterator[Page]:
    """The administration, in the administrator's browser; no script fails there."""
    faults: list[str] = []
    page = new_page()
    page.context.on("weberror", lambda fault: faults.append(str(fault.error)))
    log_in(page, site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    expect(page).to_have_url(f"{site.url}/admin/")
    yield page
    assert faults == []
