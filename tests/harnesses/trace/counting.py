"""Which of our own files a piece of work touches, in which order."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGES = ("authconfig", "verification", "pbxsite")
# The body of a module runs when it is imported; that is no step of the work.
MODULE_BODY = "<module>"


@dataclass(frozen=True)
class Call:
    file: str
    function: str

    @property
    def package(self) -> str:
        return self.file.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


@dataclass(frozen=True)
class Trace:
    calls: list[Call]

    @property
    def files(self) -> list[str]:
        """Return each file once, in the order of its first call."""
        return list(dict.fromkeys(call.file for call in self.calls))

    @property
    def changes(self) -> list[tuple[Call, Call]]:
        """Return the calls that follow a call of another top package."""
        return [
            (last, call)
            for last, call in pairwise(self.calls)
            if last.package != call.package
        ]

    @classmethod
    def together(cls, traces: Iterable[Trace]) -> Trace:
        return cls([call for trace in traces for call in trace.calls])


class Counter:
    """Notes every call of our own functions, on every thread that starts meanwhile."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self._is_over = False
        self._calls: list[Call] = []

    def stop(self) -> None:
        """Note no more calls; any thread may say so."""
        self._is_over = True

    @property
    def trace(self) -> Trace:
        return Trace(list(self._calls))

    @contextmanager
    def counting(self) -> Iterator[None]:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if self._is_over or event != "call" or code.co_name == MODULE_BODY:
            return
        if code.co_filename.startswith(self._root):
            call = Call(code.co_filename.removeprefix(self._root), code.co_name)
            if call.package in PACKAGES:
                self._calls.append(call)
