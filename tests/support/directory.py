"""A real directory on this machine: OpenLDAP's slapd, dressed as a Windows domain."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap
from ldap.modlist import addModlist

from tests.support.certificates import Authority

SLAPD, SLAPADD = "/usr/sbin/slapd", "/usr/sbin/slapadd"
LIMIT = 15.0  # seconds for slapd to start or to end
DOMAIN = "ad.example.com"
BASE = "dc=ad,dc=example,dc=com"
USERS, GROUPS = f"ou=Staff,{BASE}", f"ou=Groups,{BASE}"
SERVICE = f"cn=service,{BASE}"
# It may read what the other one may, and no more than 500 entries of it.
LIMITED = f"cn=limited,{BASE}"
# It may read all but the attributes that it lost the right to.
BLIND, LOST = f"cn=blind,{BASE}", ("mail", "telephoneNumber")
SERVICE_PASSWORD = "service account's own"
WINDOWS_PASSWORD = "a Windows pass phrase"
STAFF, EVERYBODY, NOBODY = (f"cn={n},{GROUPS}" for n in ("staff", "everybody", "none"))
RING = f"cn=ring,{GROUPS}"
# Policies that a user's pwdPolicySubentry may name.
STRICT, GRACIOUS = f"cn=strict,{BASE}", f"cn=gracious,{BASE}"
# Both lock for a minute: after several wrong passwords, and after one.
BRIEF, EAGER = f"cn=brief,{BASE}", f"cn=eager,{BASE}"
LONG_AGO = "20200101000000Z"
# What closes an account to any password, and what the site calls it.
CLOSINGS = [
    ({"userAccountControl": "514"}, "the account is disabled"),
    ({"userAccountControl": "66050"}, "the account is disabled"),
    ({"accountExpires": "116444736000000000"}, "the account has expired"),
    ({"pwdAccountLockedTime": "000001010000Z"}, "the account is disabled"),
    ({"pwdStartTime": "29990101000000Z"}, "the account is disabled"),
    ({"pwdEndTime": LONG_AGO}, "the account has expired"),
    ({"nsAccountLock": "TRUE"}, "the account is disabled"),
    ({"krbPrincipalExpiration": LONG_AGO}, "the account has expired"),
]

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {directory}/windows.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {directory}/slapd.pid
{tls}
database mdb
suffix "{base}"
directory {directory}/data
rootdn "cn=root,{base}"
rootpw root
maxsize 1073741824
dbnosync
limits dn.exact="{service}" size=unlimited
access to attrs=userPassword by anonymous auth
{hidden}
access to attrs={lost} by dn.exact="{blind}" none by * break
access to * by dn.exact="{service}" read by dn.exact="{limited}" read
  by dn.exact="{blind}" read by self read by * none
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,{base}"
"""
# What Windows calls a user, and 389 Directory Server and FreeIPA add to it, as far as
# the site looks at it.
SCHEMA = """
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName'
  EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 2.16.840.1.113719.1.301.4.6.1 NAME 'krbPrincipalExpiration'
  EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
  MUST sAMAccountName MAY ( userPrincipalName $ userAccountControl $ accountExpires $
  nsAccountLock $ krbPrincipalExpiration ) )
"""
TLS = """
TLSCertificateFile {directory}/server.pem
TLSCertificateKeyFile {directory}/server.pem
"""


@dataclass
class Directory:
    """A running slapd; `settings` are the row's fields that reach it."""

    path: Path
    port: int
    tls_port: int
    ca_pem: str
    process: subprocess.Popen[bytes] | None = None

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "netlogon_domain": DOMAIN,
            "netlogon_servers": f"localhost:{self.tls_port}",
            "netlogon_security": "tls",
            "netlogon_ca_certificate": self.ca_pem,
            "netlogon_base_dn": BASE,
            "netlogon_bind_dn": SERVICE,
            "netlogon_bind_password": SERVICE_PASSWORD,
        } | changes

    def start(self) -> None:
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        command = [SLAPD, "-d", "0", "-f", str(self.path / "slapd.conf"), "-h", urls]
        self.process = subprocess.Popen(command)
        limit = time.monotonic() + LIMIT
        while not _answers(self.tls_port):
            assert self.process.poll() is None, "slapd ended"
            assert time.monotonic() < limit, "slapd does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(LIMIT)
            self.process = None

    @contextmanager
    def as_root(self) -> Iterator[Any]:
        connection = ldap.initialize(f"ldap://127.0.0.1:{self.port}")
        connection.set_option(ldap.OPT_TIMEOUT, LIMIT)
        connection.simple_bind_s(f"cn=root,{BASE}", "root")
        yield connection
        connection.unbind_s()

    def load(self, ldif: str) -> None:
        """Add many entries at once; the server ends for it, and starts again."""
        self.stop()
        command = [SLAPADD, "-q", "-f", str(self.path / "slapd.conf")]
        subprocess.run(command, input=ldif.encode(), check=True)
        self.start()

    def add(self, dn: str, **attributes: str | list[str]) -> None:
        with self.as_root() as root:
            root.add_s(dn, addModlist({k: _values(v) for k, v in attributes.items()}))

    def empty(self, ou: str) -> None:
        """Make a unit, or remove whatever is below it."""
        with self.as_root() as root:
            with suppress(ldap.ALREADY_EXISTS):
                unit = {"objectClass": [b"organizationalUnit"]}
                root.add_s(ou, addModlist(unit))
            below = root.search_s(ou, ldap.SCOPE_SUBTREE, attrlist=["1.1"])
            for dn, _attributes in sorted(below, key=lambda e: -len(e[0])):
                if dn != ou:
                    root.delete_s(dn)

    def add_user(self, name: str, *, ou: str = USERS, **attributes: str) -> str:
        """Add a user as Windows would, with WINDOWS_PASSWORD; return his DN."""
        dn = f"cn={ldap.dn.escape_dn_chars(name.title())},{ou}"
        values = {
            "objectClass": "user",
            "cn": name.title(),
            "sn": name,
            "sAMAccountName": name,
            "userPrincipalName": f"{name}@{DOMAIN}",
            "userAccountControl": "512",
            "userPassword": WINDOWS_PASSWORD,
        }
        self.add(dn, **(values | attributes))
        return dn

    def add_policy(self, dn: str, **attributes: str) -> None:
        classes = ["organizationalRole", "pwdPolicy"]
        values = {"pwdAttribute": "userPassword", "pwdLockout": "TRUE"} | attributes
        self.add(dn, objectClass=classes, **values)

    def change(self, dn: str, **attributes: str | list[str] | None) -> None:
        """Replace attributes; None removes one."""
        changes = [
            (ldap.MOD_REPLACE, name, _values(value) if value else None)
            for name, value in attributes.items()
        ]
        # pwdAccountLockedTime is the server's own, but administrators lock with it.
        relax = ldap.controls.RelaxRulesControl()
        with self.as_root() as root:
            root.modify_ext_s(dn, changes, serverctrls=[relax])

    def remove(self, dn: str) -> None:
        with self.as_root() as root:
            root.delete_s(dn)

    def forget(self, dn: str) -> None:
        """Remove what a test may have removed itself."""
        with suppress(ldap.NO_SUCH_OBJECT):
            self.remove(dn)

    def binds_failed(self, dn: str) -> int:
        """Return how many wrong passwords slapd has counted for the user."""
        with self.as_root() as root:
            found = root.search_s(dn, ldap.SCOPE_BASE, attrlist=["pwdFailureTime"])
        return len(found[0][1].get("pwdFailureTime", []))


def _values(value: str | list[str]) -> list[bytes]:
    values = [value] if isinstance(value, str) else value
    return [v.encode() for v in values]


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_directory(
    authority: Authority, days: int = 30, *, tells_locks_alone: bool = False
) -> Iterator[Directory]:
    """Run slapd; a lock is told in the entry, or else by the policy control alone."""
    hidden = "access to attrs=pwdAccountLockedTime by * none"
    with tempfile.TemporaryDirectory(prefix="slapd-", dir="/tmp") as name:
        path = Path(name)
        (path / "data").mkdir()
        (path / "windows.schema").write_text(SCHEMA)
        (path / "server.pem").write_text(authority.server_pem("localhost", days=days))
        words = {"directory": path, "base": BASE, "service": SERVICE}
        words |= {"limited": LIMITED, "blind": BLIND, "lost": ",".join(LOST)}
        words["hidden"] = hidden if tells_locks_alone else ""
        text = CONFIGURATION.format(tls=TLS.format(**words), **words)
        text += "ppolicy_use_lockout\n" if tells_locks_alone else ""
        (path / "slapd.conf").write_text(text)
        port, tls_port = free_ports(2)
        directory = Directory(path, port, tls_port, authority.ca_pem)
        try:
            directory.start()
            _fill(directory)
            yield directory
        finally:
            directory.stop()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _fill(directory: Directory) -> None:
    directory.add(BASE, objectClass=["domain"], dc="ad")
    for ou in (USERS, GROUPS):
        directory.add(ou, objectClass="organizationalUnit")
    for account in (SERVICE, LIMITED, BLIND):
        directory.add(
            account,
            objectClass=["organizationalRole", "simpleSecurityObject"],
            userPassword=SERVICE_PASSWORD,
        )
    directory.add_policy(f"cn=policy,{BASE}", pwdMaxFailure="50")
    directory.add_policy(STRICT, pwdMustChange="TRUE", pwdMaxAge="86400")
    directory.add_policy(GRACIOUS, pwdMaxAge="86400", pwdGraceAuthNLimit="9")
    for dn, most in ((BRIEF, "50"), (EAGER, "1")):
        directory.add_policy(dn, pwdMaxFailure=most, pwdLockoutDuration="60")
    anna = directory.add_user("anna")
    bert = directory.add_user("bert")
    directory.add(STAFF, objectClass="groupOfNames", member=[anna, RING])
    directory.add(EVERYBODY, objectClass="groupOfNames", member=[STAFF])
    directory.add(NOBODY, objectClass="groupOfNames", member=[SERVICE])
    # A ring of groups must not keep the search going for ever.
    directory.add(RING, objectClass="groupOfNames", member=[EVERYBODY, bert])
