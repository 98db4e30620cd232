"""The login methods that take a password: each module offers one `check`.

A check returns the active PBX user or None; LoginRefusedError says why if that helps.
A new method gets a module here, a line in CHECKS and its place in `policy`. The PBX
password is the users' own (`authconfig.users.passwords`).
"""

from __future__ import annotations

from typing import Protocol

from authconfig.choices import Method
from authconfig.methods import netlogon
from authconfig.users import passwords
from authconfig.users.models import PbxUser


class Check(Protocol):
    """`is_known`: the try comes from where the user is known, or from their session."""

    def __call__(
        self, name: str, password: str, *, is_known: bool = False
    ) -> PbxUser | None: ...


CHECKS: dict[Method, Check] = {
    Method.PASSWORD: passwords.check,
    Method.NETLOGON: netlogon.check,
}
