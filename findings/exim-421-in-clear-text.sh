#!/bin/sh
# Exim 4.96 as Debian 12 builds it (exim4-daemon-light, GnuTLS); run as root, for Exim drops its
# rights, in mounts of its own, for it wants its user by name.
#
# On a connection that speaks TLS, Exim says its last words in clear text: the 421 of
# smtp_receive_timeout on one that has stood idle, and the 421 of smtp_accept_max on a port of
# tls_on_connect_ports, before any handshake. An idle client that goes on reads bytes that are no
# TLS: OpenSSL's WRONG_VERSION_NUMBER, in the middle of a connection that was encrypted all along.
#
# Why it surprises: "wrong version number" is what a client gets that speaks TLS to a port
# without it, so it sends whoever looks for the fault to the port and the security. The server only
# had enough of an idle, or of one more, client. And the words are lost: a TLS library hands out
# none of them.
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'kill "$(cat "$dir/pid")" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download exim4-daemon-light 2>apt.log || { cat apt.log; exit 1; }
dpkg-deb -x exim4-daemon-light_*.deb .
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost 2>/dev/null
cat key.pem cert.pem >chain.pem
chmod 644 chain.pem
mkdir -m 777 spool log
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >exim.conf <<END
primary_hostname = localhost
exim_path = $dir/usr/sbin/exim4
keep_environment =
spool_directory = $dir/spool
log_file_path = $dir/log/%slog
pid_file_path = $dir/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = $port
tls_on_connect_ports = $port
tls_advertise_hosts = *
tls_certificate = $dir/chain.pem
smtp_accept_max = 1
smtp_receive_timeout = 2s
host_lookup =
END
cat >start.sh <<END
set -e
mount --make-rprivate /
cp /etc/passwd /etc/group .
echo 'Debian-exim:x:64999:64999::/nonexistent:/usr/sbin/nologin' >>passwd
echo 'Debian-exim:x:64999:' >>group
if ! id -u Debian-exim >/dev/null 2>&1; then
  mount --bind passwd /etc/passwd
  mount --bind group /etc/group
fi
exec usr/sbin/exim4 -C $dir/exim.conf -bd
END
unshare -m sh start.sh 2>/dev/null
until grep -qs listening log/mainlog; do sleep 0.1; done

cat >try.py <<'END'
import socket
import ssl
import sys
import time

address = ("127.0.0.1", int(sys.argv[1]))
trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE


def fault(work):
    try:
        return work()
    except ssl.SSLError as error:
        return error.reason


raw = socket.create_connection(address)
tls = trusting.wrap_socket(raw)
print("first:", tls.recv(1000)[:13].decode())
one_more = socket.create_connection(address)
print("one more, raw:", one_more.recv(41).decode())
one_more = socket.create_connection(address)
print("one more, TLS:", fault(lambda: trusting.wrap_socket(one_more)))
# What comes next on the wire, below TLS; the records of the session's tickets come before.
time.sleep(3)
seen = socket.socket(fileno=socket.dup(tls.fileno())).recv(4000, socket.MSG_PEEK)
print("idle, raw:", seen[seen.find(b"421") :][:58].decode().strip())
print("idle, TLS:", fault(lambda: tls.recv(1000)))
END
python3 try.py "$port" | tee seen
diff - seen <<'END'
first: 220 localhost
one more, raw: 421 Too many concurrent SMTP connections;
one more, TLS: WRONG_VERSION_NUMBER
idle, raw: 421 localhost: SMTP command timeout - closing connection
idle, TLS: WRONG_VERSION_NUMBER
END
