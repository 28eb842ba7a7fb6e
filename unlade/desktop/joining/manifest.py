"""Joins our own manifest's records to the files that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from unlade.cargo import RefStatus
from unlade.desktop.catalogue import Catalogue, FileRef, Finding, key_of
from unlade.desktop.joining.declared import Fields, text_of
from unlade.desktop.joining.digests import by_md5, hash_unused
from unlade.desktop.joining.entering import find_about, find_doubles, find_unused
from unlade.desktop.read import (
    MD5,
    MOD_ID,
    PATH,
    RECORD_ID,
    WITH_FILE,
    Found,
    Kind,
    ManifestIndex,
    ManifestItem,
    external_paths,
    folded,
    match_columns,
    read_name,
    record_values,
)
from unlade.errors import UsageError

#: What the lines of a manifest without a file come to.
_NO_FILE = {"skipped": "not_exported", "too_big": "too_big", "error": "export_error"}


class Finds(Protocol):
    """Finds files by path (`FolderIndex` does)."""

    def find(self, path: str) -> Found | None: ...


def join_manifest(
    catalogue: Catalogue, fields: Fields, manifest: ManifestIndex, files: Finds, root: Path | None, *, storage: bool
) -> None:
    """Enter a manifest's records and give each value its file.

    `storage`: the files are a server's container storage, known by the outside paths that FileMaker told, or by MD5.
    """
    for problem in manifest.problems():
        catalogue.find(Finding("manifest", detail=problem.text))
    head = manifest.head
    spelt = match_columns(head.fields, fields.containers)
    names = {column: name for name, column in spelt.items()}
    for column in head.fields:
        if column not in names:
            catalogue.find(
                Finding("field_not_declared", field=column, detail="the manifest has it, the import does not")
            )
    columns = match_columns([*head.roles.values(), *head.extras], fields.wanted)
    if fields.identity not in columns:
        raise UsageError(
            f"the manifest has no field {fields.identity!r}",
            remedy=f"Generate the script anew with filemaker_export_script {head.name}, and export again.",
        )
    for record in manifest:
        given = record_values(record, head)
        values = {name: text_of(given.get(column, "")) for name, column in columns.items()}
        rest = set(given) - set(columns.values()) - {RECORD_ID, MOD_ID, PATH, MD5}
        values |= {name: text_of(given[name]) for name in sorted(rest)}
        place = catalogue.add_row(
            record_id=record.record_id[:64],
            mod_id=record.items[0].mod_id[:64] or "0",
            identity=values[fields.identity],
            owner=values.get(fields.owner, ""),
            values=values,
            rid=record.record_id,
        )
        if place is None:
            catalogue.find(Finding("duplicate_id", record.record_id, detail="two records have it"))
            continue
        lines = {item.field: item for item in record.items}
        for column in head.fields:
            if column in names:
                _value(catalogue, place, names[column], lines.get(column), files, storage=storage)
        for name in fields.containers:
            if name not in spelt:
                catalogue.add_ref(place, FileRef(name, RefStatus.FILE, trouble="not_exported"))
    find_doubles(catalogue, "records")
    _by_bytes(catalogue, root)
    _shared(catalogue)
    find_unused(catalogue, "the manifest does not name it")


def _value(
    catalogue: Catalogue, place: int, field: str, item: ManifestItem | None, files: Finds, *, storage: bool
) -> None:
    """Enter one value; what only its bytes can tell is left for `_by_bytes`."""
    if item is None:
        catalogue.add_ref(place, FileRef(field, RefStatus.FILE, trouble="line_missing"))
        find_about(catalogue, "line_missing", place, field, "", "the manifest has no line for this field")
        return
    known: dict[str, Any] = {"name": item.name or None, "md5": item.md5, "sha256": item.sha256}
    if item.verify == "0":
        find_about(
            catalogue, "broken_in_source", place, field, "", "FileMaker's own outside file was changed or is gone"
        )
    if item.status == "empty":
        catalogue.add_ref(place, FileRef(field, RefStatus.EMPTY))
    elif item.status == "reference_missing":
        catalogue.add_ref(place, FileRef(field, RefStatus.REFERENCE))
    elif storage:
        path = _outside(catalogue, item)
        left = "" if path else "late_skipped" if item.status == "skipped" else "late"
        ref = FileRef(field, RefStatus.FILE, path, size=item.size, how="path" if path else "", trouble=left, **known)
        catalogue.add_ref(place, ref)
    elif item.status in WITH_FILE:
        found = files.find(item.path)
        size = item.size if item.size is not None else item.disk
        if found is None or found.kind is not Kind.CARGO:
            catalogue.add_ref(place, FileRef(field, RefStatus.FILE, size=size, trouble="file_missing", **known))
            find_about(
                catalogue, "row_without_file", place, field, item.path, "the manifest names it, the folder lacks it"
            )
        else:
            catalogue.add_ref(place, FileRef(field, RefStatus.FILE, found.path, size=size, how="path", **known))
            _check_folder(catalogue, place, field, item)
    else:
        trouble = _NO_FILE[item.status]
        catalogue.add_ref(place, FileRef(field, RefStatus.FILE, trouble=trouble))
        if trouble != "not_exported":
            find_about(
                catalogue, trouble, place, field, item.path, f"the script could not export it (error {item.error})"
            )


def _check_folder(catalogue: Catalogue, place: int, field: str, item: ManifestItem) -> None:
    """The script files by owner: where the manifest's owner is no longer that folder's, one of them was changed."""
    owner = read_name(item.path).owner
    plainly = item.owner and all(char.isalnum() or char in "-_{}" for char in item.owner) and len(item.owner) <= 60
    if owner and plainly and key_of(owner) != key_of(item.owner):
        find_about(catalogue, "wrong_owner", place, field, item.path, f"the manifest names owner {key_of(item.owner)}")
        catalogue.add_trouble(place, "wrong_owner")


def _outside(catalogue: Catalogue, item: ManifestItem) -> str:
    """The one file of a container storage whose path ends with what FileMaker told of it; "" for none or several."""
    for below in external_paths(item.external):
        rows = catalogue.db.execute("SELECT path FROM files WHERE stem = ?", (key_of(read_name(below).identity),))
        found = [path for (path,) in rows if f"/{folded(path)}".endswith(f"/{folded(below)}")]
        if len(found) == 1:
            return str(found[0])
    return ""


def _by_bytes(catalogue: Catalogue, root: Path | None) -> None:
    """Files that no path gave away, by the MD5 that FileMaker told."""
    db = catalogue.db
    late = "SELECT place, field, trouble, name, size, md5, sha256 FROM refs WHERE trouble IN ('late', 'late_skipped')"
    if db.execute(f"{late} AND md5 != '' LIMIT 1").fetchone():
        hash_unused(catalogue, root)
    while rows := db.execute(f"{late} LIMIT 500").fetchall():
        for place, field, left, name, size, md5, sha256 in rows:
            path = by_md5(catalogue, md5) if md5 else ""
            trouble = "" if path else "not_exported" if left == "late_skipped" else "file_missing"
            catalogue.add_ref(place, FileRef(field, RefStatus.FILE, path, name, size, md5, sha256, trouble, "md5"))
            if trouble == "file_missing":
                find_about(catalogue, "row_without_file", place, field, "", "no file has its path or its MD5")


def _shared(catalogue: Catalogue) -> None:
    """One file that two values name: on this disk one of two twins has overwritten the other."""
    db = catalogue.db
    double = "SELECT path FROM refs WHERE path != '' AND how = 'path' GROUP BY path HAVING count(*) > 1"
    for (path,) in db.execute(double).fetchall():
        for place, field in db.execute("SELECT place, field FROM refs WHERE path = ?", (path,)).fetchall():
            find_about(catalogue, "shared_file", place, field, path, "two records name this file")
            db.execute("UPDATE refs SET trouble = 'shared_file' WHERE place = ? AND field = ?", (place, field))
