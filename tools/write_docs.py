"""Writes docs/commands.md and the settings in docs/settings.md from the code, so that they cannot lie.

python tools/write_docs.py           write them
python tools/write_docs.py --check   exit 1 when what lies there is not what the code says
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
os.environ["COLUMNS"] = "100"

OWN_APPS = ("unlade.", "clinic.")
#: Options that every Django command has; they stand in Django's own documentation.
DJANGO_OPTIONS = (
    "--version",
    "-v",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
    "--skip-checks",
)


def commands_page() -> str:
    """Every command of our own with its help."""
    from django.core.management import get_commands, load_command_class

    parts = [
        "# Commands",
        "",
        "Written by `tools/write_docs.py` from the commands' own help. Exit codes: 0 done, or a limit that was asked for is",
        "reached; 1 a person must act; 2 wrong usage; 3 done, but items of this run failed; 75 try again later; 130 interrupted.",
        "",
    ]
    own = {name: str(app) for name, app in get_commands().items() if str(app).startswith(OWN_APPS)}
    for name in sorted(own):
        command = load_command_class(own[name], name)
        parser = command.create_parser("manage.py", name)
        parser._actions = [a for a in parser._actions if not set(a.option_strings) & set(DJANGO_OPTIONS)]
        for group in parser._action_groups:
            group._group_actions = [a for a in group._group_actions if not set(a.option_strings) & set(DJANGO_OPTIONS)]
        parts += [f"## {name}", "", "```text", parser.format_help().strip(), "```", ""]
    parts += ["# The `unlade` command", "", "Needs no Django project.", ""]
    for name, verb in _verbs().items():
        parts += [f"## unlade {name}", "", "```text", verb.format_help().strip(), "```", ""]
    return "\n".join(parts)


def _verbs() -> dict[str, argparse.ArgumentParser]:
    from unlade.standalone.__main__ import parser

    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def settings_page() -> str:
    """Every setting with its default and meaning."""
    from unlade.settings import SETTINGS

    parts = [
        "# Settings",
        "",
        "Written by `tools/write_docs.py`. A value comes from the environment, else from `.env`, else from Django's",
        "`settings.UNLADE`, else it is the default. `manage.py filemaker_doctor` prints which holds. Sizes are decimal (`1GB` is",
        "10^9 bytes; `GiB` is read too), durations are written `90s`, `5m`, `6h`, `2d`.",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    parts += [
        f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.help.replace('|', chr(92) + '|')} |"
        for s in SETTINGS
    ]
    return "\n".join([*parts, ""])


def main() -> int:
    import django

    django.setup()
    stale = []
    for name, text in (("commands.md", commands_page()), ("settings.md", settings_page())):
        path = ROOT / "docs" / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"docs/{', docs/'.join(stale)}: not what the code says. Run tools/write_docs.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
