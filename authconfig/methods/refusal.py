"""The error of a login that is refused for a reason worth telling."""

from __future__ import annotations

from authconfig.choices import Method


class LoginRefusedError(Exception):
    """`detail` is for the audit log; `sentence`, if any, is for the visitor."""

    def __init__(self, method: Method, detail: str, sentence: str = "") -> None:
        super().__init__(detail)
        self.method, self.detail, self.sentence = method, detail, sentence
