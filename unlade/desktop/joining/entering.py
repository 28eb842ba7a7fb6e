"""Enters files, and what is found about them, into the catalogue; ids for records that tell none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from unlade.cargo import RefStatus
from unlade.desktop.catalogue import Catalogue, FileRef, Finding, key_of
from unlade.desktop.read import FolderIndex, Form, Kind, read_name


def take_files(catalogue: Catalogue, files: FolderIndex, leave_out: Collection[str] = ()) -> None:
    """Enter the folder's cargo, and findings about what else lies there."""
    rows: list[tuple[Any, ...]] = []
    for found in files.all_files():
        if found.path in leave_out:
            continue
        rows.append(file_row(found.path, found.size, found.modified_ns))
        if len(rows) >= 1000:
            enter_files(catalogue, rows)
            rows = []
    enter_files(catalogue, rows)
    for kind, what, detail in (
        (Kind.LINK, "link", "links are not followed"),
        (Kind.SECURE, "secure_storage", "FileMaker keeps these files encrypted"),
        (Kind.DATABASE, "database", "a FileMaker file is no cargo"),
    ):
        for found in files.all_files(kind):
            catalogue.find(Finding(what, path=found.path, detail=detail))
    for twins in files.twins(limit=1000):
        for path in twins:
            others = ", ".join(repr(other) for other in twins if other != path)
            catalogue.find(Finding("twins", path=path, detail=f"differs only by case or Unicode form from {others}"))
    for path, size in catalogue.db.execute("SELECT path, size FROM files WHERE size = 0"):
        catalogue.find(Finding("zero_bytes", path=path, detail=f"{size} bytes"))


def file_row(path: str, size: int, modified_ns: int) -> tuple[Any, ...]:
    """A file with everything that its path tells, for `enter_files`."""
    name = read_name(path)
    stem = name.identity if name.form is not Form.EXPORT else ""
    rid = name.record_id.lstrip("0") or name.record_id
    return (
        *(path, size, modified_ns, key_of(stem), rid, name.field_number),
        *(name.owner, key_of(name.owner), name.day_text.replace("_", "/"), name.form.value),
    )


def enter_files(catalogue: Catalogue, rows: Sequence[tuple[Any, ...]]) -> None:
    """Enter files, as `file_row` gives them."""
    catalogue.db.executemany(
        "INSERT INTO files (path, size, modified, stem, rid, number, owner, owner_key, day, form) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def made_up_id(identity: str) -> str:
    """A record id for a record that tells none: by its identity."""
    text = f"id={key_of(identity)}"
    return text if len(text) <= 64 else f"id={hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:40]}"


def file_id(path: str) -> str:
    """A record id for a file whose identity is not its own."""
    return f"file={hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()[:40]}"


def enter_ref(catalogue: Catalogue, place: int, field: str, path: str, how: str, trouble: str = "") -> None:
    row = catalogue.db.execute("SELECT size FROM files WHERE path = ?", (path,)).fetchone()
    md5 = catalogue.db.execute("SELECT md5 FROM rows WHERE place = ?", (place,)).fetchone()
    size = row[0] if row else None
    catalogue.add_ref(place, FileRef(field, RefStatus.FILE, path, None, size, md5[0], "", trouble, how))


def find_about(catalogue: Catalogue, what: str, place: int, field: str, path: str, detail: str) -> None:
    record_id, identity = catalogue.db.execute(
        "SELECT record_id, identity FROM rows WHERE place = ?", (place,)
    ).fetchone()
    catalogue.find(Finding(what, record_id, identity, field, path, detail))


def find_unused(catalogue: Catalogue, why: str) -> None:
    query = "SELECT path, form FROM files WHERE used = 0 ORDER BY path"
    for path, form in catalogue.db.execute(query):
        detail = "it was exported by our script, but its manifest is not here" if form == "export" else why
        catalogue.find(Finding("file_without_row", path=path, detail=detail))


def find_doubles(catalogue: Catalogue, noun: str) -> None:
    """Identities that several rows have."""
    double = "SELECT identity, count(*) FROM rows WHERE identity != '' GROUP BY identity_key HAVING count(*) > 1"
    for identity, count in catalogue.db.execute(double).fetchall():
        catalogue.find(Finding("duplicate_identity", identity=identity, detail=f"{count} {noun} have it"))
