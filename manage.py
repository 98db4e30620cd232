#!/usr/bin/env python
"""Django's command line for the PBX authentication site."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
    # A command asks one thing after the other: a pool would only delay its errors.
    os.environ.setdefault("DATABASE_POOL", "0")
    execute_from_command_line(sys.argv)
