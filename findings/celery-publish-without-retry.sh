#!/bin/sh
# celery 5.7.0, kombu 5.7.0, redis 8.1.0.
#
# Nothing listens where the broker should be. send_task(retry=False), with task_publish_retry off
# as well, still tries for six seconds before it raises; broker_transport_options with
# max_retries=0 makes it one try, at once. broker_connection_retry=False changes nothing.
#
# Why it surprises: "publish" and "retry" off reads like one try. Both words are about the sending
# of the message; a second loop below them, of the first connection, knows neither. A web page
# that queues a task after its commit hangs so long whenever Redis is down.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q "celery[redis]==5.7.0" kombu==5.7.0 redis==8.1.0 \
    2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import time
from celery import Celery
from kombu.exceptions import OperationalError

def seconds(**settings):
    app = Celery("work", broker="redis+socket:///nowhere/r.sock")
    app.conf.update(task_publish_retry=False, **settings)
    began = time.monotonic()
    try:
        app.send_task("work", retry=False)
    except OperationalError:
        taken = time.monotonic() - began
        return "5 to 8 seconds" if 5 < taken < 8 else "at once" if taken < 1 else f"{taken} s"

print("retry off:", seconds())
print("connection_retry off too:", seconds(broker_connection_retry=False))
print("max_retries 0 too:", seconds(broker_transport_options={"max_retries": 0}))
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
retry off: 5 to 8 seconds
connection_retry off too: 5 to 8 seconds
max_retries 0 too: at once
END
