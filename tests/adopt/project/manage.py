#!/usr/bin/env python
"""A project as it is before it knows of unlade; docs/adopt.md, which a test follows, does the rest."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practice.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
