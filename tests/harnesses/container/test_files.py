"""compose.yaml and what stands beside it: alike, complete and without a secret."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pbxsite.env import env
from tests.harnesses.container.running import COMPOSE, DEPLOY, Proxy, compose, example
from tests.harnesses.production.units import UNITS
from tests.support.certificates import make_authority
from tests.support.services import ROOT

SITE = ("web", "worker", "scheduler", "tables")
UNIT_NAMES = {
    "web": "pbx-web@.service",
    "worker": "pbx-worker.service",
    "scheduler": "pbx-beat.service",
}
# Where a process listens and what it is called is the machine's matter.
PLACES = {
    '--host "${BIND:-0.0.0.0}" --port "${PORT:-8000}"': "--fd 3",
    "worker@%h": "worker@%H",
}
SECRETS = DEPLOY / "container" / "secrets"


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


@pytest.mark.parametrize("name", UNIT_NAMES)
def test_a_process_has_the_options_of_its_unit(name: str) -> None:
    script = (DEPLOY / "container" / "pbx").read_text().replace("\\\n", "")
    own = re.search(rf"^{name}\)\s+exec \$python (.*)$", script, re.MULTILINE)
    unit = (UNITS / UNIT_NAMES[name]).read_text().replace("\\\n", "")
    theirs = re.search(r"^ExecStart=\S+/python (.*)$", unit, re.MULTILINE)
    assert own
    assert theirs
    words = own[1]
    for here, there in PLACES.items():
        words = words.replace(here, there)

    assert shlex.split(words) == shlex.split(theirs[1])


@pytest.mark.parametrize("name", SITE)
def test_each_process_of_the_site_is_held_alike(name: str) -> None:
    own = {"command", "healthcheck", "build", "stop_grace_period", "environment"}
    own |= {"depends_on", "restart"}
    common = {k: v for k, v in service("web").items() if k not in own}

    assert {k: v for k, v in service(name).items() if k not in own} == common
    assert common["read_only"]
    assert common["cap_drop"] == ["ALL"]
    assert service(name)["command"] in (*UNIT_NAMES, "migrate")


@pytest.mark.parametrize("name", SITE)
def test_what_is_set_is_read_by_the_site_and_a_secret_is_a_file(name: str) -> None:
    told = service(name)["environment"]
    known = compose()["secrets"]

    assert set(told) | set(example()) <= env.asked
    for variable, value in told.items():
        if variable.endswith("_FILE"):
            secret = value.removeprefix("/run/secrets/")
            assert secret in service(name)["secrets"]
            assert known[secret] == {"file": f"secrets/{secret}"}
    assert {variable for variable in told if "FILE" not in variable} <= {
        "DATABASE_QUERY_TIMEOUT"
    }


def test_the_secrets_are_made_once_and_nobody_else_enters(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    subprocess.run([SECRETS, folder], check=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run([SECRETS, folder], check=True)

    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert set(made) == set(compose()["secrets"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Of whatever user a container's process is: each reads what is mounted there.
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o644}
    assert len(made["secret_key"].strip()) >= 50
    assert made["database_password"].strip() in made["database_url"]
    assert f":{made['redis_conf'].split()[1]}@" in made["redis_url"]


def test_the_database_and_redis_are_reached_by_the_site_alone() -> None:
    networks = compose()["networks"]

    assert networks["inside"] == {"internal": True}
    for name, told in compose()["services"].items():
        is_inner = name in ("database", "redis")
        assert told["networks"] == ["inside"] or not is_inner
        assert "ports" not in told or name == "proxy"


@pytest.mark.long
def test_compose_understands_its_file_and_reads_the_example(tmp_path: Path) -> None:
    # Compose 1, which Debian 12 has, knows no name.
    lines = COMPOSE.read_text().replace("name: pbx\n", "")
    words = ["docker-compose", "--project-name=pbx", "--file=-", "config"]
    done = subprocess.run(
        words, cwd=DEPLOY, input=lines, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    told = yaml.safe_load(done.stdout)["services"]
    assert set(told) == set(compose()["services"])
    for name in SITE:
        known = told[name]["environment"]
        assert known == example() | service(name)["environment"]
        assert {each["target"] for each in volumes(told[name])} == {"/var/lib/pbx"}
    assert told["proxy"]["environment"] == example()


def volumes(service: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield them in the long form, whichever the version writes."""
    for each in service["volumes"]:
        place = {} if isinstance(each, dict) else {"target": each.split(":")[1]}
        yield place or each


def test_caddy_understands_its_file(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, make_authority(), 1)
    words = [word.replace("run", "validate") for word in proxy.command]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)

    assert "Valid configuration" in done.stdout + done.stderr


def test_the_image_is_made_of_what_is_not_ignored() -> None:
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    taken = {line[1:] for line in ignored if line.startswith("!")}
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    sources = {word for words in copied for word in words if "=" not in word}

    for source in sources - {"/opt/pbx"}:
        assert (ROOT / source).exists()
        assert any(source == each or source.startswith(f"{each}/") for each in taken)
    assert all(os.access(SECRETS.parent / name, os.X_OK) for name in ("pbx", "finish"))
