"""The pages for what went wrong: in our look, and without a word about its inside."""

from __future__ import annotations

import pytest
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import BadRequest
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client as Browser
from django.urls import path
from django.utils import translation
from django.views.decorators.debug import sensitive_post_parameters

from authconfig.users.passwords import NoMemoryToHashError, TooManyHashesError
from pbxsite import urls
from pbxsite.errors import (
    RETRY_AFTER_CROWD_SECONDS,
    RETRY_AFTER_OUTAGE_SECONDS,
    RETRY_AFTER_SECONDS,
)
from tests.conftest import Starter

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
SECRET = "what nobody may read"
FAULTS = {
    "runtime": RuntimeError,
    "database": OperationalError,
    "bad": BadRequest,
    "crowd": TooManyHashesError,
    "memory": NoMemoryToHashError,
}


@login_not_required
@sensitive_post_parameters()
def fail(request: HttpRequest, fault: str) -> HttpResponse:
    raise FAULTS[fault](SECRET)


@login_not_required
def lose_session(request: HttpRequest, fault: str) -> HttpResponse:
    """Fail as Django does with a session that it cannot write."""
    errors = {"outage": OperationalError, "deleted": DatabaseError}
    try:
        raise errors[fault](SECRET)
    except DatabaseError:
        raise SessionInterrupted("The session was deleted.")  # noqa: B904


handler400 = urls.handler400
handler429, handler500 = urls.handler429, urls.handler500
urlpatterns = [*urls.urlpatterns, path("fail/<fault>/", fail)]
urlpatterns += [path("lose/<fault>/", lose_session)]


@pytest.fixture
def browser() -> Browser:
    return Browser(raise_request_exception=False)


def check_look(response: HttpResponse, status: int) -> None:
    page = response.content.decode()
    assert response.status_code == status
    assert 'class="card' in page
    assert "pbxsite/site.css" in page
    assert page.count("<h1") == 1
    for inside in ("Traceback", "Django", SECRET, "OperationalError", "<script>"):
        assert inside not in page


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_unknown_address_is_told_so(browser: Browser, language: str) -> None:
    with translation.override(language):
        response = browser.get("/nothing/here", HTTP_ACCEPT_LANGUAGE=language)

    check_look(response, 404)
    assert "/nothing/here" not in response.content.decode()


def test_what_is_forbidden_is_told_so(browser: Browser, start: Starter) -> None:
    start(browser, path="/mypbx/login/")

    check_look(browser.post("/account/sessions/end-others/"), 403)


def test_a_form_without_its_token_is_told_so(browser: Browser) -> None:
    strict = Browser(enforce_csrf_checks=True)

    check_look(strict.post("/login/", {"login": "anna", "password": SECRET}), 403)


def test_a_request_that_makes_no_sense_is_told_so(browser: Browser) -> None:
    check_look(browser.get("/fail/bad/"), 400)


def test_a_fault_of_ours_shows_nothing_of_its_inside(browser: Browser) -> None:
    check_look(browser.get("/fail/runtime/"), 500)


def test_an_outage_of_the_database_is_told_from_a_fault(browser: Browser) -> None:
    response = browser.get("/fail/database/")

    check_look(response, 503)
    assert response["Retry-After"] == str(RETRY_AFTER_OUTAGE_SECONDS)
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(("fault", "status"), [("outage", 503), ("deleted", 400)])
def test_a_session_that_cannot_be_written_is_told_from_one_that_was_ended(
    browser: Browser, fault: str, status: int
) -> None:
    response = browser.get(f"/lose/{fault}/")

    check_look(response, status)
    assert response.has_header("Retry-After") is (status == 503)


def test_a_lack_of_memory_for_hashes_is_an_outage_that_operators_hear_of(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    response = browser.post("/fail/memory/")

    check_look(response, 503)
    assert response["Retry-After"] == str(RETRY_AFTER_OUTAGE_SECONDS)
    assert "no-store" in response["Cache-Control"]
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"][
        :1
    ] == ["No memory left for hashing a password: nobody can log in with one"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Too many logins at once"), ("de", "Zu viele Anmeldungen auf einmal")],
)
def test_a_crowd_is_told_when_to_come_back(
    browser: Browser, caplog: pytest.LogCaptureFixture, language: str, words: str
) -> None:
    with translation.override(language):
        response = browser.post("/fail/crowd/", HTTP_ACCEPT_LANGUAGE=language)

    check_look(response, 503)
    assert words in response.content.decode()
    assert response["Retry-After"] == str(RETRY_AFTER_CROWD_SECONDS)
    assert "no-store" in response["Cache-Control"]
    assert not [line for line in caplog.records if line.exc_info]


def test_a_fault_of_ours_is_logged_with_neither_query_nor_form(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    browser.post("/fail/runtime/?id=secret-token", {"password": "secret-password"})

    told = "\n".join(map(caplog.handler.format, caplog.records))
    assert "/fail/runtime/" in told
    assert "secret-token" not in told
    assert "secret-password" not in told


def test_a_foreign_host_is_refused_without_a_word(browser: Browser) -> None:
    response = browser.get("/login/", HTTP_HOST="evil.example")

    check_look(response, 400)
    assert "evil.example" not in response.content.decode()


def test_who_asks_too_often_is_told_when_to_come_back(
    browser: Browser, start: Starter
) -> None:
    for number in range(30):
        start(browser, f"user{number}", "wrong")
    response = start(browser, "one more", "wrong")

    check_look(response, 429)
    assert response["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert "no-store" in response["Cache-Control"]


def test_reading_the_login_page_is_never_too_often(
    browser: Browser, start: Starter
) -> None:
    for number in range(31):
        start(browser, f"user{number}", "wrong")

    assert browser.get("/login/").status_code == 200
