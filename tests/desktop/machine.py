"""Runs a generated script as FileMaker Pro would: its XML, on records that we make up, into a real folder."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.desktop.formulas import Container, Evaluator, as_text, truth


@dataclass
class Table:
    """A table: field types by name, and records as (record id, modification id, values)."""

    occurrence: str
    layout: str
    types: dict[str, str]
    records: list[tuple[str, str, dict[str, Any]]]
    hidden: int = 0  #: records that this account does not see


class Stopped(Exception):
    """FileMaker was killed."""


@dataclass
class Machine:
    """One run of one script. `fault` may answer (step id, path) with an error code, or raise `Stopped`."""

    table: Table
    documents: Path
    parameter: str = ""
    version: str = "ProAdvanced 21.1.1"
    fault: Callable[[int, str], int] = lambda step, path: 0
    variables: dict[str, Any] = field(default_factory=dict)
    error: int = 0
    place: int = 0
    at_layout: bool = False
    open_files: dict[int, Path] = field(default_factory=dict)
    steps_run: int = 0
    result: Any = ""

    def run(self, xml: str) -> Any:
        """The script's result."""
        root = ElementTree.fromstring(xml.split("?>", 1)[1])
        steps = [step for step in root.iter("Step") if step.get("id") != "89"]
        self.steps = steps
        self.jumps = _jumps(steps)
        self.evaluate = Evaluator(self.variables, self.get, self.value, self.kind)
        at: int | None = 0
        while at is not None and at < len(steps):
            self.steps_run += 1
            assert self.steps_run < 2_000_000, "the script does not end"
            at = self.step(at)
        return self.result

    # What the formulas ask.

    def get(self, name: str) -> Any:
        if name == "LastError":
            return self.error
        record = self.table.records[self.place] if self.table.records else ("", "", {})
        known: dict[str, Any] = {
            "ScriptParameter": self.parameter,
            "ApplicationVersion": self.version,
            "DocumentsPath": self.documents.as_posix() + "/",
            "LayoutTableName": self.table.occurrence,
            "FoundCount": len(self.table.records),
            "TotalRecordCount": len(self.table.records) + self.table.hidden,
            "UUID": str(uuid.uuid4()).upper(),
            "CurrentTimeUTCMilliseconds": 63_900_000_000_000,
            "RecordID": int(record[0] or 0),
            "RecordModificationCount": int(record[1] or 0),
            "FileName": "Clinic",
            "HostName": "",
            "SystemPlatform": 1,
            "AccountName": "Admin",
            "AccountPrivilegeSetName": "[Full Access]",
        }
        return known[name]

    def kind(self, name: str) -> str:
        occurrence, _, bare = name.partition("::")
        return self.table.types.get(bare if occurrence == self.table.occurrence else name, "")

    def value(self, name: str) -> Any:
        base, _, tail = name.partition("[")
        occurrence, _, bare = base.partition("::")
        key = bare if occurrence == self.table.occurrence else base
        key = f"{key}({tail.rstrip(']')})" if tail else key
        assert self.at_layout
        return self.table.records[self.place][2].get(key, "")

    # Steps.

    def step(self, at: int) -> int | None:
        step = self.steps[at]
        kind = int(step.get("id", "0"))
        if kind in _FLOW or (kind == 16 and step.find("Exit") is not None):
            return self.flow(at, kind, step)
        path = (step.findtext("UniversalPathList") or "").strip()
        real = self.path(path) if path else Path()
        self.error = self.fault(kind, str(real) if path else "")
        if not self.error:
            self.error = self.act(kind, step, real)
        return at + 1

    def flow(self, at: int, kind: int, step: ElementTree.Element) -> int | None:
        if kind == 103:
            self.result = self.formula(step.find("Calculation"))
            return None
        if kind == 141:
            self.variables[step.findtext("Name") or ""] = self.formula(step.find("Value/Calculation"))
            return at + 1
        if kind == 68:
            return self.choose(at)
        if kind in (125, 69):  # reached from above: a branch is done
            return self.end_if(at)
        if kind == 72:
            return self.jumps[at] + 1 if truth(self.formula(step.find("Calculation"))) else at + 1
        if kind == 73:
            return self.jumps[at]
        if kind == 16 and step.find("Exit") is not None:
            self.error = self.fault(16, "")
            if self.place + 1 >= len(self.table.records):
                self.error = 101
                return self.jumps[at] + 1
            self.place += 1
        return at + 1

    def choose(self, at: int) -> int:
        """The first step of the branch that holds."""
        while self.steps[at].get("id") in ("68", "125"):
            if truth(self.formula(self.steps[at].find("Calculation"))):
                return at + 1
            at = self.jumps[at]
        return at + 1

    def end_if(self, at: int) -> int:
        while self.steps[at].get("id") != "70":
            at = self.jumps[at]
        return at + 1

    def formula(self, element: ElementTree.Element | None) -> Any:
        assert element is not None
        return self.evaluate.run(element.text or "")

    def path(self, variable: str) -> Path:
        text = as_text(self.variables[variable])
        assert text.startswith("file:")
        return Path(text.removeprefix("file:"))

    def act(self, kind: int, step: ElementTree.Element, real: Path) -> int:
        target = step.findtext("Field") or ""
        if kind == 6:
            self.at_layout = self.formula(step.find("Layout/Calculation")) == self.table.layout
            return 0 if self.at_layout else 105
        if kind in (188, 189):
            self.variables[target] = (
                (real.stat().st_size if kind == 189 else 1) if real.exists() else ("" if kind == 189 else 0)
            )
            return 0 if kind == 188 or real.exists() else 100
        if kind == 190:
            assert not real.exists(), "what this does depends on the version"
            real.parent.mkdir(parents=True, exist_ok=True)
            real.write_bytes(b"")
        elif kind == 191:
            assert len(self.open_files) < 25
            number = max(self.open_files, default=0) + 1
            self.open_files[number] = real
            self.variables[target] = number
        elif kind == 192:
            return self.write(step, self.variables[target])
        elif kind == 196:
            number = int(self.formula(step.find("Calculation")))
            if self.open_files.pop(number, None) is None:
                return 300
        elif kind == 197:
            real.unlink()
        elif kind == 132:
            self.export(step, real)
        elif kind == 16:
            self.place = 0
        else:
            assert kind in (21, 23, 55, 79, 85, 86), f"step {kind} is not known"
        return 0

    def write(self, step: ElementTree.Element, value: Any) -> int:
        path = self.open_files[int(self.formula(step.find("Calculation")))]
        feed = step.find("AppendLineFeed")
        assert feed is not None
        data = value.data if isinstance(value, Container) else as_text(value).encode()
        if len(data) > 64_000_000:
            return 3
        with path.open("ab") as file:
            file.write(data + (b"\n" if feed.get("state") == "True" else b""))
        return 0

    def export(self, step: ElementTree.Element, real: Path) -> None:
        reference = step.find("Field")
        assert reference is not None
        name = reference.get("name", "")
        repetition = reference.get("repetition")
        value = self.value(f"{reference.get('table')}::{name}" + (f"[{repetition}]" if repetition else ""))
        assert isinstance(value, Container)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(value.data)


_FLOW = frozenset({68, 69, 70, 71, 72, 73, 103, 125, 141})


def _jumps(steps: list[ElementTree.Element]) -> dict[int, int]:
    """If and Else If -> next branch; Else -> End If; End Loop -> Loop; leaving a loop -> End Loop."""
    jumps: dict[int, int] = {}
    stack: list[tuple[str, list[int]]] = []
    for at, step in enumerate(steps):
        kind = int(step.get("id", "0"))
        if kind == 68:
            stack.append(("if", [at]))
        elif kind in (125, 69):
            assert stack[-1][0] == "if"
            stack[-1][1].append(at)
        elif kind == 70:
            name, places = stack.pop()
            assert name == "if"
            for here, following in zip(places, [*places[1:], at], strict=True):
                jumps[here] = following
        elif kind == 71:
            stack.append(("loop", [at]))
        elif kind == 72 or (kind == 16 and step.find("Exit") is not None):
            next(places for name, places in reversed(stack) if name == "loop").append(at)
        elif kind == 73:
            name, places = stack.pop()
            assert name == "loop"
            jumps[at] = places[0]
            for leaving in places[1:]:
                jumps[leaving] = at
    assert not stack, "blocks are not balanced"
    return jumps
