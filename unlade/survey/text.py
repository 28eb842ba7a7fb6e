"""A survey as a table for a person, as wide as the terminal, with what is left to do below it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from unlade.report.paper import console_on
from unlade.survey.covering import Verdict, counted
from unlade.survey.values import FieldFound, SurveyFound
from unlade.units import format_count, format_size

STATE_STYLES = {"covered": "green", "not covered": "bold yellow", "waived": "dim", "set apart": "dim", "empty": "dim"}

#: The narrowest and the widest that such a table is drawn.
_NARROW, _WIDE = 60, 200


def render(
    found: SurveyFound,
    verdicts: Sequence[Verdict],
    *,
    zone: tzinfo,
    command: str = "",
    judge: bool = True,
    fancy: bool = False,
    width: int = 80,
) -> str:
    """The survey, ending with a line break. `command` is what makes it, for the hints; `judge` false: without verdicts."""
    out = io.StringIO()
    console = console_on(out, fancy=fancy, width=max(_NARROW, min(width, _WIDE)))
    console.print(Text.assemble((_title(found), "bold"), (f"  {_how(found, zone)}", "dim")))
    console.print()
    if found.fields:
        console.print(_table(found, verdicts, judge=judge))
        console.print()
    for line in sums(found, verdicts, judge=judge):
        console.print(Text(line))
    for note in found.notes:
        console.print(Text(note, "dim"))
    if judge:
        _to_do(console, found, verdicts, command)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _title(found: SurveyFound) -> str:
    return f"Survey of {found.place}"


def _how(found: SurveyFound, zone: tzinfo) -> str:
    when = f"{found.at.astimezone(zone):%Y-%m-%d %H:%M}"
    how = "every record" if found.full else "a sample of the records"
    where = f"{format_count(found.layouts)} layouts, {how}" if found.road == "api" else "every record of the file"
    return f"{when}, {where}" + ("" if found.complete else "; not complete")


def _table(found: SurveyFound, verdicts: Sequence[Verdict], *, judge: bool) -> Table:
    of_file = found.road == "file"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Table", overflow="fold")
    table.add_column("Container", overflow="fold", min_width=14)
    table.add_column("Filled", overflow="fold", min_width=12)
    if of_file:
        table.add_column("Bytes", justify="right", no_wrap=True)
        table.add_column("Where", overflow="fold")
        table.add_column("Types", overflow="fold")
    else:
        table.add_column("Layouts", overflow="fold", min_width=10)
    if judge:
        table.add_column("Taken by", overflow="fold", min_width=11)
    before = None
    for verdict in verdicts:
        one = verdict.found
        row = [Text(one.table or "?") if one.table != before else Text(""), _field(one), Text(_filled(one))]
        before = one.table
        if of_file:
            row += [Text(format_size(one.bytes) if one.bytes else ""), Text(counts(one.where)), Text(counts(one.types))]
        else:
            row.append(Text(layouts_of(one)))
        if judge:
            row.append(Text(said(verdict), STATE_STYLES[verdict.state]))
        table.add_row(*row)
    return table


def _field(one: FieldFound) -> Text:
    text = Text(one.field)
    for word in marks_of(one):
        text.append(f" {word}", "dim")
    return text


def marks_of(one: FieldFound) -> list[str]:
    """What sets a field apart, in words."""
    return field_marks(one.kind, one.repetitions, is_global=one.is_global)


def field_marks(kind: str, repetitions: int, *, is_global: bool) -> list[str]:
    """The same by the field's definition."""
    words = ["global"] if is_global else []
    words += [kind] if kind != "normal" else []
    if repetitions > 1:
        words.append(f"{repetitions} repetitions")
    return words


def _filled(one: FieldFound) -> str:
    text = counted(one).replace(" (", "\n(")
    beyond = {number: count for number, count in sorted(one.repeated.items()) if number > 1}
    if beyond:
        text += "; " + ", ".join(f"({number}) {count:,}" for number, count in list(beyond.items())[:4])
    return text


def layouts_of(one: FieldFound) -> str:
    """Where it is shown: at most three names."""
    names = [*one.layouts, *(f"{name} (portal)" for name in one.portals if name not in one.layouts)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def said(verdict: Verdict) -> str:
    """The verdict in a few words."""
    if verdict.state == "covered":
        return ", ".join(verdict.by)
    if verdict.state == "waived" and verdict.waiver is not None:
        return f"waived: {verdict.waiver.reason}"
    if verdict.by and verdict.missing:
        return f"{', '.join(verdict.by)}, but not ({'), ('.join(map(str, verdict.missing))})"
    return {"not covered": "nobody", "set apart": "set apart", "empty": "empty"}[verdict.state]


def sums(found: SurveyFound, verdicts: Sequence[Verdict], *, judge: bool = True) -> list[str]:
    """A line for the fields, one for what it cost."""
    states = Counter(verdict.state for verdict in verdicts)
    line = f"{_many(len(found.fields), 'container field')} in {_many(len(found.tables), 'table')}"
    if judge:
        parts = [f"{count:,} {state}" for state in STATE_STYLES if (count := states[state])]
        line += f": {', '.join(parts)}" if parts else ""
    size = sum(one.bytes or 0 for one in found.fields)
    values = sum(one.values for one in found.fields)
    lines = [line + "."]
    if found.road == "file":
        lines.append(f"{format_count(values)} values, {format_size(size)} as stored.")
    else:
        cost = format_size(found.api_bytes + found.header_bytes)
        lines.append(f"It cost {_many(found.requests, 'request')} and {cost}; no file was transferred.")
    return lines


def _to_do(console: Console, found: SurveyFound, verdicts: Sequence[Verdict], command: str) -> None:
    left = [verdict for verdict in verdicts if verdict.state == "not covered"]
    console.print()
    if not left:
        console.print(Text("Nothing is left behind: every container that holds files is taken or waived.", "green"))
        apart = [verdict.name for verdict in verdicts if verdict.state == "set apart" and verdict.found.filled]
        if apart:
            console.print(Text(f"Set apart, since they repeat: {', '.join(apart)}. Declare them if they are data."))
        return
    console.print(Text(f"{_many(len(left), 'container field')} would be left behind:", "bold yellow"))
    for verdict in left:
        console.print(Text(f"  {verdict.name}  {counted(verdict.found)}"))
    console.print(Text("Declare them (a ContainerImport, or another name in its `containers`), or say why they stay:"))
    reason = '--reason "why it may stay"'
    console.print(Text(f'  {command} --waive "{left[0].name}" {reason}', "bold cyan"), soft_wrap=True)
    if any(not verdict.found.exact and not verdict.found.filled for verdict in left) and found.road == "api":
        console.print(Text("Where a sample met nothing, all records tell for certain:"))
        console.print(Text(f"  {command} --full", "bold cyan"), soft_wrap=True)


def counts(of: Counter[str], most: int = 4) -> str:
    """`.jpg 20, .pdf 3, ...`"""
    shown = [f"{name} {number:,}" for name, number in of.most_common(most)]
    return ", ".join(shown) + (" ..." if len(of) > most else "")


def _many(count: int, noun: str) -> str:
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"
