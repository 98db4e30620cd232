"""The errors of a login that is refused for a reason worth telling."""

from __future__ import annotations

from enum import Enum, auto

from authconfig.choices import Method


class Said(Enum):
    """What a method said of the password."""

    WRONG = auto()
    RIGHT = auto()
    NOTHING = auto()


class LoginRefusedError(Exception):
    """`detail` is for the audit log; `sentence`, if any, is for the visitor."""

    code = "refused"

    def __init__(
        self, method: Method, detail: str, sentence: str = "", said: Said = Said.WRONG
    ) -> None:
        super().__init__(detail)
        self.method, self.detail = method, detail
        self.sentence, self.said = sentence, said


class MustWaitError(LoginRefusedError):
    """Too many failed, so the method was not asked."""

    # As allauth calls it; the page's status is 429.
    code = "too_many_login_attempts"

    def __init__(self, method: Method, detail: str, sentence: str) -> None:
        super().__init__(method, detail, sentence, Said.NOTHING)
