"""The `unlade` command: what can be done without a Django project of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from unlade import __version__
from unlade.errors import UnladeError

EPILOG = """\
examples:
  unlade demo                     see it work: a simulated FileMaker host, real files, a local folder
  unlade demo --images 200        the same with more of them
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="unlade",
        description="Takes files out of FileMaker container fields, every one accounted for.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"unlade {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND")
    demo = verbs.add_parser("demo", help="import real files from a simulated FileMaker host and show the result")
    demo.add_argument("--images", type=int, default=24, metavar="N", help="how many records the host has (24)")
    demo.add_argument("--folder", type=Path, default=Path("unlade-demo"), help="where everything goes (unlade-demo)")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code (CONTRACT A3)."""
    top = parser()
    given = top.parse_args(arguments)
    if given.verb is None:
        top.print_help()
        return 0
    from unlade.standalone.demo import run_demo

    try:
        return run_demo(given.folder, given.images)
    except UnladeError as error:
        print(error, file=sys.stderr)
        if error.remedy:
            print(error.remedy, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
