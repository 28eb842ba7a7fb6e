"""Puts figures into docs/benchmarks.md, between the markers of their benchmark; all other text stays."""

from __future__ import annotations

import re
from pathlib import Path

from bench.machine import machine
from bench.report import Report
from bench.stage import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def update(report: Report, page: Path = PAGE) -> None:
    """Write the table of one report, and the machine. Raises `ValueError` when the page has no place for it."""
    text = _put(page.read_text(encoding="utf-8"), report.name, table(report))
    page.write_text(_put(text, "machine", about_machine()), encoding="utf-8", newline="\n")


def table(report: Report) -> str:
    """A Markdown table and the line that says how it was made."""
    rows = ["| figure | value | target | |", "|---|---:|---|---|"]
    rows += [f"| {f.what} | {f.shown} | {f.target} | {f.verdict} |" for f in report.figures]
    busy = f"others used {100 * report.others:.0f} % of the machine meanwhile"
    return f"`python -m bench {report.name}`, {report.day}, {report.seconds:.0f} s; {busy}.\n\n" + "\n".join(rows)


def about_machine() -> str:
    """One line about the machine."""
    m = machine()
    return (
        f"{m['cores']} cores ({m['processor']}), {m['memory'] / 1e9:.0f} GB of memory, {m['system']}, "
        f"Python {m['python']}, {m['date']}."
    )


def _put(text: str, name: str, body: str) -> str:
    place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- /figures -->)", re.DOTALL)
    if not place.search(text):
        raise ValueError(f"{PAGE} has no place for the figures of {name}")
    return place.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text, count=1)
