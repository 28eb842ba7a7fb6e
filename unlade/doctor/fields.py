"""What a layout shows against what a declaration names. Pure: a declaration and metadata in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unlade.doctor.lines import Level, Line
from unlade.filemaker import Layout, LayoutField
from unlade.filemaker.metadata import base_name
from unlade.importer import ContainerImport
from unlade.records.declaring import RecordImport

_MISSING = "Put it on layout {layout} (it need not be visible to anybody else), or correct its name in the declaration."

#: What a day can be read from.
_DAYS = ("date", "timeStamp", "text")
#: What a marker can be written into, and how it looks there.
_MARKERS = {
    "text": "a text field: the stamp is written as text",
    "date": "a date field: the day is written",
    "timeStamp": "a timestamp field",
    "number": "a number field: 1 is written",
}


def check_fields(topic: str, importer: ContainerImport, layout: Layout, *, marker_wanted: bool) -> Iterator[Line]:
    """One line for every field that is not as declared; one for all that are."""
    good: list[str] = []
    for spelling in importer.containers:
        lines = list(_container(topic, layout, spelling))
        yield from lines
        good += [] if any(line.level == "error" for line in lines) else [spelling]
    for role, name in _plain(importer):
        lines = list(_value(topic, layout, role, name))
        yield from lines
        good += [] if any(line.level == "error" for line in lines) else [name]
    if isinstance(importer, RecordImport):
        yield from _portals(topic, importer, layout)
    if importer.marker:
        yield from _marker(topic, layout, importer.marker, wanted=marker_wanted)
    if good:
        count = f"{len(good)} declared {'field is' if len(good) == 1 else 'fields are'}"
        yield Line("ok", topic, f"{count} on layout {layout.name}: {', '.join(dict.fromkeys(good))}")


def uncovered(topic: str, layout: Layout, covered: Sequence[str]) -> Iterator[Line]:
    """Containers on the layout that no declaration takes (LESSONS 16)."""
    names = {base_name(spelling)[0] for spelling in covered}
    rest = [entry.name for entry in layout.containers() if entry.name not in names]
    if rest:
        yield Line(
            "warning",
            topic,
            f"layout {layout.name} shows containers that no declaration takes: {', '.join(rest)}",
            "Declare them if they hold files of their own; take them off the layout if they do not.",
        )


def _plain(importer: ContainerImport) -> Iterator[tuple[str, str]]:
    yield "identity", importer.identity
    if importer.owner:
        yield from (("owner", name) for name in importer.owner.fields)
    if importer.taken_on:
        yield "day", importer.taken_on.field
    for role in ("category", "original_name", "size_field", "digest_field"):
        if name := getattr(importer, role):
            yield role, name
    if isinstance(importer, RecordImport):
        known = {importer.identity}
        yield from (("value", name) for name in importer.fields_needed() if name not in known)


def _portals(topic: str, importer: RecordImport, layout: Layout) -> Iterator[Line]:
    """Portals that are not as declared; one line for each that is."""
    for portal, rows in importer.portals.items():
        shown = layout.portals.get(portal)
        if shown is None:
            there = ", ".join(layout.portals) or "none"
            yield Line(
                "error",
                topic,
                f"layout {layout.name} has no portal {portal}; it has {there}",
                "A portal goes by its object name, without one by its table's. Correct it, or put it on the layout.",
            )
            continue
        names = {entry.name.rpartition("::")[2] for entry in shown}
        missing = [name for name in rows.fields_needed() if name not in names]
        if missing:
            yield Line(
                "error",
                topic,
                f"portal {portal} shows no {', '.join(missing)}",
                "Put the field into the portal, or correct its name in the declaration.",
            )
        else:
            yield Line("ok", topic, f"portal {portal} shows {', '.join(rows.fields_needed()) or 'its rows'}")


def _absent(topic: str, layout: Layout, name: str, level: Level = "error") -> Line:
    return Line(level, topic, f"field {name} is not on layout {layout.name}", _MISSING.format(layout=layout.name))


def _container(topic: str, layout: Layout, spelling: str) -> Iterator[Line]:
    entry = layout.find(spelling)
    if entry is None:
        yield _absent(topic, layout, spelling)
        return
    if not entry.is_container:
        yield Line(
            "error",
            topic,
            f"field {spelling} is a {entry.result} field, not a container",
            "Name a container field in the declaration, or change the field's type in FileMaker.",
        )
        return
    yield from _repetitions(topic, spelling, entry)
    if entry.is_global:
        yield Line(
            "warning",
            topic,
            f"container {spelling} is global: every record shows the same file",
            "Take it out of the declaration, unless that is what you want.",
        )
    if entry.type == "calculation":
        yield Line(
            "warning",
            topic,
            f"container {spelling} is calculated: it may repeat another field's file",
            "Declare the field that it is calculated from instead.",
        )


def _repetitions(topic: str, spelling: str, entry: LayoutField) -> Iterator[Line]:
    _, number = base_name(spelling)
    if number > entry.max_repeat:
        yield Line(
            "error",
            topic,
            f"{spelling} is declared, but {entry.name} has {entry.max_repeat} repetitions",
            "Correct the number in brackets in the declaration.",
        )
    elif entry.max_repeat > 1 and not entry.repetition_start <= number <= entry.repetition_end:
        yield Line(
            "error",
            topic,
            f"{spelling} is declared, but the layout shows repetitions {entry.repetition_start} to "
            f"{entry.repetition_end} only",
            "Let the layout show it: Inspector, Data, Show repetitions.",
        )
    elif entry.max_repeat > 1 and spelling == entry.name:
        yield Line(
            "warning",
            topic,
            f"container {entry.name} has {entry.max_repeat} repetitions; only the first is declared",
            f"Declare {entry.name}(2) and so on if they hold files; `each = True` makes every one an item.",
        )


def _value(topic: str, layout: Layout, role: str, name: str) -> Iterator[Line]:
    entry = layout.find(name)
    if entry is None:
        yield _absent(topic, layout, name)
    elif entry.is_container:
        yield Line("error", topic, f"field {name} ({role}) is a container", "Name a field that holds a value.")
    elif role == "day" and entry.result not in _DAYS:
        yield Line(
            "error", topic, f"field {name} is a {entry.result} field; no day can be read from it", "Name a date field."
        )
    elif role in ("identity", "owner") and entry.is_global:
        yield Line(
            "error",
            topic,
            f"field {name} ({role}) is global: every record shows the same value",
            "Name a field that each record has a value of its own in.",
        )
    elif role in ("identity", "owner") and entry.result not in ("text", "number"):
        yield Line(
            "warning",
            topic,
            f"field {name} ({role}) is a {entry.result} field; ids are compared as text",
            "Make sure that it is written the same way everywhere.",
        )


def _marker(topic: str, layout: Layout, name: str, *, wanted: bool) -> Iterator[Line]:
    """The marker's type (LESSONS 7). As long as nothing is written, what is wrong with it is only worth a warning."""
    level: Level = "error" if wanted else "warning"
    off = "" if wanted else " (nothing is written: UNLADE_WRITE_MARKER is off)"
    entry = layout.find(name)
    if entry is None:
        yield _absent(topic, layout, name, level)
    elif entry.result not in _MARKERS:
        yield Line(
            level,
            topic,
            f"marker {name} is a {entry.result} field; no stamp fits in{off}",
            "Name a date or text field.",
        )
    elif entry.type != "normal" or entry.is_global:
        kind = "global" if entry.is_global else f"a {entry.type} field"
        yield Line(
            level, topic, f"marker {name} is {kind}; it cannot mark a record{off}", "Name a field that can be edited."
        )
    else:
        yield Line("ok", topic, f"marker {name} is {_MARKERS[entry.result]}{off}")
