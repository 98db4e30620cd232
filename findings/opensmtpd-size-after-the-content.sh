#!/bin/sh
# OpenSMTPD 6.8.0p2 as Debian 12 builds it (opensmtpd); run as root, in mounts of its own, for its
# places are compiled in.
#
# It says its limit at EHLO ("SIZE 307200"), and then answers 250 to a MAIL that names a size beyond
# it, 250 to RCPT and 354 to DATA. Only after the whole content comes "554 5.3.4 Message too big for
# system". Postfix and Exim refuse such a MAIL with 552.
#
# Why it surprises: RFC 1870 has the size in MAIL so that nobody sends megabytes in vain, and a
# client that offers it leaves the judgement to the server. With this one the client has to compare
# the numbers by itself, or it hands over each large mail, at each try, to be refused at its end;
# and the code is 554, not the 552 of the standard.
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
server=
cd "$dir"
apt-get -qq download opensmtpd libevent-2.1-7 2>apt.log || { cat apt.log; exit 1; }
for each in ./*.deb; do dpkg-deb -x "$each" .; done
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >smtpd.conf <<END
smtp max-message-size 300K
listen on 127.0.0.1 port $port hostname mail.example.com
action "keep" maildir "$dir/mailbox" user nobody
match from any for domain "example.com" action "keep"
END
cat >start.sh <<END
set -e
mount --make-rprivate /
cp /etc/passwd /etc/group .
for user in opensmtpd opensmtpq; do
  id -u \$user >/dev/null 2>&1 && continue
  number=\$((64990 + \${#user} + \$(wc -l <passwd)))
  echo "\$user:x:\$number:\$number::/nonexistent:/usr/sbin/nologin" >>passwd
  echo "\$user:x:\$number:" >>group
done
mount --bind passwd /etc/passwd
mount --bind group /etc/group
for each in /var/spool /var/lib /run; do mount -t tmpfs none \$each; done
mkdir -p -m 711 /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/lib/opensmtpd
mount --bind usr/libexec /usr/libexec
export LD_LIBRARY_PATH=$dir/usr/lib/$(uname -m)-linux-gnu
exec usr/sbin/smtpd -d -f $dir/smtpd.conf
END
unshare -m sh start.sh >log 2>&1 &
server=$!

cat >try.py <<'END'
import smtplib
import sys
import time

for _ in range(100):
    try:
        smtp = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
        break
    except OSError:
        time.sleep(0.1)
smtp.ehlo()
content = "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 20_000
print("EHLO: SIZE", smtp.esmtp_features["size"])
print("MAIL:", smtp.docmd("MAIL", f"FROM:<a@example.com> SIZE={len(content)}")[0])
print("RCPT:", smtp.docmd("RCPT", "TO:<nobody@example.com>")[0])
code, words = smtp.data(content)
print("after the content:", code, words.decode())
END
python3 try.py "$port" | tee seen || { cat log; exit 1; }
diff - seen <<'END'
EHLO: SIZE 307200
MAIL: 250
RCPT: 250
after the content: 554 5.3.4 Message too big for system: Transaction failed, message too big
END
