"""What clients that the browsers are signed in to do, for the model of the login.

Tokens are good as long as the session that they come from, and a login that a client
wants anew is asked for in each browser by itself.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.test import Client as Browser
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support.openid import Party

BROWSERS = st.integers(0, 2)
MARK_TTL = timedelta(hours=1)
Session = tuple[datetime, int]


@dataclass
class Held:
    """A client's refresh token, with the session that it comes from."""

    browser: int
    session: Session
    value: str
    is_over: bool = False


@dataclass
class Mark:
    browser: int
    made_at: datetime
    address: str


class ClientMoves:
    """`party` is the client; the machine itself knows who is signed in."""

    party: Party
    browsers: list[Browser]
    signed_in: dict[int, Session]
    held_tokens: list[Held]
    marks: list[Mark]

    @rule(browser=BROWSERS)
    def open_client(self, browser: int) -> None:
        answer = self._get(browser, self.party.asked())
        code = self._code_in(answer)
        assert bool(code) is self._is_signed_in(browser)
        if code:
            value = self.party.token(code=code).json()["refresh_token"]
            self.held_tokens.append(Held(browser, self.signed_in[browser], value))

    @precondition(lambda machine: machine.held_tokens)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.held_tokens))
        is_live = self._goes_on(held)
        answer = self.party.refresh(held.value)
        assert (answer.status_code == 200) is is_live
        held.is_over = not is_live

    @precondition(lambda machine: machine.held_tokens)
    @rule(data=st.data(), browser=BROWSERS)
    def refresh_with_a_foreign_code(self, data: st.DataObject, browser: int) -> None:
        held = data.draw(st.sampled_from(self.held_tokens))
        code = self._code_in(self._get(browser, self.party.asked()))
        answer = self.party.refresh(held.value, code=code or "made up")
        assert answer.status_code in (400, 429)

    @rule(browser=BROWSERS)
    def want_a_login_anew(self, browser: int) -> None:
        answer = self._get(browser, self.party.asked(prompt="login"))
        assert not self._code_in(answer)
        address = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
        self.marks.append(Mark(browser, self._now(), address))

    @precondition(lambda machine: machine.marks)
    @rule(data=st.data(), browser=BROWSERS)
    def use_a_mark(self, data: st.DataObject, browser: int) -> None:
        """Any that was made, in any browser."""
        mark = data.draw(st.sampled_from(self.marks))
        code = self._code_in(self._get(browser, mark.address))
        counts = mark.browser == browser and self._now() - mark.made_at <= MARK_TTL
        younger = self._is_signed_in(browser) and (
            self.signed_in[browser][0] >= mark.made_at
        )
        assert bool(code) is (counts and younger)

    def _goes_on(self, held: Held) -> bool:
        # Two logins of one moment are equal, and not the same.
        same = self.signed_in.get(held.browser) is held.session
        return same and self._is_signed_in(held.browser) and not held.is_over

    def _code_in(self, answer: HttpResponse) -> str:
        """Return the code, from a redirect or from the page that leads on."""
        told = answer.get("Location", "") or html.unescape(answer.content.decode())
        found: list[str] = parse_qs(told.replace("?", "&")).get("code", [""])
        return found[0].partition('"')[0]

    def _get(self, browser: int, path: str) -> Any:
        self._note_use(browser)
        return self.browsers[browser].get(path)

    # The machine's own

    def _note_use(self, browser: int) -> None:
        raise NotImplementedError

    def _is_signed_in(self, browser: int) -> bool:
        raise NotImplementedError

    def _now(self) -> datetime:
        raise NotImplementedError
