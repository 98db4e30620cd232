"""The environment of this process, and of its copies."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

_getenv = ctypes.CDLL(None).getenv
_getenv.argtypes, _getenv.restype = [ctypes.c_char_p], ctypes.c_void_p


def forget(names: Iterable[str]) -> None:
    """Forget them, and overwrite them where `ps` and /proc find them.

    A copy of this process has the same first environment, whatever it unsets.
    """
    for name in names:
        if address := _getenv(os.fsencode(name)):
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
        os.environ.pop(name, None)
