"""A real 389 Directory Server of the test's own: Debian's package 389-ds-base.

Its `dscreate` wants systemd and writes below /etc, so the template of its configuration
is filled in here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap
import pytest
from ldap.modlist import addModlist

from tests.support.directory import (
    BASE,
    DOMAIN,
    SERVICE,
    SERVICE_PASSWORD,
    USERS,
    WINDOWS_PASSWORD,
    free_ports,
)

SERVER, SHARE = "/usr/sbin/ns-slapd", Path("/usr/share/dirsrv")
MANAGER, MANAGERS_PASSWORD = "cn=Directory Manager", "manager"
LIMIT = 60.0  # seconds for the server to start or to end
FOLDERS = (
    *("bak_dir", "cert_dir", "config_dir", "db_dir", "db_home_dir", "inst_dir"),
    *("ldif_dir", "lock_dir", "log_dir", "run_dir", "tmp_dir"),
)
READABLE = (
    '(targetattr="*")(version 3.0; acl "service reads"; allow (read, search, compare) '
    f'userdn="ldap:///{SERVICE}";)'
)
BACKEND = "cn=userRoot,cn=ldbm database,cn=plugins,cn=config"


@dataclass
class Directory389:
    """A running server; `settings` are the row's fields that reach it."""

    port: int

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "netlogon_domain": DOMAIN,
            "netlogon_servers": f"localhost:{self.port}",
            "netlogon_security": "none",
            "netlogon_base_dn": BASE,
            "netlogon_bind_dn": SERVICE,
            "netlogon_bind_password": SERVICE_PASSWORD,
            "netlogon_user_filter": "(uid=%(user)s)",
        } | changes

    @contextmanager
    def as_manager(self) -> Iterator[Any]:
        connection = ldap.initialize(f"ldap://127.0.0.1:{self.port}")
        connection.set_option(ldap.OPT_TIMEOUT, LIMIT)
        connection.simple_bind_s(MANAGER, MANAGERS_PASSWORD)
        yield connection
        connection.unbind_s()

    def add(self, dn: str, **attributes: str | Sequence[str]) -> None:
        values = {name: _encoded(value) for name, value in attributes.items()}
        with self.as_manager() as manager:
            manager.add_s(dn, addModlist(values))

    def add_user(self, name: str) -> str:
        """Add a user with WINDOWS_PASSWORD; return the DN."""
        dn = f"uid={name},{USERS}"
        values = {"objectClass": "inetOrgPerson", "cn": name, "sn": name, "uid": name}
        self.add(dn, userPassword=WINDOWS_PASSWORD, **values)
        return dn

    def change(self, dn: str, **attributes: str) -> None:
        changes = [(ldap.MOD_REPLACE, n, _encoded(v)) for n, v in attributes.items()]
        with self.as_manager() as manager:
            manager.modify_s(dn, changes)

    @contextmanager
    def policy(self, **attributes: str) -> Iterator[None]:
        """Have the server's password policy be so for a while."""
        with self.as_manager() as manager:
            ((_dn, before),) = manager.search_s(
                "cn=config", ldap.SCOPE_BASE, attrlist=list(attributes)
            )
        self.change("cn=config", **attributes)
        yield
        self.change(
            "cn=config", **{name: values[0].decode() for name, values in before.items()}
        )


def _encoded(value: str | Sequence[str]) -> list[bytes]:
    values = [value] if isinstance(value, str) else value
    return [v.encode() for v in values]


@contextmanager
def running_389() -> Iterator[Directory389]:
    if not Path(SERVER).exists():
        pytest.fail("This test needs 389 Directory Server: .ci/packages long")
    with tempfile.TemporaryDirectory(prefix="389-", dir="/tmp") as name:
        place, (port,) = Path(name), free_ports(1)
        _configure(place, port)
        command = [SERVER, "-D", str(place / "config_dir"), "-i", f"{place}/pid"]
        with subprocess.Popen([*command, "-d", "0"]) as process:
            try:
                server = Directory389(port)
                _wait(server, process)
                _fill(server)
                yield server
            finally:
                process.terminate()


def _configure(place: Path, port: int) -> None:
    words = {folder: str(place / folder) for folder in FOLDERS}
    for folder in words.values():
        Path(folder).mkdir()
    schema = place / "config_dir/schema"
    schema.mkdir()
    words |= {
        "schema_dir": str(schema),
        "db_lib": "bdb",
        "ds_passwd": _hashed(MANAGERS_PASSWORD),
        "ds_port": str(port),
        "ds_suffix": BASE,
        "ds_user": "root",
        "fqdn": "localhost",
        "ldapi": f"{place}/socket",
        "ldapi_autobind": "off",
        "ldapi_enabled": "off",
        "rootdn": MANAGER,
    }
    template = (SHARE / "data/template-dse.ldif").read_text()
    filled = re.sub(r"%(\w+)%", lambda found: words[found[1]], template)
    config = place / "config_dir"
    (config / "dse.ldif").write_text(filled)
    shutil.copy("/etc/dirsrv/config/slapd-collations.conf", config)
    shutil.copy("/etc/dirsrv/schema/99user.ldif", schema)


def _hashed(password: str) -> str:
    """The file of its configuration must not hold the password itself."""
    salt = b"manager's"
    digest = hashlib.sha512(password.encode() + salt).digest()
    return "{SSHA512}" + base64.b64encode(digest + salt).decode()


def _wait(server: Directory389, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + LIMIT
    while True:
        assert process.poll() is None, "ns-slapd ended"
        assert time.monotonic() < limit, "ns-slapd does not answer"
        try:
            with server.as_manager():
                return
        except ldap.SERVER_DOWN:
            time.sleep(0.1)


def _fill(server: Directory389) -> None:
    server.add(
        BACKEND,
        objectClass=["extensibleObject", "nsBackendInstance"],
        cn="userRoot",
        **{"nsslapd-suffix": BASE},
    )
    server.add(
        f'cn="{BASE}",cn=mapping tree,cn=config',
        objectClass=["extensibleObject", "nsMappingTree"],
        cn=BASE,
        **{"nsslapd-state": "backend", "nsslapd-backend": "userRoot"},
    )
    server.add(BASE, objectClass=["domain"], dc="ad", aci=READABLE)
    server.add(USERS, objectClass="organizationalUnit")
    server.add(
        SERVICE,
        objectClass=["organizationalRole", "simpleSecurityObject"],
        userPassword=SERVICE_PASSWORD,
    )
    server.add_user("anna")
