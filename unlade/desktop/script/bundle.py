"""The files of one generated script: for the clipboard, for a person to type, and what to do with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlade.desktop.script.build import build_steps
from unlade.desktop.script.instructions import instructions
from unlade.desktop.script.nodes import Node, node, write
from unlade.desktop.script.plan import ExportPlan
from unlade.desktop.script.steps import CLOSING, OPENING, TURNING, Step


@dataclass(frozen=True, slots=True)
class ScriptBundle:
    """A generated script in all its forms. `script_xml` pastes into the list of scripts, `steps_xml` into a script."""

    plan: ExportPlan
    steps: tuple[Step, ...]
    script_xml: str
    steps_xml: str
    text: str
    instructions: str

    def files(self) -> dict[str, str]:
        """File name -> content; UTF-8, line feeds, the same bytes for the same plan."""
        stem = "export" if self.plan.variant == "data-file" else "export-field"
        return {
            f"{stem}.xml": self.script_xml,
            f"{stem}-steps.xml": self.steps_xml,
            f"{stem}.txt": self.text,
            f"{stem}.md": self.instructions,
        }


def make_bundle(plan: ExportPlan) -> ScriptBundle:
    """Generate everything for `plan`. Deterministic."""
    steps = tuple(build_steps(plan))
    return ScriptBundle(
        plan=plan,
        steps=steps,
        script_xml=write(_snippet([_script(plan, steps)])),
        steps_xml=write(_snippet([step.xml() for step in steps])),
        text=as_text(steps),
        instructions=instructions(plan),
    )


def _snippet(children: Iterable[Node]) -> Node:
    return node("fmxmlsnippet", *children, type="FMObjectList")


def _script(plan: ExportPlan, steps: Sequence[Step]) -> Node:
    """With full access: otherwise record-level privileges hide records from an export that must be complete."""
    attributes = (
        ("includeInMenu", "True"),
        ("SiriShortcutVisible", "False"),
        ("runFullAccess", "True"),
        ("id", "1"),
        ("name", plan.script_name),
    )
    return Node("Script", attributes, tuple(step.xml() for step in steps))


def as_text(steps: Iterable[Step]) -> str:
    """The steps as Script Workspace shows them, four blanks for each level."""
    lines: list[str] = []
    depth = 0
    for step in steps:
        if step.id in CLOSING or step.id in TURNING:
            depth -= 1
        indent = "    " * depth
        lines += [(indent + line).rstrip() for line in step.text.split("\n")]
        if step.id in OPENING or step.id in TURNING:
            depth += 1
    return "\n".join(lines) + "\n"
