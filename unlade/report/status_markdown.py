"""The status as Markdown, to paste into a message or an issue."""

from __future__ import annotations

from datetime import tzinfo

from unlade.report.figures import SourceFigures, Status
from unlade.report.status_text import MEANING, breaker_line, limit_line
from unlade.report.words import headline, percent, stamp
from unlade.units import format_count, format_duration, format_size


def render(status: Status) -> str:
    """The page, ending with a line break."""
    now, zone = status.generated_at, status.zone
    lines = [f"**{headline(source, now, zone)}**  " for source in status.sources]
    for source in status.sources:
        lines += _source(source, zone)
    lines += ["", "### Transfer", ""]
    if status.allowance.limits:
        lines += [f"- {limit.name}: {limit_line(limit, now, zone)}" for limit in status.allowance.limits]
    else:
        lines.append(f"- {format_size(status.allowance.booked)} so far; no allowance is set")
    host = breaker_line(status.breaker, now, zone)
    left = status.left_behind.note
    notes = [*([host] if host else []), *([left] if left else []), *status.warnings]
    if notes:
        lines += ["", "### Notes", "", *(f"- {_cell(note)}" for note in notes)]
    command = f" `{status.next_command}`" if status.next_command else ""
    lines += ["", f"**Next:** {_cell(status.next_step)}{command}", "", f"_{stamp(now, zone)}_"]
    return "\n".join(lines).strip() + "\n"


def _source(source: SourceFigures, zone: tzinfo) -> list[str]:
    lines = ["", f"## {_cell(source.name)}"]
    if source.found is not None:
        lines += ["", "| state | count | share | |", "|---|---:|---:|---|"]
        for state, meaning in MEANING.items():
            count = source.totals[state]
            note = meaning.format(owner=source.owner_noun)
            lines.append(f"| {state} | {format_count(count)} | {percent(count, source.found)} | {_cell(note)} |")
        lines.append(f"| **found** | **{format_count(source.found)}** | | the source's own count |")
        if source.gone:
            lines.append(f"| gone | {format_count(source.gone)} | | no longer in the source |")
    if source.by_field:
        lines += ["", "| taken from | count |", "|---|---:|"]
        lines += [f"| {_cell(field)} | {format_count(count)} |" for field, count in source.by_field.items()]
    if source.open:
        lines += ["", "| open | reason | count | what to do |", "|---|---|---:|---|"]
        for line in source.open:
            what = _cell(f"{line.sentence} {line.remedy}")
            lines.append(f"| {line.state} | {_cell(line.reason)} | {format_count(line.count)} | {what} |")
    if source.last_runs:
        lines += [
            "",
            "| run | started | outcome | settled | failed | bytes | time |",
            "|---:|---|---|---:|---:|---:|---:|",
        ]
        for run in source.last_runs[:5]:
            lines.append(
                f"| {run.number} | {stamp(run.started_at, zone)} | {run.outcome} | {format_count(run.settled)} "
                f"| {format_count(run.this_run.get('failed', 0))} | {format_size(run.wire.total)} "
                f"| {format_duration(run.seconds)} |"
            )
    return lines


def _cell(text: str) -> str:
    """`text` as it may stand in a table."""
    return text.replace("|", "\\|").replace("\r", " ").replace("\n", " ")
