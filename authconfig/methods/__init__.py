"""The login methods that take a password: each module offers one `check`.

A check returns the active PBX user or None; LoginRefusedError says why if that helps.
A new method gets a module here, a line in CHECKS and its place in `policy`. The PBX
password is the users' own (`authconfig.users.passwords`).
"""

from __future__ import annotations

from collections.abc import Callable

from authconfig.choices import Method
from authconfig.methods import netlogon
from authconfig.users import passwords
from authconfig.users.models import PbxUser

Check = Callable[[str, str], PbxUser | None]

CHECKS: dict[Method, Check] = {
    Method.PASSWORD: passwords.check,
    Method.NETLOGON: netlogon.check,
}
