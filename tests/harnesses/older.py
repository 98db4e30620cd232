"""A commit of this site in a folder of its own, to measure it beside another one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services import ROOT

INSTALL_SECONDS = 900


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """Yield a folder with the commit and the packages that it pins.

    The harnesses in it are these here, so that the same yardstick measures both.
    """
    with tempfile.TemporaryDirectory(prefix="pbx-older-") as place:
        tree = Path(place) / "site"
        words = ("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(tree))
        _run("git", *words)
        _run("git", "checkout", "--quiet", full_name(commit), cwd=tree)
        print(f"Installing {commit} in {tree}", file=sys.stderr)  # noqa: T201
        _run(".ci/install", "base", cwd=tree)
        (tree / "tests").rename(tree / "tests-of-then")
        (tree / "tests").symlink_to(ROOT / "tests")
        yield tree


def full_name(commit: str) -> str:
    """Return the commit's own name; a branch is of no use in another clone."""
    words = ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"There is no commit {commit} here.")
    return done.stdout.strip()


def _run(*words: str, cwd: Path = ROOT) -> None:
    environment = os.environ | {"PYTHON": sys.executable}
    subprocess.run(words, cwd=cwd, env=environment, check=True, timeout=INSTALL_SECONDS)
