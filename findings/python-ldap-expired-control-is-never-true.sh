#!/bin/sh
# python-ldap 3.4.8 with Debian's slapd 2.5.13+dfsg-5 and its overlay ppolicy, which sends the
# controls of Netscape's servers as well (ppolicy_send_netscape_controls).
#
# A bind with an expired password is answered with the control 2.16.840.1.113730.3.4.4 and the value
# "0". python-ldap decodes it into PasswordExpiredControl, whose passwordExpired is False.
#
# Why it surprises: the attribute that was made to say "expired" says it of no password. It compares
# bytes with text. That the control came at all is the answer.
set -eu
dir=$(mktemp -d)
trap 'kill "$(cat slapd.pid)" || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
mkdir data
venv/bin/pip install -q python-ldap==3.4.8 2>pip.log || { cat pip.log; exit 1; }
cat >slapd.conf <<END
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile $dir/slapd.pid
database mdb
suffix o=example
rootdn o=example
rootpw root
directory $dir/data
overlay ppolicy
ppolicy_default cn=policy,o=example
ppolicy_send_netscape_controls
END
socket="ldapi://$(printf %s "$dir/s" | sed 's|/|%2F|g')"
PATH=$PATH:/usr/sbin slapd -f slapd.conf -h "$socket"

cat >try.py <<'END'
import sys, time
import ldap
from ldap.controls import DecodeControlTuples
import ldap.controls.pwdpolicy  # it registers the two controls

root = ldap.initialize(sys.argv[1])
root.simple_bind_s("o=example", "root")
person = [("objectClass", [b"person"]), ("sn", [b"x"])]
policy = [("objectClass", [b"person", b"pwdPolicy"]), ("sn", [b"x"]), ("pwdMaxAge", [b"1"])]
root.add_s("o=example", [("objectClass", [b"organization"]), ("o", [b"example"])])
root.add_s("cn=policy,o=example", [*policy, ("pwdAttribute", [b"userPassword"])])
root.add_s("cn=anna,o=example", [*person, ("userPassword", [b"secret"])])
time.sleep(3)
try:
    ldap.initialize(sys.argv[1]).simple_bind_s("cn=anna,o=example", "secret")
except ldap.INVALID_CREDENTIALS as error:
    for raw in error.args[0]["ctrls"]:
        [control] = DecodeControlTuples([raw])
        print(raw, type(control).__name__, control.passwordExpired)
END
venv/bin/python try.py "$socket" | tee seen
diff - seen <<'END'
('2.16.840.1.113730.3.4.4', 0, b'0') PasswordExpiredControl False
END
