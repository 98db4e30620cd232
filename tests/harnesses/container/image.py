"""Build the image as users do, on a Debian that is made here.

So the tests need neither an engine nor an image from elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.services import ROOT

RELEASE = "bookworm"
BASE = "localhost/pbx-debian"
BUILD_SECONDS = 1500
# Where packages come from, and whom to trust there; what is a place on this machine
# alone does not come along.
PIP_OPTIONS = {"index-url", "extra-index-url", "trusted-host", "proxy"}
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Image:
    """`root` is its files, which are nobody's but this test's."""

    root: Path
    environment: dict[str, str]
    user: str
    entrypoint: list[str]
    volumes: list[str]
    health: list[str]


class Buildah:
    """What it needs of the kernel is a chroot, not namespaces or an overlay.

    Where tests run, those are often forbidden: inside a container, or without a user's
    range of numbers. The files it keeps are copies (vfs), which take more space.
    """

    def __init__(self, directory: Path) -> None:
        places = (
            "--root",
            str(directory / "kept"),
            "--runroot",
            str(directory / "run"),
        )
        self._command = ["buildah", *places, "--storage-driver", "vfs"]
        self._directory = directory

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words],
            cwd=ROOT,
            env=os.environ | proxies(),
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def make_base(self) -> None:
        """Make Debian as small as it comes, with nothing of this machine in it."""
        self._do("from", "--name", "debian", "scratch")
        root = self._do("mount", "debian")
        make = ["debootstrap", "--variant=minbase", RELEASE, root, *mirror()]
        done = subprocess.run(make, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-3000:]
        subprocess.run(["chroot", root, "apt-get", "clean"], check=True)
        for lists in Path(root, "var/lib/apt/lists").iterdir():
            shutil.rmtree(lists) if lists.is_dir() else lists.unlink()
        self._do("umount", "debian")
        self._do("commit", "--rm", "debian", BASE)

    def build(self) -> Image:
        """Build it, and return what an engine would read of it."""
        options = ["--isolation=chroot", "--pull-never", "--format=docker"]
        ignored = f"--ignorefile={ROOT}/deploy/Containerfile.dockerignore"
        own = pip_files(self._directory / "pip")
        mirrors = [
            "--build-arg=PIP_CONFIG_FILE=/mnt/pip.conf",
            f"--volume={own}:/mnt:ro",
        ]
        build = ["bud", *options, ignored, *mirrors, f"--build-arg=BASE={BASE}"]
        self._do(*build, "-t", "pbxsite", "-f", "deploy/Containerfile", ".")
        self._do("from", "--name", "site", "--pull-never", "localhost/pbxsite")
        told = json.loads(self._do("inspect", "--type=image", "localhost/pbxsite"))
        return _image(Path(self._do("mount", "site")), told["Docker"]["config"])

    def end(self) -> None:
        self._do("umount", "--all")


def _image(root: Path, told: dict[str, Any]) -> Image:
    return Image(
        root,
        environment=dict(pair.split("=", 1) for pair in told["Env"]),
        user=told["User"],
        entrypoint=told["Entrypoint"],
        volumes=list(told["Volumes"]),
        health=told["Healthcheck"]["Test"],
    )


def mirror() -> list[str]:
    """Return where this machine has its own Debian from; nothing if it is another."""
    form = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"
    asked = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Debian \w+ main (http:\S+)", told, re.MULTILINE)
    return [found[1]] if found else []


def proxies() -> dict[str, str]:
    """Return the proxy that apt goes through, as other programs know it."""
    asked = ["apt-config", "shell", "proxy", "Acquire::http::Proxy"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    found = re.search("proxy='(.+)'", told)
    return {"http_proxy": found[1]} if found else {}


def pip_files(directory: Path) -> Path:
    """Write what this machine's pip knows of mirrors, to be mounted in the build."""
    directory.mkdir()
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    known = dict(re.findall(r"^\S+?\.([\w-]+)='(.*)'$", told, re.MULTILINE))
    lines = ["[global]", "timeout = 120"]
    for name in PIP_OPTIONS & known.keys():
        words = [w for w in known[name].split() if not w.startswith(("/", "file:"))]
        lines += [f"{name} = {' '.join(words)}"] if words else []
    files = [known.get("cert"), *(os.environ.get(name) for name in CERTIFICATES)]
    if trusted := next(filter(None, files), None):
        shutil.copy(trusted, directory / "trusted.pem")
        lines.append("cert = /mnt/trusted.pem")
    (directory / "pip.conf").write_text("\n".join(lines) + "\n")
    return directory
