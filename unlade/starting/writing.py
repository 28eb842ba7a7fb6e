"""The module that `startimport` writes (pure): it can be run as it is, and says where a person must decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from unlade.keys import check_pattern
from unlade.owners import Owner
from unlade.starting.guessing import Guess, words_of
from unlade.starting.models import RowsGuess
from unlade.starting.reading import Sheet

_WIDTH = 100

MODEL = """
A model for the files, if there is none yet. Put it into models.py, run makemigrations and migrate, then derive the
declaration from ModelImport with model = "app.{name}", match = "filemaker_id", owner_column = "owner" and
columns = {{"key": "key", "sha256": "sha256", "size": "size", "mime_type": "mime_type",
"original_name": "original_name", "metadata": "metadata"}}.

class {name}(models.Model):
    owner = models.ForeignKey("{owner}", null=True, blank=True, on_delete=models.PROTECT)
    key = models.CharField(max_length=1024)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(default=0)
    mime_type = models.CharField(max_length=150, blank=True)
    original_name = models.CharField(max_length=255, blank=True)
    filemaker_id = models.CharField(max_length=255, null=True, unique=True)
    metadata = models.JSONField(default=dict, blank=True)
"""


def import_name(sheet: Sheet, taken: Iterable[str] = ()) -> str:
    """A name for the import, from the layout's; none of `taken`."""
    words = [word for word in words_of(sheet.layout) if word not in ("api", "dataapi", "web", "layout")]
    name = base = "_".join(words) or "files"
    known, number = set(taken), 2
    while name in known:
        name, number = f"{base}_{number}", number + 1
    return name


def module_text(
    sheet: Sheet,
    found: Guess,
    *,
    name: str,
    owner: Owner | None = None,
    rows: RowsGuess | None = None,
    origin: str = "",
) -> str:
    """A Python module with one declaration."""
    whole = rows if rows is not None and rows.match and "key" in rows.columns.values() else None
    used = ["DateField"] * bool(found.day) + ["Owner"] * (owner is not None)
    used += ["ModelImport" if whole else "ContainerImport"]
    parts = [
        f'"""Files of {_in_docstring(sheet.layout)}. A first draft from {_in_docstring(origin or "the layout")}: decide '
        'where it says so."""',
        "",
        f"from unlade import {', '.join(sorted(used))}",
        "",
        "",
        f"class {_class_name(name)}({'ModelImport' if whole else 'ContainerImport'}):",
        *_indented(_body(sheet, found, name, owner, whole)),
    ]
    if whole is None:
        lines = _no_rows(rows) if rows is not None else _a_model(name, owner)
        parts += ["", "", *_commented(lines)]
    return "\n".join(parts) + "\n"


def _body(sheet: Sheet, found: Guess, name: str, owner: Owner | None, rows: RowsGuess | None) -> Iterator[str]:
    yield f"name = {_quoted(name)}"
    yield f"layout = {_quoted(sheet.layout)}"
    if sheet.table:
        yield f"table = {_quoted(sheet.table)}"
        if sheet.layout == sheet.table:
            yield "# Decide: over the Data API, `layout` is a layout that shows this table."
    if sheet.found:
        yield f"# {sheet.found:,} records."
    yield ""
    if not found.sure:
        yield "# Decide: the values of this field are not known to be there and unique."
    yield from _others("identity", found)
    yield f"identity = {_quoted(found.identity)}"
    yield from _containers(sheet, found)
    yield from _owner(found, owner)
    yield from _plain(sheet, found)
    yield ""
    yield from _key(name, found, owner)
    yield from _rows(rows, owner)


def _containers(sheet: Sheet, found: Guess) -> Iterator[str]:
    if found.each:
        yield "# Decide: these look like files of their own, so each is one item. If they are sizes of one picture,"
        yield "# list them best first and take `each` out."
        yield "each = True"
    elif len(found.containers) > 1:
        yield "# Decide: best first. The first that holds a good file is taken, the others are not fetched."
    if not found.containers:
        yield "# Decide: the layout shows no container field. Put them on the layout; without one nothing can run."
    yield from _list("containers", found.containers)
    for field, why in found.left_out:
        yield f"# Left out: {field} ({why})."
    filled = {entry.name: entry.filled for entry in sheet.fields}
    for field in found.containers:
        if sheet.sample and not filled[field]:
            yield f"# {field} was empty in all of the {sheet.sample} records looked at."
    for entry in sheet.fields:
        if entry.name in found.containers and entry.repetitions > 1:
            yield f'# {entry.name} has {entry.repetitions} repetitions; the second is declared as "{entry.name}(2)".'


def _owner(found: Guess, owner: Owner | None) -> Iterator[str]:
    if owner is not None:
        yield from _others("owner", found)
        assert isinstance(owner.model, str)
        told = ", ".join(_quoted(str(each)) for each in (owner.field, owner.model))
        if "__" in str(owner.match):
            yield "# Decide: `match` is the place of FileMaker's id in the owner's row."
        yield f"owner = Owner({told}, match={_quoted(str(owner.match))})"
    elif found.owner:
        yield "# Decide: whose files these are. Import Owner from unlade, and name your model with FileMaker's id:"
        yield f'# owner = Owner({_quoted(found.owner)}, "app.Model", match="filemaker_id")'
    else:
        yield "# No field looks like the id of an owner."


def _plain(sheet: Sheet, found: Guess) -> Iterator[str]:
    if found.day:
        yield from _others("day", found)
        order = "" if sheet.date_order == "mdy" else f', order="{sheet.date_order}"'
        yield f"taken_on = DateField({_quoted(found.day)}{order})"
    if found.original_name:
        yield f"original_name = {_quoted(found.original_name)}"
    if found.category:
        yield f"category = {_quoted(found.category)}"


def _key(name: str, found: Guess, owner: Owner | None) -> Iterator[str]:
    pattern = f"filemaker/{name}/{'{owner}/' if owner else ''}{'{identity}'}{'-{field}' if found.each else ''}{'{ext}'}"
    assert not check_pattern(pattern), pattern
    yield "# Decide, once and for all: where in the store a file goes. {date} and {category} can be used as well."
    yield f"key = {_quoted(pattern)}"


def _rows(rows: RowsGuess | None, owner: Owner | None) -> Iterator[str]:
    if rows is None:
        return
    yield ""
    yield f"model = {_quoted(rows.label)}"
    yield f"match = {_quoted(rows.match)}"
    if owner is not None and rows.owner_column:
        yield f"owner_column = {_quoted(rows.owner_column)}"
    elif owner is not None:
        yield "# Decide: no foreign key to the owner was found. Name it:"
        yield '# owner_column = "owner"'
    yield "# Decide: what fills which column; docs/api.md lists what there is."
    yield "columns = {"
    for column, fact in rows.columns.items():
        yield f"    {_quoted(column)}: {_quoted(fact)},"
    yield "}"


def _a_model(name: str, owner: Owner | None) -> Sequence[str]:
    return MODEL.strip().format(name=_class_name(name, ""), owner=_owner_label(owner)).splitlines()


def _no_rows(rows: RowsGuess) -> Sequence[str]:
    lines = [f"Rows are not written yet: {rows.label} lacks a column for"]
    column = "filemaker_id = models.CharField(max_length=255, null=True, unique=True)"
    missing = [] if rows.match else [f"FileMaker's id: {column}"]
    if "key" not in rows.columns.values():
        missing.append("the file: key = models.CharField(max_length=1024), or a FileField")
    tail = "Add it, and derive the declaration from ModelImport, or write a `record` of your own."
    return [*lines, *(f"  {each}" for each in missing), tail]


def _others(role: str, found: Guess) -> Iterator[str]:
    others = (found.others or {}).get(role, ())
    if others:
        yield f"# Decide: it may be {' or '.join(others)} as well."


def _list(name: str, values: Sequence[str]) -> Iterator[str]:
    line = f"{name} = [{', '.join(_quoted(value) for value in values)}]"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{name} = ["
    for value in values:
        yield f"    {_quoted(value)},"
    yield "]"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    # Whatever a field is called, a comment stays on its line.
    return (f"    {' '.join(line.splitlines())}" if line else "" for line in lines)


def _commented(lines: Iterable[str]) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in lines)


def _in_docstring(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace('"', '\\"').splitlines())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _class_name(name: str, tail: str = "Import") -> str:
    words = re.findall(r"[A-Za-z0-9]+", name)
    title = "".join(word[:1].upper() + word[1:] for word in words)
    return (title if title[:1].isalpha() else f"Files{title}") + tail


def _owner_label(owner: Owner | None) -> str:
    return str(owner.model) if owner is not None else "app.Model"


__all__ = ["import_name", "module_text"]
