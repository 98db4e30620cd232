#!/usr/bin/env python
"""Django's command line for the PBX authentication site."""

import os
import sys
from importlib import import_module
from pathlib import Path

from pbxsite.embedded.asking import ask

if __name__ == "__main__":
    data_dir = os.environ.get("DATA_DIR") or str(Path(__file__).with_name("var"))
    code = ask(sys.argv[1:], os.environ, data_dir)
    if code is not None:
        sys.exit(code)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
    # A command asks one thing after the other: a pool would only delay its errors.
    os.environ.setdefault("DATABASE_POOL", "0")
    # Django takes longer than the question to a running site.
    import_module("django.core.management").execute_from_command_line(sys.argv)
