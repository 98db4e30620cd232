#!/bin/sh
# HAProxy 2.6.12 as Debian 12 builds it.
#
# "compression algo gzip" with text/event-stream among the compressed types. A server sends the
# event "data: N" and its blank line in one write, and then waits. Who decompresses what arrives
# lacks its last two or three characters, the blank line always among them, until the next event
# comes. Without its blank line an event is none yet: each is seen one event late.
#
# Why it surprises: nothing seems to be buffered, since bytes come at once, and as soon as events
# come often all looks right. What the compressor still holds is sent with the next chunk, and
# nothing else asks for it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download haproxy liblua5.3-0 libopentracing-c-wrapper0 2>apt.log || \
    apt-get -qq download haproxy liblua5.3-0 2>apt.log || { cat apt.log; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" .; done
export LD_LIBRARY_PATH="$(echo usr/lib/*-linux-gnu | tr ' ' :)"
./usr/sbin/haproxy -v | head -1 | cut -d- -f1

cat >try.py <<'PYTHON'
import socket
import subprocess
import threading
import time
import zlib

def serve(listener):
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for number in range(1, 4):
        event = f"data: {number}\n\n".encode()
        connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        time.sleep(2)

server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=[server], daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
with open("haproxy.cfg", "w") as file:
    file.write(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend site
    bind 127.0.0.1:{port}
    compression algo gzip
    compression type text/event-stream
    server page 127.0.0.1:{server.getsockname()[1]}
""".replace("frontend", "listen"))
proxy = subprocess.Popen(["usr/sbin/haproxy", "-q", "-db", "-f", "haproxy.cfg"])
for _ in range(100):
    try:
        client = socket.create_connection(("127.0.0.1", port))
        break
    except OSError:
        time.sleep(0.1)
client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
client.settimeout(1)

def received():
    """Return what has come so far, a second after it was sent."""
    got = b""
    try:
        while part := client.recv(4096):
            got += part
    except TimeoutError:
        pass
    return got

raw, seen = b"", 0
for turn in range(1, 4):
    raw += received()
    head, _, body = raw.partition(b"\r\n\r\n")
    compressed = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        compressed, body = compressed + rest[:length], rest[length + 2:]
    text = zlib.decompressobj(31).decompress(compressed).decode()
    print(f"after event {turn}: {text!r}")
    time.sleep(1)
proxy.kill()
PYTHON
python3 try.py | tee seen
diff - seen <<'END2'
after event 1: 'data: 1'
after event 2: 'data: 1\n\ndata: '
after event 3: 'data: 1\n\ndata: 2\n\ndata:'
END2
