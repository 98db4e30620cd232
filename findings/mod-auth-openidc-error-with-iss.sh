#!/bin/sh
# mod_auth_openidc 2.4.12.3 and Apache 2.4 as Debian 12 builds them.
#
# The module sends a browser to its provider, and the provider sends it back with an error and the
# state that the module gave (RFC 6749, 4.1.2.1). The module shows "access_denied" and its
# description; but not if the provider names itself, as RFC 9207 asks of every answer ("iss=…").
# Then the page says, with status 200: SSO to this module without specifying a "target_link_uri"
# parameter is not possible because OIDCDefaultURL is not set. Nothing of the error is in the log.
# An answer with a code may have "iss".
#
# Why it surprises: "iss" is there to make answers safer. Here it makes the module take an answer to
# its own question for a login that somebody else began, and whoever reads the page looks for the
# fault in OIDCDefaultURL.
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
server=
cd "$dir"
apt-get -qq download apache2-bin libapache2-mod-auth-openidc libapr1 libaprutil1 libcjose0 \
    libhiredis0.14 libjansson4 liblua5.3-0 2>apt.log || { cat apt.log; exit 1; }
for each in ./*.deb; do dpkg-deb -x "$each" .; done
LD_LIBRARY_PATH=$(echo "$dir"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    for each in mpm_event authn_core authz_core authz_user auth_openidc; do
        echo "LoadModule ${each}_module $dir/usr/lib/apache2/modules/mod_$each.so"
    done
    [ "$(id -u)" != 0 ] || printf 'User nobody\nGroup nogroup\n'
    cat <<END
ServerName 127.0.0.1
Listen 127.0.0.1:$port
PidFile $dir/pid
ErrorLog $dir/error.log
DefaultRuntimeDir $dir
Mutex fcntl
OIDCProviderIssuer https://provider.example
OIDCProviderAuthorizationEndpoint https://provider.example/authorize
OIDCProviderTokenEndpoint https://provider.example/token
OIDCProviderJwksUri https://provider.example/keys
OIDCClientID client
OIDCClientSecret secret
OIDCRedirectURI http://127.0.0.1:$port/callback
OIDCCryptoPassphrase passphrase
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
END
} >apache.conf
usr/sbin/apache2 -DFOREGROUND -d "$dir" -f apache.conf >apache.log 2>&1 &
server=$!

cat >try.py <<'END'
import http.client
import sys
import time
from urllib.parse import parse_qs, urlsplit

def ask(path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()

for _try in range(100):
    try:
        begun, _page = ask("/wanted", Accept="text/html")
        break
    except ConnectionError:
        time.sleep(0.1)
state = parse_qs(urlsplit(begun.headers["Location"]).query)["state"][0]
cookie = begun.headers["Set-Cookie"].partition(";")[0]
told = f"/callback?error=access_denied&error_description=the+user+said+no&state={state}"
for name, more in (("without iss", ""), ("with iss", "&iss=https://provider.example")):
    answer, page = ask(told + more, Cookie=cookie, Accept="text/html")
    words = ("target_link_uri", "access_denied", "the user said no")
    print(name, answer.status, [word for word in words if word in page])
log = open("error.log").read()
print("the log", "holds it" if "access_denied" in log else "holds nothing of it")
END
python3 try.py "$port" | tee seen
diff - seen <<'END'
without iss 200 ['access_denied', 'the user said no']
with iss 200 ['target_link_uri']
the log holds nothing of it
END
