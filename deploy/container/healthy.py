"""Ask the web server in this container whether it lives; the exit status tells.

It asks as the proxy does. It does not ask whether the site is ready: no restart would
bring back a database that is away.
"""

from __future__ import annotations

import http.client
import os
import sys
from urllib.parse import urlsplit

SECONDS = 4


def lives(environment: dict[str, str]) -> bool:
    site = urlsplit(environment["SITE_URL"])
    proxies = int(environment.get("TRUSTED_PROXY_COUNT") or 0)
    headers = {"Host": site.netloc, "X-Forwarded-Proto": site.scheme}
    if proxies:
        headers["X-Forwarded-For"] = ", ".join(["127.0.0.1"] * proxies)
    port = int(environment.get("PORT") or 8000)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez", headers=headers)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not lives(dict(os.environ)))
