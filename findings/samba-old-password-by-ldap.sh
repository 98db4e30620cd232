#!/bin/sh
# Debian's samba 4.17.12+dfsg-0+deb12u4 as a domain controller, python-ldap 3.4.8. It is started by
# root and needs samba, samba-dsdb-modules and samba-ad-provision.
#
# A password is reset twice. A simple bind of LDAP is accepted with the new password and with the
# one before it, and refused with the one before that.
#
# Why it surprises: smb.conf(5) says of "old password allowed period" (60 minutes) that it permits
# an NTLM login. It permits LDAP's too, so a reset keeps nobody out of what asks the directory:
# for an hour the old password opens, and only a disabled account does not.
set -eu
dir=$(mktemp -d)
trap 'kill "$samba" || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q python-ldap==3.4.8 2>pip.log || { cat pip.log; exit 1; }
samba-tool domain provision --targetdir="$dir" --realm=AD.EXAMPLE.COM --domain=AD \
    --server-role=dc --dns-backend=NONE --host-name=DC1 --host-ip=127.0.0.78 \
    --adminpass=Adm1nistrator! --option="posix:eadb=$dir/eadb.tdb" >provision.log 2>&1 ||
    { cat provision.log; exit 1; }
mkdir ncalrpc winbindd ntp
cat >own.conf <<END
[global]
netbios name = DC1
realm = AD.EXAMPLE.COM
workgroup = AD
server role = active directory domain controller
server services = ldap
interfaces = 127.0.0.78/8
bind interfaces only = yes
ldap server require strong auth = no
tls enabled = no
private dir = $dir/private
state directory = $dir/state
cache directory = $dir/cache
lock directory = $dir
pid directory = $dir
ncalrpc dir = $dir/ncalrpc
winbindd socket directory = $dir/winbindd
ntp signd socket directory = $dir/ntp
binddns dir = $dir/bind-dns
posix:eadb = $dir/eadb.tdb
log file = $dir/log
END
samba -i -M single -s "$dir/own.conf" 2>samba.log &
samba=$!
sleep 10

cat >try.py <<'END'
import ldap

def bound(name, password):
    connection = ldap.initialize("ldap://127.0.0.78")
    connection.simple_bind_s(f"{name}@ad.example.com", password)
    return connection

def quoted(password):
    return [f'"{password}"'.encode("utf-16-le")]

def tried(password):
    try:
        bound("anna", password)
    except ldap.INVALID_CREDENTIALS as refused:
        return refused.args[0]["info"].split(", ")[-2]
    return "accepted"

root, anna = bound("administrator", "Adm1nistrator!"), "CN=anna,CN=Users,DC=ad,DC=example,DC=com"
names = {"objectClass": [b"user"], "sAMAccountName": [b"anna"], "userAccountControl": [b"512"]}
root.add_s(anna, [*names.items(), ("unicodePwd", quoted("First pass 1"))])
for word in ("Second pass 2", "Third pass 3"):
    root.modify_s(anna, [(ldap.MOD_REPLACE, "unicodePwd", quoted(word))])
for word in ("First pass 1", "Second pass 2", "Third pass 3"):
    print(f"{word}: {tried(word)}")
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
First pass 1: data 52e
Second pass 2: accepted
Third pass 3: accepted
END
