"""A check's result as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from rich.text import Text

from unlade.importer import ContainerImport
from unlade.report.advice import MANAGE, import_command
from unlade.report.paper import WIDTH, Paper, grid
from unlade.report.words import plural, stamp
from unlade.units import format_count, format_duration, format_size
from unlade.verify.check import Verdict
from unlade.verify.differences import KINDS, Finding, Weight

#: So many findings of one kind are listed on a terminal; a report has all.
MOST = 12

_STYLE = {Weight.DIFFERENCE: "red", Weight.WARNING: "yellow", Weight.NOTE: "dim"}
_TITLE = {Weight.DIFFERENCE: "Differs", Weight.WARNING: "Warning", Weight.NOTE: "Note"}


def render(
    verdict: Verdict,
    importer: ContainerImport,
    *,
    zone: tzinfo,
    fancy: bool = False,
    width: int = WIDTH,
    most: int | None = MOST,
) -> str:
    """The page, ending with a line break; `most` findings of a kind, None for all."""
    paper = Paper(fancy=fancy, width=width)
    paper.put(_headline(verdict, importer), style="red bold" if verdict.exit_code else "green bold")
    paper.put()
    _figures(paper, verdict, zone)
    for weight in Weight:
        _findings(paper, verdict.of(weight), weight, most)
    paper.heading("Next")
    sentence, command = _next(verdict)
    paper.put(sentence, indent=2)
    if command:
        paper.command(command, indent=4)
    return paper.text()


def _headline(verdict: Verdict, importer: ContainerImport) -> str:
    different = len(verdict.of(Weight.DIFFERENCE))
    if different:
        return f"{verdict.source}: {format_count(different)} difference{'s' if different > 1 else ''}"
    if verdict.found is None:
        return f"{verdict.source}: nothing was imported yet"
    here = plural(verdict.stored - verdict.gone_stored, importer.noun)
    if verdict.carries == "records":
        rest = f"; {format_count(verdict.open)} of {format_count(verdict.found)} are open" if verdict.open else ""
        return f"{verdict.source}: nothing differs, {here} have their rows{rest}"
    how = "read and" if verdict.reading and verdict.reading.finished else "listed and"
    rest = f"; {format_count(verdict.open)} of {format_count(verdict.found)} are open" if verdict.open else ""
    return f"{verdict.source}: nothing differs, {here} {how} compared{rest}"


def _figures(paper: Paper, verdict: Verdict, zone: tzinfo) -> None:
    table = grid("l", "r", "w")
    counted = f"{verdict.count_is} by its own count" + (
        f", {stamp(verdict.counted_at, zone)}" if verdict.counted_at else ""
    )
    found = format_count(verdict.found) if verdict.found is not None else "-"
    table.add_row("  in the source", found, Text(counted, style="dim"))
    states = ", ".join(f"{format_count(count)} {state}" for state, count in verdict.totals.items() if count)
    table.add_row("  in the ledger", format_count(sum(verdict.totals.values())), Text(states, style="dim"))
    gone = f", {format_count(verdict.gone_stored)} of them gone from the source" if verdict.gone_stored else ""
    whole = format_count(verdict.stored)
    if verdict.rows is None:
        table.add_row("  rows", "-", Text("not looked at: the declaration has no `rows`", style="dim"))
    else:
        table.add_row(
            "  rows",
            format_count(verdict.rows),
            Text(f"of {format_count(verdict.with_row)} that belong here", style="dim"),
        )
    if verdict.carries == "records":
        paper.put(table)
        return
    size = format_size(verdict.object_bytes)
    table.add_row("  files stored", format_count(verdict.objects), Text(f"of {whole}{gone}, {size}", style="dim"))
    table.add_row(
        "  thumbnails",
        format_count(verdict.thumbnails),
        Text(f"of {format_count(verdict.with_thumbnail)}", style="dim"),
    )
    _reading(table, verdict, zone)
    paper.put(table)


def _reading(table: Any, verdict: Verdict, zone: tzinfo) -> None:
    reading = verdict.reading
    if reading is None:
        return
    took = f"{format_size(reading.read_bytes)} in {format_duration(reading.seconds)}"
    before = f"; {format_count(reading.before)} were since {stamp(reading.began_at, zone)}" if reading.before else ""
    table.add_row("  read", format_count(reading.read), Text(took + before, style="dim"))
    table.add_row("  proven", format_count(reading.proven), Text("have the bytes that were stored", style="dim"))


def _findings(paper: Paper, findings: Sequence[Finding], weight: Weight, most: int | None) -> None:
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind in [name for name in KINDS if name in by_kind]:
        group, words = by_kind[kind], KINDS[kind]
        paper.heading(f"{_TITLE[weight]}: {words.sentence}", f"{format_count(len(group))}")
        paper.put(words.remedy, indent=2)
        for finding in group[:most]:
            _finding(paper, finding, _STYLE[weight], commands=weight is not Weight.NOTE)
        if most is not None and len(group) > most:
            paper.put(f"... and {format_count(len(group) - most)} more; --report FILE lists all.", indent=2)


def _finding(paper: Paper, finding: Finding, style: str, *, commands: bool) -> None:
    who = f"record {finding.record_id}" if finding.record_id else "object"
    if finding.slot:
        who += f", {finding.slot}"
    if finding.row and finding.kind.startswith(("row_", "owner_", "linked_")):
        who += f", row {finding.row}"
    paper.put(who, style=style, indent=2)
    if finding.key:
        paper.put(finding.key, indent=4)
    if finding.detail:
        paper.put(finding.detail, style="dim", indent=4)
    if commands:
        for command in finding.commands:
            paper.command(command, indent=4)


def _next(verdict: Verdict) -> tuple[str, str]:
    again = f"{MANAGE} filemaker_verify {verdict.source}" + (" --read" if verdict.reading else "")
    if verdict.exit_code:
        return "Do what stands above, then look again:", again
    if verdict.found is None:
        return "Import it first:", import_command(verdict.source)
    if verdict.totals.get("pending"):
        return "Some are not settled yet; go on with:", import_command(verdict.source)
    if verdict.open:
        return "Work off what is open:", f"{MANAGE} filemaker_worklist {verdict.source}"
    if verdict.carries == "records":
        return "Nothing: source, ledger and rows agree.", ""
    if verdict.reading is None:
        return "By the listing all agree. To prove every byte:", f"{again} --read"
    return "Nothing: source, ledger, rows and store agree, byte by byte.", ""


def as_json(verdict: Verdict) -> dict[str, Any]:
    """JSON types."""
    reading = verdict.reading
    return {
        "found": verdict.found,
        "count_is": verdict.count_is,
        "totals": verdict.totals,
        "gone": verdict.gone,
        "stored": verdict.stored,
        "rows": verdict.rows,
        "objects": verdict.objects,
        "thumbnails": verdict.thumbnails,
        "bytes": verdict.object_bytes,
        "open": verdict.open,
        "read": None
        if reading is None
        else {
            "read": reading.read,
            "before": reading.before,
            "proven": reading.proven,
            "bytes": reading.read_bytes,
            "seconds": round(reading.seconds, 1),
            "began_at": reading.began_at.isoformat(),
        },
        "differences": [finding.as_json() for finding in verdict.of(Weight.DIFFERENCE)],
        "warnings": [finding.as_json() for finding in verdict.of(Weight.WARNING)],
        "notes": [finding.as_json() for finding in verdict.of(Weight.NOTE)],
        "exit": verdict.exit_code,
    }
