"""A real domain controller of the test's own: Samba, with its LDAP server alone.

It listens on the usual ports, so on an address of its own of this machine's loopback,
and has to be started by root. Debian's packages are samba, samba-dsdb-modules,
samba-ad-provision and, for `ldbmodify`, ldb-tools.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap
import pytest
from ldap.modlist import addModlist

from tests.support.certificates import Authority
from tests.support.directory import DOMAIN, WINDOWS_PASSWORD

ADDRESS, CONTROLLER = "127.0.0.77", "DC1"
BASE = "DC=ad,DC=example,DC=com"
USERS = f"CN=Users,{BASE}"
ADMINISTRATOR, ADMINISTRATORS_PASSWORD = f"administrator@{DOMAIN}", "Adm1nistrator!"
SERVICE, SERVICE_PASSWORD = f"CN=service,{USERS}", "a service account's own 1"
LIMIT = 60.0  # seconds for Samba to start or to end
# A control of Samba's own: take the date of the last password as it is given.
AS_GIVEN = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0"
FOLDERS = {
    "private dir": "private",
    "state directory": "state",
    "cache directory": "cache",
    "lock directory": ".",
    "pid directory": ".",
    "ncalrpc dir": "ncalrpc",
    "winbindd socket directory": "winbindd",
    "ntp signd socket directory": "ntp",
    "binddns dir": "bind-dns",
}
CONFIGURATION = f"""\
[global]
netbios name = {CONTROLLER}
realm = {DOMAIN.upper()}
workgroup = AD
server role = active directory domain controller
server services = ldap
interfaces = {ADDRESS}/8
bind interfaces only = yes
"""


@dataclass
class Samba:
    """A running controller; `settings` are the row's fields that reach it."""

    place: Path
    ca_pem: str

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "netlogon_domain": DOMAIN,
            "netlogon_servers": ADDRESS,
            "netlogon_security": "tls",
            "netlogon_ca_certificate": self.ca_pem,
            "netlogon_base_dn": "",
            "netlogon_bind_dn": "",
            "netlogon_bind_password": "",
        } | changes

    def with_service(self) -> dict[str, Any]:
        return self.settings(
            netlogon_bind_dn=SERVICE, netlogon_bind_password=SERVICE_PASSWORD
        )

    @contextmanager
    def as_administrator(self) -> Iterator[Any]:
        connection = ldap.initialize(f"ldaps://{ADDRESS}")
        connection.set_option(ldap.OPT_TIMEOUT, LIMIT)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self.place / "ca.pem"))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.simple_bind_s(ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
        yield connection
        connection.unbind_s()

    def add_user(self, name: str, password: str = WINDOWS_PASSWORD) -> str:
        dn = f"CN={name},{USERS}"
        values = {
            "objectClass": b"user",
            "sAMAccountName": name.encode(),
            "userPrincipalName": f"{name}@{DOMAIN}".encode(),
            "userAccountControl": b"512",
            "unicodePwd": _quoted(password),
        }
        with self.as_administrator() as administrator:
            administrator.add_s(dn, addModlist({k: [v] for k, v in values.items()}))
        return dn

    def remove(self, dn: str) -> None:
        with self.as_administrator() as administrator:
            administrator.delete_s(dn)

    def change(self, dn: str, **attributes: str | bytes) -> None:
        changes = [
            (ldap.MOD_REPLACE, name, [v.encode() if isinstance(v, str) else v])
            for name, v in attributes.items()
        ]
        with self.as_administrator() as administrator:
            administrator.modify_s(dn, changes)

    def reset_password(self, dn: str, password: str) -> None:
        self.change(dn, unicodePwd=_quoted(password))

    def age_password(self, dn: str) -> None:
        """Date the password back to 2020."""
        ldif = f"dn: {dn}\nchangetype: modify\nreplace: pwdLastSet\n"
        database = str(self.place / "private/sam.ldb")
        subprocess.run(
            ["ldbmodify", "-H", database, AS_GIVEN],
            input=f"{ldif}pwdLastSet: 132223104000000000\n",
            text=True,
            check=True,
            capture_output=True,
        )

    @contextmanager
    def domain(self, **attributes: str) -> Iterator[None]:
        """Have the domain's password policy be so for a while."""
        with self.as_administrator() as administrator:
            ((_dn, before), *_references) = administrator.search_s(
                BASE, ldap.SCOPE_BASE, attrlist=list(attributes)
            )
        self.change(BASE, **attributes)
        yield
        self.change(BASE, **{name: values[0] for name, values in before.items()})


def _quoted(password: str) -> bytes:
    return f'"{password}"'.encode("utf-16-le")


@contextmanager
def running_samba(authority: Authority) -> Iterator[Samba]:
    if not (shutil.which("samba") and shutil.which("ldbmodify")):
        pytest.fail("This test needs Samba: .ci/packages long")
    if os.geteuid() != 0:
        pytest.fail("Samba has to be started by root.")
    with tempfile.TemporaryDirectory(prefix="samba-", dir="/tmp") as name:
        place = Path(name)
        _provision(place)
        configuration = str(_configuration(place, authority))
        command = ["samba", "-i", "-M", "single", "-s", configuration]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                samba = Samba(place, authority.ca_pem)
                _wait(samba, process)
                # Any password will do, and may be changed at once.
                samba.change(BASE, pwdProperties="0", minPwdAge="0")
                samba.add_user("service", SERVICE_PASSWORD)
                yield samba
            finally:
                process.terminate()


def _provision(place: Path) -> None:
    subprocess.run(
        [
            *("samba-tool", "domain", "provision", f"--targetdir={place}"),
            *(f"--realm={DOMAIN.upper()}", "--domain=AD", "--server-role=dc"),
            *("--dns-backend=NONE", f"--host-name={CONTROLLER}"),
            *(f"--host-ip={ADDRESS}", f"--adminpass={ADMINISTRATORS_PASSWORD}"),
            f"--option=posix:eadb={place}/eadb.tdb",
        ],
        check=True,
        capture_output=True,
    )


def _configuration(place: Path, authority: Authority) -> Path:
    (place / "ca.pem").write_text(authority.ca_pem)
    server = place / "server.pem"
    server.write_text(authority.server_pem(ADDRESS))
    server.chmod(0o600)
    lines = [f"posix:eadb = {place}/eadb.tdb", f"log file = {place}/log"]
    lines += [f"tls {kind} = {server}" for kind in ("keyfile", "certfile")]
    lines.append(f"tls cafile = {place}/ca.pem")
    for setting, folder in FOLDERS.items():
        (place / folder).mkdir(exist_ok=True)
        lines.append(f"{setting} = {place / folder}")
    file = place / "tests.conf"
    file.write_text(CONFIGURATION + "\n".join(lines) + "\n")
    return file


def _wait(samba: Samba, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + LIMIT
    while True:
        assert process.poll() is None, "Samba ended"
        assert time.monotonic() < limit, "Samba does not answer"
        try:
            with samba.as_administrator():
                return
        except ldap.SERVER_DOWN:
            time.sleep(0.2)
