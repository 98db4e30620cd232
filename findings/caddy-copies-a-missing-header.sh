#!/bin/sh
# Caddy 2.6.2 as Debian 12 builds it.
#
# "forward_auth … copy_headers Remote-User Remote-Groups": if the answer of the server that was
# asked has no Remote-Groups, the page behind Caddy is sent
# "Remote-Groups: {http.reverse_proxy.header.Remote-Groups}", Caddy's own placeholder as text. One
# that is there and empty arrives empty.
#
# Why it surprises: nginx and Traefik send nothing for a header that is not there, and a page that
# parts the value at its commas finds its visitor in a group of this name.
set -eu
dir=$(mktemp -d)
trap 'kill $pids 2>/dev/null || true; rm -rf "$dir"' EXIT
pids=
cd "$dir"
apt-get -qq download caddy 2>apt.log || { cat apt.log; exit 1; }
dpkg-deb -x caddy_*.deb .

cat >servers.py <<'END'
import http.server
import sys
import threading
import urllib.request

class Asked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Remote-User", "anna")
        self.send_header("Remote-Email", "")
        self.end_headers()
    def log_message(self, *words): pass

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        for name in ("Remote-User", "Remote-Email", "Remote-Groups"):
            self.wfile.write(f"{name}: {self.headers[name]}\n".encode())
    def log_message(self, *words): pass

servers = [http.server.HTTPServer(("127.0.0.1", 0), kind) for kind in (Asked, Page)]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
probe = http.server.HTTPServer(("127.0.0.1", 0), Page)
port = probe.server_address[1]
probe.server_close()
asked, page = (server.server_address[1] for server in servers)
with open("Caddyfile", "w") as file:
    file.write(f"""{{
    admin off
}}
http://127.0.0.1:{port} {{
    forward_auth 127.0.0.1:{asked} {{
        uri /
        copy_headers Remote-User Remote-Email Remote-Groups
    }}
    reverse_proxy 127.0.0.1:{page}
}}
""")
print(port, flush=True)
sys.stdin.read()
END
mkfifo until
python3 servers.py <until >port &
pids="$pids $!"
exec 3>until
until [ -s port ]; do sleep 0.1; done
XDG_DATA_HOME=$dir XDG_CONFIG_HOME=$dir usr/bin/caddy run --config Caddyfile --adapter caddyfile \
    >caddy.log 2>&1 &
pids="$pids $!"
port=$(cat port)
ask='import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=5).read().decode())'
until python3 -c "$ask" "$port" >seen 2>/dev/null; do sleep 0.1; done
cat seen
diff - seen <<'END'
Remote-User: anna
Remote-Email: 
Remote-Groups: {http.reverse_proxy.header.Remote-Groups}
END
