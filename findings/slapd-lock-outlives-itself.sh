#!/bin/sh
# Debian's slapd 2.5.13+dfsg-5 with its overlay ppolicy, python-ldap 3.4.8.
# An account is locked for two seconds (pwdLockoutDuration) after a wrong password. Four seconds
# later its entry still has pwdAccountLockedTime, as it had while it was locked; a wrong password
# then is refused as a wrong one, and takes the mark away.
#
# Why it surprises: the attribute reads as "is locked", and the draft of the password policy says
# so. It means "was locked, and nobody has tried since": how long a lock lasts stands in the
# policy, which may be the default of the server's configuration, where a client cannot read it.
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

root = ldap.initialize(sys.argv[1])
root.simple_bind_s("o=example", "root")
person = [("objectClass", [b"person"]), ("sn", [b"x"]), ("userPassword", [b"secret"])]
policy = [("objectClass", [b"person", b"pwdPolicy"]), ("sn", [b"x"]), ("pwdLockout", [b"TRUE"])]
limits = [("pwdMaxFailure", [b"1"]), ("pwdLockoutDuration", [b"2"])]
root.add_s("o=example", [("objectClass", [b"organization"]), ("o", [b"example"])])
root.add_s("cn=policy,o=example", [*policy, *limits, ("pwdAttribute", [b"userPassword"])])
root.add_s("cn=anna,o=example", person)

def bind(password):
    try:
        ldap.initialize(sys.argv[1]).simple_bind_s("cn=anna,o=example", password)
    except ldap.INVALID_CREDENTIALS:
        return "refused"
    return "accepted"

def show(moment, answer=""):
    found = root.search_s("cn=anna,o=example", ldap.SCOPE_BASE, attrlist=["pwdAccountLockedTime"])
    print(f"{moment}: {answer}{'mark' if found[0][1] else 'no mark'}")

show("wrong password", f"{bind('wrong')}, ")
show("right password", f"{bind('secret')}, ")
time.sleep(4)
show("four seconds later")
show("wrong password", f"{bind('wrong')}, ")
show("right password", f"{bind('secret')}, ")
END
venv/bin/python try.py "$socket" | tee seen
diff - seen <<'END'
wrong password: refused, mark
right password: refused, mark
four seconds later: mark
wrong password: refused, no mark
right password: accepted, no mark
END
