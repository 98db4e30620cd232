"""PostgreSQL and Redis with TLS and passwords, and nginx; each can be restarted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.services import ROOT, postgresql_binary
from tests.support.site import free_port

NGINX = "/usr/sbin/nginx"
NGINX_FILE = ROOT / "deploy" / "nginx" / "pbx.conf"
PASSWORD = "a-long-password-of-the-services"
LIMIT_SECONDS = 30.0
NGINX_FRAME = """
daemon off;
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
include /etc/nginx/mime.types;
default_type application/octet-stream;
client_body_temp_path {directory}/bodies;
proxy_temp_path {directory}/answers;
fastcgi_temp_path {directory}/unused1;
uwsgi_temp_path {directory}/unused2;
scgi_temp_path {directory}/unused3;
{site}
}}
"""


class Server:
    """A process that listens on a port of this machine."""

    command: list[str]
    stop_signal = signal.SIGTERM

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory, self.port = name, directory, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / f"{self.name}.log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command, cwd=self.directory, stdout=output, stderr=output
            )
        limit = time.monotonic() + LIMIT_SECONDS
        while not self._answers():
            if time.monotonic() > limit or self._process.poll() is not None:
                log = (self.directory / f"{self.name}.log").read_text()
                raise RuntimeError(f"{self.name} does not answer: {log[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(self.stop_signal)
            self._process.wait(LIMIT_SECONDS)


class Postgresql(Server):
    # "Fast": it ends its connections and closes its files.
    stop_signal = signal.SIGINT

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__("postgresql", directory)
        self.cluster = directory / "cluster"
        self._prepare(authority)
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": directory,
            "max_connections": 200,
            "ssl": "on",
            "ssl_cert_file": directory / "postgresql.pem",
            "ssl_key_file": directory / "postgresql.pem",
        }
        words = [
            w for name, value in options.items() for w in ("-c", f"{name}={value}")
        ]
        server = [postgresql_binary("postgres"), "-D", str(self.cluster), *words]
        self.command = [*self._as_owner(), *server]

    def _as_owner(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def _prepare(self, authority: Authority) -> None:
        password, pem = self.directory / "password", self.directory / "postgresql.pem"
        password.write_text(PASSWORD)
        pem.write_text(authority.server_pem())
        pem.chmod(0o600)
        if os.geteuid() == 0:
            for path in (self.directory, password, pem):
                shutil.chown(path, "postgres")
        initdb = [postgresql_binary("initdb"), "-D", str(self.cluster), "-U", "pbx"]
        options = ["-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"]
        names = ["-E", "UTF8", "--locale=C.UTF-8"]
        command = [*self._as_owner(), *initdb, *options, *names]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory
        )

    def url(self, ca_file: Path) -> str:
        place = f"pbx:{PASSWORD}@localhost:{self.port}/postgres"
        return f"postgres://{place}?sslmode=verify-full&sslrootcert={ca_file}"


class Redis(Server):
    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__("redis", directory)
        pem, ca = directory / "redis.pem", directory / "redis-ca.pem"
        pem.write_text(authority.server_pem())
        ca.write_text(authority.ca_pem)
        options = {
            "port": "0",
            "tls-port": str(self.port),
            "bind": "127.0.0.1",
            "tls-cert-file": str(pem),
            "tls-key-file": str(pem),
            "tls-ca-cert-file": str(ca),
            "tls-auth-clients": "no",
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "no",
        }
        words = [
            word for name, value in options.items() for word in (f"--{name}", value)
        ]
        self.command = ["redis-server", *words]

    def url(self, ca_file: Path) -> str:
        query = f"ssl_cert_reqs=required&ssl_ca_certs={ca_file}"
        return f"rediss://:{PASSWORD}@localhost:{self.port}/0?{query}"


class Nginx(Server):
    """The site's own file, with this machine's addresses in it."""

    stop_signal = signal.SIGQUIT

    def __init__(
        self, directory: Path, authority: Authority, static: Path, machines: list[int]
    ) -> None:
        super().__init__("nginx", directory)
        self.plain_port = free_port()
        pem = directory / "nginx.pem"
        pem.write_text(authority.server_pem())
        site = _rendered(
            NGINX_FILE.read_text(),
            {
                r"listen \[::\]:.*": "",
                r"listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                r"listen 443": f"listen 127.0.0.1:{self.port}",
                r"pbx\.example\.com": "localhost",
                r"/etc/ssl/pbx/\w+\.pem": str(pem),
                r"/var/log/nginx": str(directory),
                r"10\.0\.0\.11:8000": f"127.0.0.1:{machines[0]}",
                r"10\.0\.0\.12:8000": f"127.0.0.1:{machines[1]}",
                r"root /opt/pbx;": f"root {static.parent};",
                r"root /usr/share/pbx;": f"root {NGINX_FILE.parent};",
            },
        )
        self.file = directory / "nginx.conf"
        self.file.write_text(NGINX_FRAME.format(directory=directory, site=site))
        self.command = [NGINX, "-c", str(self.file), "-e", "stderr"]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def check(self) -> str:
        """Return what `nginx -t` says; it raises when the file is not right."""
        command = [NGINX, "-t", "-c", str(self.file), "-e", "stderr"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stderr


def _rendered(text: str, changes: dict[str, str]) -> str:
    for pattern, here in changes.items():
        text, count = re.subn(pattern, here, text)
        if not count:
            raise ValueError(f"The nginx file no longer holds {pattern}")
    return text
