"""FileMaker's script steps: each as XML for the clipboard and as the line a person would see or type.

Ids, children and their order are those of DESKTOP.md 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from unlade.desktop.script.nodes import Node, calculation, node

#: Ids of the steps that open a block, turn within it, and close it; for indentation.
OPENING = frozenset({68, 71})
TURNING = frozenset({69, 125})
CLOSING = frozenset({70, 73})


@dataclass(frozen=True, slots=True)
class Step:
    """One step: FileMaker's number and name for it, its XML children, and the text for a person."""

    id: int
    name: str
    children: tuple[Node, ...]
    text: str

    def xml(self) -> Node:
        """`<Step enable="True" id=.. name=..>`."""
        return Node("Step", (("enable", "True"), ("id", str(self.id)), ("name", self.name)), self.children)


def comment(text: str = "") -> Step:
    """A comment, or a blank line."""
    return Step(89, "# (comment)", (node("Text", text=text),) if text else (), f"# {text}" if text else "")


def error_capture_on() -> Step:
    """No dialogs: errors are read by the script."""
    return Step(86, "Set Error Capture", (node("Set", state="True"),), "Set Error Capture [ On ]")


def user_abort_off() -> Step:
    """Esc does not stop it between a file and its line; the stop file does."""
    return Step(85, "Allow User Abort", (node("Set", state="False"),), "Allow User Abort [ Off ]")


def freeze_window() -> Step:
    """Do not redraw for every record."""
    return Step(79, "Freeze Window", (), "Freeze Window")


def browse_mode() -> Step:
    """Leave find and preview mode."""
    return Step(55, "Enter Browse Mode", (node("Pause", state="False"),), "Enter Browse Mode [ Pause: Off ]")


def show_all_records() -> Step:
    """The found set becomes the whole table."""
    return Step(23, "Show All Records", (), "Show All Records")


def unsort_records() -> Step:
    """Back to the order of creation."""
    return Step(21, "Unsort Records", (), "Unsort Records")


def go_to_layout(formula: str) -> Step:
    """By name, given by a calculation: no layout id is needed."""
    children = (node("LayoutDestination", value="LayoutNameByCalc"), node("Layout", calculation(formula)))
    return Step(6, "Go to Layout", children, f"Go to Layout [ Layout Name by calculation: {formula} ]")


def first_record() -> Step:
    """Go to the first record."""
    children = (node("NoInteract", state="False"), node("RowPageLocation", value="First"))
    return Step(16, "Go to Record/Request/Page", children, "Go to Record/Request/Page [ First ]")


def next_record() -> Step:
    """Go to the next record, leave the loop behind the last."""
    children = (
        node("NoInteract", state="False"),
        node("Exit", state="True"),
        node("RowPageLocation", value="Next"),
    )
    text = "Go to Record/Request/Page [ Next ; Exit after last: On ]"
    return Step(16, "Go to Record/Request/Page", children, text)


def set_variable(name: str, formula: str) -> Step:
    """`name` with its dollar sign."""
    children = (
        node("Value", calculation(formula)),
        node("Repetition", calculation("1")),
        node("Name", text=name),
    )
    return Step(141, "Set Variable", children, f"Set Variable [ {name} ; Value: {formula} ]")


def read_error(name: str = "$err") -> Step:
    """Must stand right behind the step whose error it reads: the next step overwrites it."""
    return set_variable(name, "Get ( LastError )")


def if_(formula: str) -> Step:
    """Open a condition."""
    return Step(68, "If", (node("Restore", state="False"), calculation(formula)), f"If [ {formula} ]")


def else_if(formula: str) -> Step:
    """Another condition of the same block."""
    return Step(125, "Else If", (node("Restore", state="False"), calculation(formula)), f"Else If [ {formula} ]")


def else_() -> Step:
    """Otherwise."""
    return Step(69, "Else", (node("Restore", state="False"),), "Else")


def end_if() -> Step:
    """Close a condition."""
    return Step(70, "End If", (), "End If")


def loop() -> Step:
    """Open a loop."""
    children = (node("Restore", state="False"), node("FlushType", value="Always"))
    return Step(71, "Loop", children, "Loop [ Flush: Always ]")


def exit_loop_if(formula: str) -> Step:
    """Leave the innermost loop."""
    return Step(72, "Exit Loop If", (calculation(formula),), f"Exit Loop If [ {formula} ]")


def end_loop() -> Step:
    """Close a loop."""
    return Step(73, "End Loop", (), "End Loop")


def exit_script(formula: str) -> Step:
    """End with a result."""
    return Step(103, "Exit Script", (calculation(formula),), f"Exit Script [ Text Result: {formula} ]")


def _path(variable: str) -> Node:
    # A variable inside a path ends at "/" or ":" (DESKTOP.md 1.2): the whole path is one variable, nothing else.
    return node("UniversalPathList", text=variable)


def _target(variable: str) -> tuple[Node, Node]:
    return Node("Text"), node("Field", text=variable)


def file_exists(path: str, into: str) -> Step:
    """FileMaker 18."""
    text = f"Get File Exists [ {path} ; Target: {into} ]"
    return Step(188, "Get File Exists", (_path(path), *_target(into)), text)


def file_size(path: str, into: str) -> Step:
    """In bytes; FileMaker 18."""
    text = f"Get File Size [ {path} ; Target: {into} ]"
    return Step(189, "Get File Size", (_path(path), *_target(into)), text)


def create_data_file(path: str) -> Step:
    """With its folders. What it does to an existing file depends on the version (DESKTOP.md 0.5): look first."""
    text = f"Create Data File [ {path} ; Create folders: On ]"
    return Step(190, "Create Data File", (node("CreateDirectories", state="True"), _path(path)), text)


def open_data_file(path: str, into: str) -> Step:
    """`into` receives the number that the other steps ask for."""
    text = f"Open Data File [ {path} ; Target: {into} ]"
    return Step(191, "Open Data File", (_path(path), *_target(into)), text)


def write_data_file(file_id: str, source: str, *, line: bool) -> Step:
    """`line`: a line feed is added. Text goes out as UTF-8, container data unchanged (DESKTOP.md 0.2)."""
    children = (
        node("AppendLineFeed", state="True" if line else "False"),
        node("DataSourceType", value="2"),
        calculation(file_id),
        *_target(source),
    )
    feed = "On" if line else "Off"
    text = f"Write to Data File [ File ID: {file_id} ; Data source: {source} ; Write as: UTF-8 ; Append line feed: {feed} ]"
    return Step(192, "Write to Data File", children, text)


def close_data_file(file_id: str) -> Step:
    """25 files can be open at most."""
    return Step(196, "Close Data File", (calculation(file_id),), f"Close Data File [ File ID: {file_id} ]")


def delete_file(path: str) -> Step:
    """Only ever used on what this script wrote itself and did not finish."""
    return Step(197, "Delete File", (_path(path),), f"Delete File [ Target file: {path} ]")


def export_field_contents(path: str, table: str, field: str, field_id: int, repetition: int) -> Step:
    """FileMaker Pro only. `field_id` 0 where it is not known: 1 could be a real field (DESKTOP.md 1.1)."""
    attributes: tuple[tuple[str, str], ...] = (("table", table), ("id", str(field_id)), ("name", field))
    if repetition != 1:
        attributes = (*attributes, ("repetition", str(repetition)))
    children = (
        node("CreateDirectories", state="True"),
        node("AutoOpen", state="False"),
        node("CreateEmail", state="False"),
        _path(path),
        Node("Field", attributes),
    )
    spelt = f"{table}::{field}" + (f"[{repetition}]" if repetition != 1 else "")
    text = (
        f"Export Field Contents [ {spelt} ; {path} ; Automatically open: Off ; Create email: Off ; Create folders: On ]"
    )
    return Step(132, "Export Field Contents", children, text)
