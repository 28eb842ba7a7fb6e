"""The doctor's findings as text: what is wrong catches the eye, what to do stands below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from unlade.doctor.lines import Line
from unlade.report.paper import STYLES, WIDTH, Paper, grid
from unlade.settings import Settings

_FANCY = {"ok": "✓", "warning": "!", "error": "✗"}
_PLAIN = {"ok": "ok", "warning": "warn", "error": "ERROR"}


def render(
    lines: Sequence[Line],
    settings: Settings | None = None,
    *,
    next_command: str = "",
    fancy: bool = False,
    width: int = WIDTH,
) -> str:
    """The findings, the settings with where each came from, and a verdict."""
    paper = Paper(fancy=fancy, width=width)
    table = grid("l", "l", "w")
    before = ""
    for line in lines:
        mark = "-" if line.skipped else (_FANCY if fancy else _PLAIN)[line.level]
        topic = line.topic if line.topic != before else ""
        before = line.topic
        style = "dim" if line.skipped else STYLES[line.level]
        body = Text(line.message, "" if line.level == "ok" else style)
        table.add_row(
            Text(mark, style if line.skipped else f"bold {style}"), Text(topic, style if line.skipped else "bold"), body
        )
        if line.remedy:
            table.add_row("", "", Text(f"-> {line.remedy}", "cyan"))
    paper.put(table)
    if settings is not None:
        _settings(paper, settings)
    paper.put("")
    paper.put(_verdict(lines))
    if next_command and not any(line.level == "error" for line in lines):
        paper.put(Text.assemble(("Next: ", "bold"), "take a few and look at them:"))
        paper.command(next_command)
    return paper.text()


def _verdict(lines: Sequence[Line]) -> Text:
    errors = sum(line.level == "error" for line in lines)
    warnings = sum(line.level == "warning" and not line.skipped for line in lines)
    skipped = sum(line.skipped for line in lines)
    parts = []
    if errors:
        parts.append((f"{errors} {'error' if errors == 1 else 'errors'}", "bold red"))
    if warnings:
        parts.append((f"{warnings} {'warning' if warnings == 1 else 'warnings'}", "bold yellow"))
    if skipped:
        parts.append((f"{skipped} skipped", "dim"))
    if not parts:
        return Text("All is well.", "bold green")
    text = Text(", ").join([Text(words, style) for words, style in parts])
    return text.append("; nothing stands in the way of a run." if not errors else "; put the errors right first.")


def _settings(paper: Paper, settings: Settings) -> None:
    paper.heading("Settings", "value, and where it came from")
    table = grid("l", "w", "l")
    for resolved in settings.all():
        own = resolved.origin != "default"
        value = resolved.shown or "-"
        table.add_row(
            Text(resolved.setting.name, "" if own else "dim"),
            Text(value, "bold" if own else "dim"),
            Text(resolved.origin, "cyan" if own else "dim"),
        )
    paper.put(table, indent=2)
