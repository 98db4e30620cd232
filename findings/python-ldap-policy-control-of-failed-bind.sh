#!/bin/sh
# python-ldap 3.4.8 with Debian's slapd 2.5.13+dfsg-5 and its overlay ppolicy.
# A bind that asks for the password policy returns the server's answer as an object if it
# succeeds. If it fails the exception has the raw tuple, with the BER bytes in it; decoded by hand,
# "password expired" is error 0, which is false, and "nothing is wrong" is None.
#
# Why it surprises: one control has two shapes, and the undecoded one comes in the case that it is
# for. Who decodes it and asks "if control.error" misses the expired password alone.
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
END
socket="ldapi://$(printf %s "$dir/s" | sed 's|/|%2F|g')"
PATH=$PATH:/usr/sbin slapd -f slapd.conf -h "$socket"

cat >try.py <<'END'
import sys, time
import ldap
from ldap.controls import DecodeControlTuples
from ldap.controls.ppolicy import PasswordPolicyControl

root = ldap.initialize(sys.argv[1])
root.simple_bind_s("o=example", "root")
person = [("objectClass", [b"person"]), ("sn", [b"x"])]
policy = [("objectClass", [b"person", b"pwdPolicy"]), ("sn", [b"x"]), ("pwdMaxAge", [b"2"])]
root.add_s("o=example", [("objectClass", [b"organization"]), ("o", [b"example"])])
root.add_s("cn=policy,o=example", [*policy, ("pwdAttribute", [b"userPassword"])])
root.add_s("cn=anna,o=example", [*person, ("userPassword", [b"secret"])])
for moment in ("fresh", "expired"):
    user, ask = ldap.initialize(sys.argv[1]), [PasswordPolicyControl()]
    try:
        control = user.simple_bind_s("cn=anna,o=example", "secret", serverctrls=ask)[3][0]
        print(moment, type(control).__name__, control.error)
    except ldap.INVALID_CREDENTIALS as error:
        raw = error.args[0]["ctrls"]
        print(moment, raw[0], DecodeControlTuples(raw)[0].error)
    time.sleep(4)
END
venv/bin/python try.py "$socket" | tee seen
diff - seen <<'END'
fresh PasswordPolicyControl None
expired ('1.3.6.1.4.1.42.2.27.8.5.1', 0, b'0\x03\x81\x01\x00') 0
END
