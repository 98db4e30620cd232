#!/bin/sh
# Exim 4.96 as Debian 12 builds it (exim4-daemon-light), with its defaults; run as root, for Exim
# drops its rights, in mounts of its own, for it wants its user by name.
#
# Of 15 messages that one connection brings, Exim delivers ten. It answers the other five with the
# same "250 OK" and leaves them in its queue until somebody runs it: every half an hour in Debian's
# configuration, and never by itself without -q (smtp_accept_queue_per_connection, 10 by default).
#
# Why it surprises: a client that keeps its connection, as everybody advises for speed, is told that
# all went well, and mails that somebody waits for come half an hour late. The log says "no immediate
# delivery: more than 10 messages received in one connection"; the client hears nothing of it.
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'kill "$(cat "$dir/pid")" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download exim4-daemon-light 2>apt.log || { cat apt.log; exit 1; }
dpkg-deb -x exim4-daemon-light_*.deb .
mkdir -m 777 spool log mailboxes
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
tls_advertise_hosts =
acl_smtp_rcpt = accept
host_lookup =
begin acl
begin routers
mailboxes:
  driver = accept
  transport = mailboxes
begin transports
mailboxes:
  driver = appendfile
  directory = $dir/mailboxes/all
  maildir_format
  create_directory
  user = Debian-exim
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
import smtplib
import sys

with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as client:
    client.ehlo()
    for number in range(15):
        client.mail("a@example.com")
        client.rcpt("b@example.com")
        code, words = client.data(f"Subject: {number}\r\n\r\nHello.\r\n".encode())
        assert (code, words[:6]) == (250, b"OK id="), words
END
python3 try.py "$port"
sleep 3
{
  echo "delivered: $(ls mailboxes/all/new | wc -l)"
  echo "in the queue: $(find spool/input -name '*-H' | wc -l)"
  grep -o 'no immediate delivery: .*' log/mainlog | sort | uniq -c | sed 's/^ *//'
} | tee seen
diff - seen <<'END'
delivered: 10
in the queue: 5
5 no immediate delivery: more than 10 messages received in one connection
END
