"""The second factor against a model of it: any steps, in any order, twice as well.

The model knows what may happen; the site is driven by its own pages and flows. After
each step both have to agree who is signed in and what became of each login.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest
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
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.changes import end_sessions
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.gateway.openid.keys import new_pem
from pbxsite.gateway.openid.models import SigningKey
from tests.conftest import PASSWORD
from tests.support.factors import FACTOR_PAGE, WITHOUT, add_app, secret_in
from tests.support.openid import make_party
from tests.support.totp import totp
from tests.verification.approval.client_moves import ClientMoves
from tests.verification.approval.myapps_moves import MyAppsMoves
from verification.approval import flows
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.sessions import signed_in
from verification.sessions.lifecycle import noted
from verification.sessions.models import FactorBinding, KnownAddress

pytestmark = pytest.mark.django_db
BEGINNING = datetime(2031, 3, 4, 5, 6, 7, tzinfo=UTC)
LOGIN_TTL = timedelta(minutes=10)
# allauth keeps a login that is under way for so long.
STASH_TTL = timedelta(minutes=15)
FRESH = timedelta(minutes=15)
# Two browsers that log in, and one that was signed in before.
BROWSERS = st.integers(0, 2)
FROM_BEFORE = 2
LOGIN_PAGES = st.sampled_from(["/login/", "/login/again/"])
DECISIONS = st.sampled_from(["accept", "guess", "accept", "reject"])
WAITING_PAGE = ["continue", "send again", "cancel"]
ADMINISTRATION = ["change the password", "deactivate", "end a login", "end everything"]
# How a login goes on at once, so that runs get further than single steps lead.
GOING_ON = st.lists(
    st.sampled_from(
        [
            "accept",
            "continue",
            "send again",
            "accept by the first link",
            "accept in a session",
            "guess",
            "reject",
            "time runs out",
            *ADMINISTRATION[:2],
            "cancel",
        ]
    ),
    min_size=2,
    max_size=7,
)
# The browsers come from the first two; strangers from any.
ADDRESSES = ["192.0.2.1", "192.0.2.2", "198.51.100.9"]
MOST_FAILURES = 3
LIMITS = override_settings(
    WAITS_AFTER_REJECTION=[timedelta()],
    LIMIT_HELD_LOGINS=(10_000, LOGIN_TTL),
    ACCOUNT_RATE_LIMITS={"login": False, "login_failed": f"{MOST_FAILURES}/5m/key"},
)


@dataclass
class Login:
    """What the model knows of a login; a link goes with when it was signed."""

    pk: int
    began_at: datetime
    password: int
    shows_factor: bool
    status: str = "pending"
    # Whether a factor may rest on what accepted it.
    is_approved: bool = False
    tries: int = 0
    links: list[tuple[str, datetime]] = field(default_factory=list)

    def is_live(self, now: datetime) -> bool:
        return now < self.began_at + LOGIN_TTL

    def is_pending(self, now: datetime) -> bool:
        return self.status == "pending" and self.is_live(now)


def is_under_way(machine: SecondFactor) -> bool:
    """Where nothing is, the only step is another login: runs shall get somewhere."""
    now = machine._now()
    return any(
        login.status in ("pending", "accepted") and login.is_live(now)
        for login in machine.logins
    )


class SecondFactor(MyAppsMoves, ClientMoves, RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        LIMITS.enable()
        self.travel = time_machine.travel(BEGINNING, tick=False)
        self.clock = self.travel.start()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        noted.forget()
        self.logins: list[Login] = []
        # Each browser's own login, and until when it knows of it.
        self.held: dict[int, tuple[Login, datetime]] = {}
        # Browsers that are signed in, with the time and the password of their login.
        self.signed_in: dict[int, tuple[datetime, int]] = {}
        # Browsers whose session was approved, by what was itself approved.
        self.approved: dict[int, bool] = {}
        self.app, self.factor_counts = "", False
        self.is_active, self.password, self.sessions_begun = True, 0, 0
        self.held_tokens, self.marks = [], []
        self.waiting_clients, self.client_sessions = {}, {}
        # Where a login was completed, whether its session lives or not.
        self.known: set[str] = set()

    @initialize(with_factor=st.booleans())
    def switch_on(self, *, with_factor: bool) -> None:
        """While a browser is signed in already, which may have added a factor."""
        self.user = PbxUser.objects.get(name="anna")
        self.browsers = [
            Browser(REMOTE_ADDR=ADDRESSES[number % 2]) for number in range(3)
        ]
        self.party = make_party()
        cache.clear()
        self._set_two_factor(on=False)
        self._post(FROM_BEFORE, "/login/", self._credentials())
        if with_factor:
            self.app = secret_in(add_app(self.browsers[FROM_BEFORE]))
        self._set_two_factor(on=True)
        self._allow_digests()
        self._note_session(FROM_BEFORE, approved=False)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)
        self.travel.stop()
        LIMITS.disable()

    # What people do

    @rule(browser=BROWSERS, path=LOGIN_PAGES, shown=st.booleans(), then=GOING_ON)
    def log_in(self, browser: int, path: str, then: list[str], *, shown: bool) -> None:
        """A signed-in browser may too, to prove again who sits there."""
        cache.clear()
        wrong = self._post(browser, path, {"login": "anna", "password": "not hers"})
        answer = self._post(browser, path, self._credentials())
        if self._is_signed_in(browser) and path == "/login/":
            return
        assert wrong.status_code == 200
        login = self._after_password(browser, answer, shown=shown)
        for step in then if login else []:
            self._go_on(browser, login, step)

    def _after_password(
        self, browser: int, answer: Any, *, shown: bool
    ) -> Login | None:
        """Nobody logs in who is not active; they are it again after that."""
        if not self.is_active:
            assert answer.status_code == 200
            self._set_active(active=True)
            return None
        if self.app:
            answer = self._answer_factor(browser, answer, shown=shown)
        if answer.url == "/account/":
            self._note_session(browser, approved=True)
            return None
        assert answer.url == "/login/waiting/"
        return self._begin(browser, shows_factor=bool(self.app) and shown)

    @rule(browser=BROWSERS, stranger=st.sampled_from(ADDRESSES), shown=st.booleans())
    def log_in_while_a_stranger_guesses(
        self, browser: int, stranger: str, *, shown: bool
    ) -> None:
        """Only where the stranger sits too, or neither is known, the owner waits."""
        cache.clear()
        wrong = {"login": "anna", "password": "not hers"}
        for _ in range(MOST_FAILURES):
            Browser(REMOTE_ADDR=stranger).post("/login/", wrong)
        counted = "session" if self._is_signed_in(browser) else self._spot(browser)
        answer = self._post(browser, "/login/again/", self._credentials())
        if counted == self._spot_of(stranger):
            assert answer.status_code == 429
        else:
            self._after_password(browser, answer, shown=shown)

    def _spot(self, browser: int) -> str:
        return self._spot_of(ADDRESSES[browser % 2])

    def _spot_of(self, address: str) -> str:
        return address if address in self.known else "elsewhere"

    def _answer_factor(self, browser: int, asked: Any, *, shown: bool) -> Any:
        """The page of factors has the browser signed out first."""
        assert asked.url == FACTOR_PAGE
        self.signed_in.pop(browser, None)
        self.held.pop(browser, None)
        if not shown:
            answer = self._post(browser, WITHOUT)
            assert (answer.url == FACTOR_PAGE) is self.factor_counts
            if not self.factor_counts:
                return answer
        answer = self._post(browser, FACTOR_PAGE, {"code": totp(self.app)})
        assert (answer.url == "/account/") is self.factor_counts
        return answer

    def _go_on(self, browser: int, login: Login, step: str) -> None:
        if step in WAITING_PAGE:
            self.clock.shift(timedelta(seconds=31))
            self._use_waiting_page(browser, step)
        elif step == "time runs out":
            self.clock.shift(LOGIN_TTL)
        elif step == "accept by the first link":
            self._use_link(login, 0, "accept")
        elif step == "accept in a session":
            self._use_session(login, FROM_BEFORE, "accept")
        elif step in ADMINISTRATION:
            self._administer(login, step)
        else:
            self._use_link(login, -1, step)

    @precondition(is_under_way)
    @rule(browser=BROWSERS, step=st.sampled_from(WAITING_PAGE))
    def use_waiting_page(self, browser: int, step: str) -> None:
        self._use_waiting_page(browser, step)

    @precondition(is_under_way)
    @rule(data=st.data(), decision=DECISIONS)
    def use_link(self, data: st.DataObject, decision: str) -> None:
        """Any link that was ever sent."""
        login = self._any_login(data)
        number = data.draw(st.sampled_from(range(len(login.links))))
        self._use_link(login, number, decision)

    @precondition(is_under_way)
    @rule(data=st.data(), browser=BROWSERS, decision=DECISIONS)
    def use_session(self, data: st.DataObject, browser: int, decision: str) -> None:
        self._use_session(self._any_login(data), browser, decision)

    def _use_session(self, login: Login, browser: int, decision: str) -> None:
        address = f"/account/approvals/{login.pk}/"
        self._post(browser, address, self._decision(login, decision))
        own = self._held_by(browser) is login
        if self._is_signed_in(browser) and login.is_pending(self._now()) and not own:
            self._decide(login, decision, approved=self.approved[browser])

    @precondition(is_under_way)
    @rule(browser=BROWSERS)
    def log_out(self, browser: int) -> None:
        self._post(browser, "/logout/")
        # It drops a login that is under way as well.
        self.held.pop(browser, None)
        if self._is_signed_in(browser):
            del self.signed_in[browser]

    @precondition(is_under_way)
    @rule(browser=BROWSERS)
    def end_all_others(self, browser: int) -> None:
        self._post(browser, "/account/sessions/end-others/")
        if not self._is_signed_in(browser):
            return
        began_at, _password = self.signed_in[browser]
        if self._now() - began_at < FRESH:
            self._end_sessions(besides=browser)
            self._revoke()

    # What the time and administrators do

    @precondition(is_under_way)
    @rule(seconds=st.sampled_from([1, 29, 290, 599, 901]))
    def wait(self, seconds: int) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    @precondition(is_under_way)
    @rule(data=st.data(), step=st.sampled_from(ADMINISTRATION))
    def administer(self, data: st.DataObject, step: str) -> None:
        self._administer(self._any_login(data), step)

    def _administer(self, login: Login, step: str) -> None:
        if step == "deactivate":
            self._set_active(active=not self.is_active)
        elif step == "end everything":
            end_sessions([self.user])
            self._end_sessions()
            self._revoke()
        elif step == "change the password":
            self._change_password()
        else:
            self._end(login)

    # What has to hold

    @invariant()
    def the_same_browsers_are_signed_in(self) -> None:
        for number, browser in enumerate(self.browsers):
            request = HttpRequest()
            request.session = browser.session
            user = signed_in.user_of(request.session)
            assert (user is not None) is self._is_signed_in(number), number

    @invariant()
    def the_same_became_of_each_login(self) -> None:
        rows = {row.pk: row for row in LoginSession.objects.all()}
        assert len(rows) == len(self.logins)
        for login in self.logins:
            is_open = login.status in ("pending", "accepted")
            over = is_open and not login.is_live(self._now())
            row = rows[login.pk]
            assert row.status == ("expired" if over else login.status)
            assert (row.code_tries, row.link_number) == (login.tries, len(login.links))

    @invariant()
    def no_login_began_two_sessions(self) -> None:
        begun = AuditEvent.objects.filter(event=Event.LOGIN).count()
        assert begun == self.sessions_begun

    @invariant()
    def the_factor_counts_after_an_approval_alone(self) -> None:
        approved = FactorBinding.objects.exclude(approver="")
        assert approved.filter(factor__type="totp").exists() is self.factor_counts

    @invariant()
    def addresses_of_completed_logins_are_known(self) -> None:
        rows = KnownAddress.objects.values_list("address", flat=True)
        assert set(rows) == self.known

    # Each step at the site, and what the model makes of it

    def _begin(self, browser: int | None, *, shows_factor: bool) -> Login:
        """`browser` is None where a client waits."""
        for login in self.logins:
            if login.status == "pending":
                login.status = "superseded"
        row = LoginSession.objects.latest("pk")
        begun = Login(row.pk, self._now(), self.password, shows_factor)
        begun.links.append((link_token(row), self._now()))
        self.logins.append(begun)
        if browser is not None:
            self.held[browser] = (begun, self._now() + STASH_TTL)
        return begun

    def _use_waiting_page(self, browser: int, step: str) -> None:
        self._post(browser, f"/login/waiting/{step.replace(' ', '-')}/")
        login = self._held_by(browser)
        if step == "cancel":
            self.held.pop(browser, None)
        if login is None:
            return
        if step == "cancel" and login.status == "pending":
            login.status = "cancelled"
        elif step == "send again" and self._may_send_again(login):
            row = LoginSession.objects.get(pk=login.pk)
            login.links.append((link_token(row), self._now()))
        elif step == "continue" and self._may_continue(login):
            login.status = "completed"
            self._note_session(browser, approved=login.is_approved)
            self.factor_counts |= login.shows_factor and login.is_approved

    def _may_send_again(self, login: Login) -> bool:
        since = self._now() - login.links[-1][1]
        is_time = since >= timedelta(seconds=30) and len(login.links) < 4
        return is_time and login.is_pending(self._now())

    def _may_continue(self, login: Login) -> bool:
        unchanged = login.password == self.password and self.is_active
        accepted = login.status == "accepted" and login.is_live(self._now())
        return accepted and unchanged

    def _use_link(self, login: Login, number: int, decision: str) -> None:
        token, signed_at = login.links[number]
        address = f"/PBX0/session.xml?{urlencode({'id': token})}"
        answer = Browser().post(address, self._decision(login, decision))
        is_newest = number in (-1, len(login.links) - 1)
        in_time = self._now() <= signed_at + LOGIN_TTL
        works = is_newest and in_time and login.is_pending(self._now())
        if works and self.is_active:
            self._decide(login, decision, approved=True)
            assert (answer.status_code == 410) is (login.status == "wrong_codes")
        else:
            assert answer.status_code == 410

    def _decide(self, login: Login, decision: str, *, approved: bool) -> None:
        if decision == "reject":
            login.status = "rejected"
            return
        login.tries += 1
        if decision == "accept":
            login.status, login.is_approved = "accepted", approved
        elif login.tries == 3:
            login.status = "wrong_codes"

    def _end(self, login: Login) -> None:
        flows.end(LoginSession.objects.get(pk=login.pk), actor=self.user)
        if login.status == "pending":
            login.status = "ended"

    def _set_active(self, *, active: bool) -> None:
        """As a command might, which ends nothing else."""
        self.is_active = active
        PbxUser.objects.update(is_active=active)

    def _change_password(self) -> None:
        """As a command might, which ends nothing else."""
        self.password += 1
        user = PbxUser.objects.get()
        user.set_password(self._word())
        user.save(update_fields=["password"])

    def _end_sessions(self, *, besides: int | None = None) -> None:
        """With a session ends what it knew of a login that is under way."""
        self.client_sessions.clear()
        for browser in self.signed_in.keys() - {besides}:
            del self.signed_in[browser]
            self.held.pop(browser, None)

    def _set_two_factor(self, *, on: bool) -> None:
        AuthenticationSettings.objects.update(two_factor=on)
        current_rules.forget()

    def _revoke(self) -> None:
        for login in self.logins:
            if login.status in ("pending", "accepted") and login.is_live(self._now()):
                login.status = "revoked"

    def _note_session(self, browser: int, *, approved: bool) -> None:
        self.approved[browser] = approved
        self.held.pop(browser, None)
        self.signed_in[browser] = (self._now(), self.password)
        self.known.add(ADDRESSES[browser % 2])
        self.sessions_begun += 1

    # Words for both

    def _any_login(self, data: st.DataObject) -> Login:
        """Return a late one, most often the last."""
        back = data.draw(st.sampled_from([1, 1, 2, 3]))
        return self.logins[-min(back, len(self.logins))]

    def _held_by(self, browser: int) -> Login | None:
        login, until = self.held.get(browser, (None, BEGINNING))
        return login if self._now() <= until else None

    def _is_signed_in(self, browser: int) -> bool:
        _began_at, password = self.signed_in.get(browser, (None, -1))
        return self.is_active and password == self.password

    def _note_use(self, browser: int) -> None:
        """A session of an older password ends, with all it knew, when it is used.

        That of somebody who is not active is not even looked at.
        """
        _began_at, password = self.signed_in.get(browser, (None, self.password))
        if self.is_active and password != self.password:
            del self.signed_in[browser]
            self.held.pop(browser, None)

    def _post(self, browser: int, path: str, data: Any = None) -> Any:
        self._note_use(browser)
        return self.browsers[browser].post(path, data)

    def _decision(self, login: Login, decision: str) -> dict[str, str]:
        right = approval_code(LoginSession.objects.get(pk=login.pk))
        wrong = f"{(int(right) + 1) % 10_000:04d}"
        kind = "reject" if decision == "reject" else "accept"
        return {"decision": kind, "code": wrong if decision == "guess" else right}

    def _credentials(self) -> dict[str, str]:
        return {"login": "anna", "password": self._word()}

    def _word(self) -> str:
        return f"{PASSWORD} {self.password}"

    def _now(self) -> datetime:
        return datetime.now(UTC)


RUNS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}


@pytest.fixture
def anna(
    two_factor: AuthenticationSettings, user: PbxUser, caplog: pytest.LogCaptureFixture
) -> None:
    # Thousands of links that work no more.
    caplog.set_level(logging.ERROR, "django.request")
    user.set_password(f"{PASSWORD} 0")
    user.save()
    SigningKey.objects.create(pem=new_pem())


# It computes without a pause: a busy machine takes several times as long.
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("anna")
@pytest.mark.skipif(connection.vendor != "sqlite", reason="there the long one does it")
def test_the_second_factor_does_what_its_model_does() -> None:
    quick = settings(max_examples=6, stateful_step_count=12, derandomize=True, **RUNS)
    run_state_machine_as_test(SecondFactor, settings=quick)


@pytest.mark.long
@pytest.mark.usefixtures("anna")
def test_the_second_factor_does_what_its_model_does_500_times() -> None:
    long = settings(max_examples=500, stateful_step_count=12, **RUNS)
    run_state_machine_as_test(SecondFactor, settings=long)
