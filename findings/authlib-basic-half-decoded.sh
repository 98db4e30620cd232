#!/bin/sh
# Authlib 1.9.10.
#
# RFC 6749, 2.3.1 has clients form-encode the client ID and the secret before they join them for
# HTTP Basic. Authlib's server decodes %XX, but not "+", which is a form's space: a secret with a
# space is a wrong one when a client follows the RFC. Its own client encodes nothing, so a secret
# with "%41" in it is a wrong one to its own server.
#
# Why it surprises: half of the decoding looks like all of it, and a secret of letters and digits
# works everywhere. A client that writes the space as %20 is read by all who decode.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q authlib==1.9.10 requests 2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import base64
from urllib.parse import quote, quote_plus
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc6749.util import extract_basic_authorization

SECRET = "a+b c%41"

class Client:
    client_id, client_secret = "pbx", SECRET

def pair(*words):
    return {"Authorization": "Basic " + base64.b64encode(":".join(words).encode()).decode()}

print("server, as the RFC says:", extract_basic_authorization(pair("pbx", quote_plus(SECRET))))
print("server, with %20:", extract_basic_authorization(pair("pbx", quote(SECRET, safe=""))))
print("server, not encoded:", extract_basic_authorization(pair("pbx", SECRET)))
_uri, headers, _body = encode_client_secret_basic(Client, "POST", "", {}, "")
sent = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
print("client sends:", sent)
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
server, as the RFC says: ('pbx', 'a+b+c%41')
server, with %20: ('pbx', 'a+b c%41')
server, not encoded: ('pbx', 'a+b cA')
client sends: pbx:a+b c%41
END
