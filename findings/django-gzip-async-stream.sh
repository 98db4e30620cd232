#!/bin/sh
# Django 5.2.19; httpx 0.28.1 reads what it sends.
#
# GZipMiddleware makes one gzip member of a stream whose generator is plain, but one member of each
# chunk if it is async. httpx ends at the first member: of three server-sent events it reads one,
# without an error. Python's gzip module reads all three from the same bytes.
#
# Why it surprises: the same events arrive whole or cut off, depending on "async" before "def" and
# on the client. RFC 1952 allows several members, so neither side finds fault with the other.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q django==5.2.19 httpx==0.28.1 2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import asyncio, gzip
import httpx
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import StreamingHttpResponse
from django.urls import path

EVENTS = [f"data: {number}\n\n".encode() for number in range(3)]

def plain():
    yield from EVENTS

async def asynchronous():
    for event in EVENTS:
        yield event

async def view(request, events):
    return StreamingHttpResponse(events(), content_type="text/event-stream")

urlpatterns = [
    path("plain", view, {"events": plain}), path("async", view, {"events": asynchronous})
]
gzipped = ["django.middleware.gzip.GZipMiddleware"]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=gzipped)
transport = httpx.ASGITransport(get_asgi_application())

async def read(name):
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        text = (await client.get(name, headers={"Accept-Encoding": "gzip"})).text
        async with client.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    print(name, "- httpx:", text.split("\n\n"), "- gzip:", gzip.decompress(raw).count(b"data"))

for name in ("plain", "async"):
    asyncio.run(read(name))
END
venv/bin/python -W ignore try.py | tee seen
diff - seen <<'END'
plain - httpx: ['data: 0', 'data: 1', 'data: 2', ''] - gzip: 3
async - httpx: ['data: 0', ''] - gzip: 3
END
