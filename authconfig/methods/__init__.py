"""The ways to log in with a password, each one `check` of the same shape."""

from __future__ import annotations

from collections.abc import Callable

from authconfig.choices import Method
from authconfig.methods import netlogon, password
from authconfig.users.models import PbxUser

Check = Callable[[str, str], PbxUser | None]

CHECKS: dict[Method, Check] = {
    Method.PASSWORD: password.check,
    Method.NETLOGON: netlogon.check,
}
