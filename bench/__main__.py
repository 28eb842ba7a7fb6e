"""`python -m bench [NAME ...]`: runs the benchmarks, shows figures against targets; exit 1 when one is missed.

python -m bench                       all of them, half an hour on two cores
python -m bench latency bulk          these
python -m bench --list                what there is
python -m bench bulk --scale 0.1      a tenth of the work, for a look; targets are judged all the same
python -m bench --json > figures.json one JSON object on stdout, the tables on stderr
python -m bench --write-docs          put the figures into docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench import docs
from bench.figures import Figure
from bench.machine import Usage, machine
from bench.report import Report

NAMES = (
    *("latency", "bulk", "large", "storm", "governor", "ledger", "store", "thumbnails"),
    *("estate", "roads", "demonstration", "pull", "tables", "linking"),
    *("upload", "metadata", "option_c", "faults", "proof"),
)


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 when a target was missed."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--list", action="store_true", help="say what each measures, and end")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="times the amount of work (1)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--write-docs", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args(given)
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if options.write_docs and options.scale != 1:
        parser.error("--write-docs takes only figures of the whole work: leave --scale out")
    console = Console(stderr=options.json, highlight=False, width=100 if not sys.stderr.isatty() else None)
    names = options.names or NAMES
    if options.list:
        for name in names:
            console.print(f"[bold]{name}[/]")
            console.print(_about(name) + "\n", markup=False, soft_wrap=True)
        return 0
    reports = []
    for name in names:
        report = measure(name, options.scale)
        reports.append(report)
        show(console, report)
        if options.write_docs and report.measured:
            docs.update(report)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [report.as_json() for report in reports]}))
    return 0 if all(report.ok for report in reports) else 1


def measure(name: str, scale: float) -> Report:
    """Run one benchmark; what it and everybody else on the machine used meanwhile is measured too."""
    module = importlib.import_module(f"bench.{name}")
    began, usage = time.time(), Usage()
    try:
        figures = module.run(scale)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        # One that cannot be measured has missed its targets, and the others are still worth measuring.
        print(f"{name}: {error}", file=sys.stderr)
        figures = [Figure("could not be measured", type(error).__name__, ok=False)]
    return Report(name, scale, began, time.time() - began, figures, usage.others())


def show(console: Console, report: Report) -> None:
    """One table."""
    table = Table(title=report.title, title_justify="left", title_style="bold")
    for heading in ("figure", "value", "target", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for figure in report.figures:
        colour = {"PASS": "green", "MISS": "red"}.get(figure.verdict, "white")
        table.add_row(figure.what, figure.shown, figure.target, f"[{colour}]{figure.verdict}[/]")
    console.print(table)
    console.print()


def _about(name: str) -> str:
    return (importlib.import_module(f"bench.{name}").__doc__ or "").strip()


if __name__ == "__main__":
    sys.exit(main())
