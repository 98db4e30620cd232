"""The second factor against a model of it: any steps, in any order, twice as well.

The model knows what may happen; the site is driven by its own pages and flows. After
each step both have to agree who is signed in and what became of each login.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.cache import cache
from django.db import transaction
from django.test import Client as Browser
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from authconfig.choices import Event
from authconfig.models import (
    AuditEvent,
    AuthenticationSettings,
    PbxUser,
    current_settings,
)
from authconfig.users import end_sessions
from tests.conftest import PASSWORD
from verification import flows
from verification.models import LoginSession
from verification.persistence import noted
from verification.tokens import approval_code, link_token

pytestmark = pytest.mark.django_db
BEGINNING = datetime(2031, 3, 4, 5, 6, 7, tzinfo=UTC)
LOGIN_TTL = timedelta(minutes=10)
# allauth keeps a login that is under way for so long.
STASH_TTL = timedelta(minutes=15)
FRESH = timedelta(minutes=15)
BROWSERS = st.integers(0, 2)
CODES = st.sampled_from(["right", "wrong"])
SECONDS = st.sampled_from([1, 29, 31, 290, 599, 601, 899, 901])
NO_LIMITS = override_settings(
    WAITS_AFTER_REJECTION=[timedelta()], LIMIT_HELD_LOGINS=(10_000, LOGIN_TTL)
)


@dataclass
class Login:
    """What the model knows of a login."""

    pk: int
    began_at: datetime
    password: int
    status: str = "pending"
    tries: int = 0
    links: list[tuple[str, datetime]] = field(default_factory=list)

    def is_live(self, now: datetime) -> bool:
        return now < self.began_at + LOGIN_TTL

    def is_pending(self, now: datetime) -> bool:
        return self.status == "pending" and self.is_live(now)


@dataclass
class Held:
    """A browser's own view of a login: it ends with its stash."""

    login: Login
    until: datetime


class SecondFactor(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.limits = NO_LIMITS
        self.limits.enable()
        self.travel = time_machine.travel(BEGINNING, tick=False)
        self.clock = self.travel.start()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        noted.forget()
        self.logins: list[Login] = []
        self.held: dict[int, Held] = {}
        # Browsers that are signed in, with the time and the password of their login.
        self.signed_in: dict[int, tuple[datetime, int]] = {}
        self.is_active, self.password, self.sessions_begun = True, 0, 0

    @initialize()
    def begin_with_a_session_from_before(self) -> None:
        """The last browser was signed in when two-factor was switched on."""
        self.user = PbxUser.objects.get(name="anna")
        self.browsers = [Browser() for _ in range(4)]
        AuthenticationSettings.objects.update(two_factor=False)
        self._settings_changed()
        self._post(3, "/login/", {"login": "anna", "password": self._word()})
        AuthenticationSettings.objects.update(two_factor=True)
        self._settings_changed()
        self._note_session(3)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)
        self.travel.stop()
        self.limits.disable()

    # What people do

    @rule(browser=BROWSERS)
    def log_in(self, browser: int) -> None:
        cache.clear()
        answer = self._post(
            browser, "/login/", {"login": "anna", "password": self._word()}
        )
        if self._is_signed_in(browser) or not self.is_active:
            return
        assert answer.url == "/login/waiting/"
        for login in self.logins:
            if login.status == "pending":
                login.status = "superseded"
        row = LoginSession.objects.latest("pk")
        login = Login(row.pk, self._now(), self.password)
        login.links.append((link_token(row), self._now()))
        self.logins.append(login)
        self.held[browser] = Held(login, self._now() + STASH_TTL)

    @rule(browser=BROWSERS)
    def log_in_with_a_wrong_password(self, browser: int) -> None:
        cache.clear()
        self._post(browser, "/login/", {"login": "anna", "password": "not hers"})

    @rule(browser=BROWSERS)
    def send_again(self, browser: int) -> None:
        self._post(browser, "/login/waiting/send-again/")
        login = self._held_by(browser)
        if login is None or not login.is_pending(self._now()) or len(login.links) > 3:
            return
        if self._now() < login.links[-1][1] + timedelta(seconds=30):
            return
        row = LoginSession.objects.get(pk=login.pk)
        login.links.append((link_token(row), self._now()))

    @rule(browser=BROWSERS)
    def cancel(self, browser: int) -> None:
        self._post(browser, "/login/waiting/cancel/")
        login = self._held_by(browser)
        if login and login.status == "pending":
            login.status = "cancelled"
        self.held.pop(browser, None)

    @rule(browser=BROWSERS)
    def proceed(self, browser: int) -> None:
        self._post(browser, "/login/waiting/continue/")
        login = self._held_by(browser)
        if login is None or login.status != "accepted":
            return
        unchanged = login.password == self.password and self.is_active
        if login.is_live(self._now()) and unchanged:
            login.status = "completed"
            self._note_session(browser)

    @precondition(lambda self: self.logins)
    @rule(data=st.data(), code=CODES)
    def accept_by_a_link(self, data: st.DataObject, code: str) -> None:
        login, is_current = self._by_a_link(data, "accept", code)
        if is_current:
            self._accept(login, code)

    @precondition(lambda self: self.logins)
    @rule(data=st.data())
    def reject_by_a_link(self, data: st.DataObject) -> None:
        login, is_current = self._by_a_link(data, "reject", "right")
        if is_current:
            login.status = "rejected"

    @precondition(lambda self: self.logins)
    @rule(data=st.data(), browser=st.integers(0, 3), code=CODES)
    def accept_in_a_session(self, data: st.DataObject, browser: int, code: str) -> None:
        login, may_decide = self._in_a_session(data, browser, "accept", code)
        if may_decide:
            self._accept(login, code)

    @precondition(lambda self: self.logins)
    @rule(data=st.data(), browser=st.integers(0, 3))
    def reject_in_a_session(self, data: st.DataObject, browser: int) -> None:
        login, may_decide = self._in_a_session(data, browser, "reject", "right")
        if may_decide:
            login.status = "rejected"

    @rule(browser=st.integers(0, 3))
    def log_out(self, browser: int) -> None:
        self._post(browser, "/logout/")
        # It drops a login that is under way as well.
        self.held.pop(browser, None)
        if self._is_signed_in(browser):
            del self.signed_in[browser]

    @rule(browser=st.integers(0, 3))
    def end_all_others(self, browser: int) -> None:
        self._post(browser, "/account/sessions/end-others/")
        if not self._is_signed_in(browser):
            return
        began = self.signed_in[browser]
        if self._now() - began[0] < FRESH:
            self.signed_in = {browser: began}
            self._revoke()

    # What administrators and the time do

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    @precondition(lambda self: self.logins)
    @rule(data=st.data())
    def end_a_login(self, data: st.DataObject) -> None:
        login = data.draw(st.sampled_from(self.logins))
        flows.end(LoginSession.objects.get(pk=login.pk), actor=self.user)
        if login.status == "pending":
            login.status = "ended"

    @rule(active=st.booleans())
    def set_active(self, *, active: bool) -> None:
        """As a command might, which ends nothing else."""
        PbxUser.objects.update(is_active=active)
        self.is_active = active

    @rule()
    def deactivate_with_all_sessions(self) -> None:
        PbxUser.objects.update(is_active=False)
        end_sessions([self.user])
        self.is_active = False
        self.signed_in = {}
        self._revoke()

    @rule()
    def change_the_password(self) -> None:
        """As a command might, which ends nothing else."""
        self.password += 1
        user = PbxUser.objects.get()
        user.set_password(self._word())
        user.save(update_fields=["password"])

    # What has to hold

    @invariant()
    def the_same_browsers_are_signed_in(self) -> None:
        for number, browser in enumerate(self.browsers):
            answer = browser.get("/account/approvals/")
            assert (answer.status_code == 200) is self._is_signed_in(number), number

    @invariant()
    def the_same_became_of_each_login(self) -> None:
        rows = {row.pk: row for row in LoginSession.objects.all()}
        assert len(rows) == len(self.logins)
        for login in self.logins:
            live = login.is_live(self._now())
            over = not live and login.status in ("pending", "accepted")
            assert rows[login.pk].status == ("expired" if over else login.status)
            assert rows[login.pk].code_tries == login.tries
            assert rows[login.pk].link_number == len(login.links)

    @invariant()
    def no_login_began_two_sessions(self) -> None:
        assert AuditEvent.objects.filter(event=Event.LOGIN).count() == (
            self.sessions_begun
        )

    # The model

    def _by_a_link(
        self, data: st.DataObject, decision: str, code: str
    ) -> tuple[Login, bool]:
        """Use any link that was ever sent; return whether it may do anything."""
        login = data.draw(st.sampled_from(self.logins))
        number = data.draw(st.integers(0, len(login.links) - 1))
        token, signed_at = login.links[number]
        answer = Browser().post(
            f"/PBX0/session.xml?{urlencode({'id': token})}",
            {"decision": decision, "code": self._code(login, code)},
        )
        is_current = (
            number == len(login.links) - 1
            and login.is_pending(self._now())
            and self._now() <= signed_at + LOGIN_TTL
            and self.is_active
        )
        over = decision == "accept" and code == "wrong" and login.tries == 2
        assert (answer.status_code == 410) is (not is_current or over)
        return login, is_current

    def _in_a_session(
        self, data: st.DataObject, browser: int, decision: str, code: str
    ) -> tuple[Login, bool]:
        login = data.draw(st.sampled_from(self.logins))
        self._post(
            browser,
            f"/account/approvals/{login.pk}/",
            {"decision": decision, "code": self._code(login, code)},
        )
        own = self._held_by(browser) is login
        may_decide = self._is_signed_in(browser) and login.is_pending(self._now())
        return login, may_decide and not own

    def _accept(self, login: Login, code: str) -> None:
        login.tries += 1
        if code == "right":
            login.status = "accepted"
        elif login.tries == 3:
            login.status = "wrong_codes"

    def _revoke(self) -> None:
        for login in self.logins:
            if login.status in ("pending", "accepted") and login.is_live(self._now()):
                login.status = "revoked"

    def _held_by(self, browser: int) -> Login | None:
        held = self.held.get(browser)
        return held.login if held and self._now() <= held.until else None

    def _note_session(self, browser: int) -> None:
        self.held.pop(browser, None)
        self.signed_in[browser] = (self._now(), self.password)
        self.sessions_begun += 1

    def _is_signed_in(self, browser: int) -> bool:
        _began_at, password = self.signed_in.get(browser, (None, -1))
        return self.is_active and password == self.password

    # The site

    def _post(self, browser: int, path: str, data: Any = None) -> Any:
        return self.browsers[browser].post(path, data)

    def _code(self, login: Login, code: str) -> str:
        right = approval_code(LoginSession.objects.get(pk=login.pk))
        return right if code == "right" else f"{(int(right) + 1) % 10_000:04d}"

    def _word(self) -> str:
        return f"{PASSWORD} {self.password}"

    def _now(self) -> datetime:
        return datetime.now(UTC)

    def _settings_changed(self) -> None:
        current_settings.forget()


RUNS = {
    "deadline": None,
    "stateful_step_count": 25,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}


@pytest.fixture
def anna(two_factor: AuthenticationSettings, user: PbxUser) -> None:
    user.set_password(f"{PASSWORD} 0")
    user.save()


@pytest.mark.usefixtures("anna")
def test_the_second_factor_does_what_its_model_does() -> None:
    run_state_machine_as_test(SecondFactor, settings=settings(max_examples=50, **RUNS))


@pytest.mark.long
@pytest.mark.usefixtures("anna")
def test_the_second_factor_does_what_its_model_does_500_times() -> None:
    run_state_machine_as_test(SecondFactor, settings=settings(max_examples=500, **RUNS))
