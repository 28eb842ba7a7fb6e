"""What would go wrong on the road from a disk, before it does: a database file, or an export folder.

Everything is read here, so nothing is left to chance: all records are looked at, and no file's bytes.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.consent import is_database
from unlade.doctor.here import existing_folder, local_store
from unlade.doctor.lines import Examination, Level, Line
from unlade.fileroad import ImportedFile
from unlade.fmp12 import open_file
from unlade.importer import ContainerImport
from unlade.options import RunOptions
from unlade.owners import OwnerFinder, normalise_refs
from unlade.report.words import plural
from unlade.rigging import Rigging
from unlade.roads import open_path
from unlade.source import Source
from unlade.survey.file import FieldSurvey, count_value
from unlade.units import format_count, format_size

_PAGE = 500

_SECURE = "FileMaker Pro, File > Save a Copy As, self-contained copy; or take these over the API."


@dataclass
class Load:
    """What one import would take by this road. Bytes are those of each record's best field, where they are known."""

    records: int = 0
    fetched: int = 0
    empty: int = 0
    odd: int = 0  #: only a path, or nothing that can be read
    unnamed: int = 0  #: without an identity
    twice: int = 0  #: with an identity that another record has
    bytes: int = 0
    owners: Counter[str] = field(default_factory=Counter)


def look_at_road(
    found: Examination,
    imports: Sequence[ContainerImport],
    rig: Rigging,
    path: Path,
    options: RunOptions,
    *,
    expect: int | None = None,
) -> None:
    """The file or folder, and what every import would find there."""
    if not found.check("source", lambda: _recognised(path)):
        return
    loads: list[Load] = []
    for importer in imports:
        _look_at_import(found, importer, path, options, loads, expect)
    if loads:
        found.check("room", lambda: _room(rig, sum(load.bytes for load in loads), folder=path.is_dir()))


def _recognised(path: Path) -> Iterator[Line]:
    if not path.exists():
        yield Line("error", "source", f"{path}: there is nothing there", "Name a .fmp12 file or an export folder.")
        return
    if not is_database(path):
        what = "an export folder" if path.is_dir() else "no database file; it is read as an export"
        yield Line("ok", "source", f"{path.name}: {what}")
        return
    with open_file(path) as database:
        header = database.header
        by = f", written by {header.programs[-1]}" if header.programs else ""
        size = format_size(path.stat().st_size)
        yield Line("ok", "source", f"{path.name}: {header.kind}, {size}{by}, not encrypted, dates {_dates(database)}")
        for warning in header.warnings:
            yield Line("warning", "source", warning, "Take a copy that was closed cleanly: a server's backup.")
        proof = database.proof(objects=False)
        yield Line("ok" if proof.ok else "error", "source", proof.line(), "" if proof.ok else "Recover a copy of it.")


def _dates(database: object) -> str:
    return str(getattr(getattr(database, "header", None), "locale", None).date_order)  # type: ignore[union-attr]


def _look_at_import(
    found: Examination,
    importer: ContainerImport,
    path: Path,
    options: RunOptions,
    loads: list[Load],
    expect: int | None,
) -> None:
    name = importer.name
    opened: list[Source] = []

    def table() -> Iterator[Line]:
        source = open_path(importer, path, options)
        opened.append(source)
        if isinstance(source, ImportedFile):
            needed = plural(len(importer.fields_needed()), ("declared field", "declared fields"))
            yield Line("ok", f"{name} table", f"{source.table.name} has all {needed} that are read")
        for note in () if isinstance(source, ImportedFile) else getattr(source, "notes", ()):
            yield Line(
                "warning", f"{name} table", note, "Look at it before the run: --report FILE lists what does not fit."
            )
        if not isinstance(source, ImportedFile):
            yield Line("ok", f"{name} table", "the folder can be joined with its records")

    try:
        if not found.check(f"{name} table", table):
            return
        source, load = opened[0], Load()
        found.check(f"{name} records", lambda: _records(importer, source, load, expect))
        if load.records:
            loads.append(load)
        if importer.carries == "files" and isinstance(source, ImportedFile):
            found.check(f"{name} files", lambda: _places(importer, source))
        if importer.owner is not None and load.records:
            found.check(f"{name} owners", lambda: _owners(importer, load), needs=["database"])
    finally:
        for one in opened:
            one.close()


def _records(importer: ContainerImport, source: Source, load: Load, expect: int | None) -> Iterator[Line]:
    topic = f"{importer.name} records"
    count = source.count()
    _walk(importer, source, load)
    if expect is not None and count.found != expect:
        yield Line(
            "error",
            topic,
            f"{format_count(count.found)} {count.count_is} are there; --expect says {format_count(expect)}",
            "The copy may be older than the count, or not whole.",
        )
    if not count.found:
        yield Line("warning", topic, "there are no records", "See whether this is the right file and table.")
        return
    of_files = importer.carries == "files"
    parts = [f"{format_count(load.fetched)} with a file" if of_files else ""]
    parts += [f"{format_count(load.empty)} empty" if of_files and load.empty else ""]
    yield Line("ok", topic, ", ".join([f"{format_count(count.found)} {count.count_is}", *filter(None, parts)]))
    if load.odd:
        said = f"{_hold(load.odd, 'hold')} only a path, or nothing that can be read, and will end as failed"
        yield Line("warning", topic, said, "Insert the files themselves in FileMaker, then make a new copy.")
    if load.unnamed:
        yield Line(
            "warning",
            topic,
            f"{_hold(load.unnamed, 'have')} no {importer.identity}, and will end as failed",
            "Give them one in FileMaker.",
        )
    if load.twice:
        said = f"{_hold(load.twice, 'have')} an identity that another record has, and will end as failed"
        yield Line("warning", topic, said, "Give each record its own.")


def _walk(importer: ContainerImport, source: Source, load: Load) -> None:
    """Every record once. Owner references are looked up by the page, so that memory does not grow with them."""
    finder, met = OwnerFinder(importer.owner), set()
    offset = 1
    while True:
        page = source.page(offset, _PAGE)
        records = [record for record in page.records if importer.wants(record)]
        for record in records:
            identity = importer.identity_of(record)
            load.unnamed += not identity
            load.twice += bool(identity) and identity.upper() in met
            met.add(identity.upper())
            _weigh(importer, record, load)
        if importer.owner is not None:
            refs = [normalise_refs(importer.owner_refs_of(record)) for record in records]
            matches = finder.find(refs)
            load.owners.update(matches[ref].reason for ref in refs)
        load.records += len(page.records)
        offset += len(page.records)
        if not page.records or offset > page.count.found:
            return


def _weigh(importer: ContainerImport, record: SourceRecord, load: Load) -> None:
    refs = [record.containers[name] for name in importer.containers if name in record.containers]
    files: list[ContainerRef] = [ref for ref in refs if ref.status is RefStatus.FILE]
    if files:
        load.fetched += 1
        load.bytes += sum(ref.size or 0 for ref in (files if importer.each else files[:1]))
    elif any(ref.status is not RefStatus.EMPTY for ref in refs):
        load.odd += 1
    else:
        load.empty += 1


def _places(importer: ContainerImport, source: ImportedFile) -> Iterator[Line]:
    """Where the declared containers' files lie, field by field."""
    topic = f"{importer.name} files"
    names = {source.table.field(name.partition("(")[0]).id for name in importer.containers}
    fields = {column.id: FieldSurvey(column) for column in source.table.containers if column.id in names}
    for record in source.database.records(source.table):
        for value in record.containers.values():
            if value.field.id in fields:
                count_value(source.database, fields[value.field.id], value)
    where = sum((one.where for one in fields.values()), Counter[str]())
    for one in fields.values():
        if one.column.is_global:
            yield Line("warning", topic, f"{one.column.name} is global: one file for all records", "Do not declare it.")
    inside, open_ = where["inside"], where["open"]
    size = format_size(sum(one.bytes for one in fields.values()))
    beside = f", {format_count(open_)} beside it in open storage" if open_ else ""
    yield Line("ok", topic, f"{format_count(inside)} files inside the database{beside}, {size} in all")
    if open_:
        lost = sum(one.absent for one in fields.values())
        if lost:
            said = f"{format_count(lost)} files of open storage are not where the database says"
            yield Line("error", topic, said, "Put the folder of container files beside the database file.")
    odd: tuple[tuple[str, Level, str, str], ...] = (
        ("secure", "error", "in secure storage, which only FileMaker reads", _SECURE),
        ("reference", "warning", "with only a path to a file elsewhere", "Insert the files themselves in FileMaker."),
        ("lost", "warning", "whose object the file does not hold", "Have FileMaker Pro recover a copy."),
        ("unreadable", "warning", "with neither a file nor a path", "Look at them in FileMaker Pro."),
    )
    for word, level, what, remedy in odd:
        if where[word]:
            yield Line(level, topic, f"{plural(where[word], ('value', 'values'))} {what}", remedy)


def _hold(count: int, verb: str) -> str:
    """`1 record has`, `12 records hold`."""
    one = {"have": "has"}.get(verb, f"{verb}s")
    return f"{plural(count, ('record', 'records'))} {one if count == 1 else verb}"


def _owners(importer: ContainerImport, load: Load) -> Iterator[Line]:
    """Whether the records' owners are here: what is not ends as unlinked, and is linked when they arrive."""
    assert importer.owner is not None
    topic = f"{importer.name} owners"
    owner = str(importer.owner.model_class._meta.verbose_name)
    rows = importer.owner.model_class._base_manager.count()
    if not rows:
        yield Line("warning", topic, f"there is no {owner} yet; files would wait for them", "Import the owners first.")
        return
    here = load.owners[""]
    yield Line("ok", topic, f"{format_count(here)} of {format_count(load.records)} records find their {owner}")
    for reason, said, remedy in (
        (
            "owner_missing",
            f"name a {owner} who is not here",
            "Import the owners first, or compare how ids are written.",
        ),
        ("no_owner_reference", f"name no {owner}", "Enter it in FileMaker; such files are stored, and wait."),
        ("ambiguous", f"fit two {owner} rows or more", "Let each row have an id of its own."),
    ):
        if load.owners[reason]:
            yield Line("warning", topic, f"{format_count(load.owners[reason])} records {said}", remedy)


def _room(rig: Rigging, size: int, *, folder: bool) -> Iterator[Line]:
    """Whether a local store has room for all of it."""
    local = local_store(rig.settings.text("UNLADE_STORE"))
    if local is None:
        yield Line("ok", "room", f"{format_size(size)} are to be stored; the store is not a disk of this machine")
        return
    free = shutil.disk_usage(existing_folder(local)).free
    known = "" if size or not folder else " (sizes are not known beforehand)"
    what = f"{format_size(size)} are to be stored{known}, {format_size(free)} are free for the store"
    if size > free:
        yield Line("error", "room", what, "Make room, or let UNLADE_STORE name another place.")
    else:
        yield Line("ok", "room", what)
