#!/bin/sh
# celery 5.7.0, click-repl 0.4.1, prompt_toolkit 3.0.53, Python 3.11.
#
# The command `celery` imports the library of an interactive terminal for every one of its
# commands, `worker` and `beat` among them: click_repl, and with it 115 modules of
# prompt_toolkit, and those of asyncio and wcwidth. `celery repl` alone reads a line. A worker
# that the application makes (`app.Worker(...)`) has none of them.
#
# Why it surprises: each worker of a machine pays it, some 9 MiB here, before its first task, and
# nothing in the worker's settings leaves it out.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q celery==5.7.0 click-repl==0.4.1 prompt_toolkit==3.0.53 \
    >pip.log 2>&1 || { cat pip.log; exit 1; }

cat >app.py <<'PYTHON'
from celery import Celery

app = Celery("app", broker="memory://", set_as_current=True)
PYTHON
cat >try.py <<'PYTHON'
import re, sys

def private_kib():
    with open("/proc/self/smaps_rollup") as file:
        return int(re.search(r"Private_Dirty:\s+(\d+)", file.read())[1])

def of_the_terminal():
    return sum(name.partition(".")[0] == "prompt_toolkit" for name in sys.modules)

from app import app

import celery.apps.worker, celery.concurrency.thread, celery.worker.consumer

app.Worker(pool="threads", quiet=True)
print("made by the application:", of_the_terminal())
before = private_kib()
import celery.bin.celery

print("by the command:", of_the_terminal())
print("more than 5 MiB:", private_kib() - before > 5 * 1024)
PYTHON
venv/bin/python -W ignore try.py | tee seen
diff - seen <<'END'
made by the application: 0
by the command: 115
more than 5 MiB: True
END
