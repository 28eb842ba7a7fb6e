"""Joins what an export says to the files that lie there: by a manifest, by a metadata file, or by the tree alone.

Nothing is guessed: a file that fits two records belongs to neither, a record with two files gets none, and each such
case is a finding. Source: DESKTOP.md 8.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from unlade.cargo import RefStatus
from unlade.desktop.catalogue import Catalogue, FileRef, Finding, key_of
from unlade.desktop.read import (
    MD5,
    MOD_ID,
    PATH,
    RECORD_ID,
    WITH_FILE,
    FolderIndex,
    Form,
    Found,
    Kind,
    ManifestIndex,
    ManifestItem,
    MetadataFile,
    Value,
    external_paths,
    folded,
    match_columns,
    read_name,
    record_values,
)
from unlade.desktop.read.model import plain
from unlade.errors import UsageError

Match = Literal["", "record", "id", "path", "md5"]
_CHUNK = 1 << 20

#: What the lines of a manifest without a file come to.
_NO_FILE = {"skipped": "not_exported", "too_big": "too_big", "error": "export_error"}


class Declares(Protocol):
    """What is asked of a declaration (`unlade.importer.ContainerImport` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def containers(self) -> Sequence[str]: ...
    @property
    def owner(self) -> Any: ...
    @property
    def taken_on(self) -> Any: ...
    @property
    def category(self) -> str: ...
    @property
    def original_name(self) -> str: ...
    @property
    def digest_field(self) -> str: ...


class Finds(Protocol):
    """Finds files by path (`FolderIndex` does)."""

    def find(self, path: str) -> Found | None: ...


@dataclass(frozen=True, slots=True)
class Fields:
    """The declared fields by role, "" for none."""

    identity: str
    owner: str
    date: str
    md5: str
    containers: tuple[str, ...]
    wanted: tuple[str, ...]  #: every declared field that is no container

    @classmethod
    def of(cls, importer: Declares) -> Fields:
        """From a declaration."""
        owner = str(importer.owner.fields[0]) if importer.owner else ""
        day = str(importer.taken_on.field) if importer.taken_on else ""
        names = (importer.identity, owner, day, importer.category, importer.original_name, importer.digest_field)
        wanted = tuple(dict.fromkeys(name for name in names if name))
        return cls(importer.identity, owner, day, importer.digest_field, tuple(importer.containers), wanted)


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


# The tree alone.


def join_tree(catalogue: Catalogue, fields: Fields) -> None:
    """Every `owner/date/identity.ext` is a record of its own; a file that is named otherwise is a finding.

    Raises `UsageError` when no file says whose it is.
    """
    db = catalogue.db
    named = "form = 'tree'" if fields.owner else "form != 'export'"
    if not db.execute(f"SELECT 1 FROM files WHERE {named} LIMIT 1").fetchone():
        raise UsageError(
            "No file of this folder says whose it is: none lies in a tree owner/date/identity.ext.",
            remedy="Give the records that FileMaker exported with --metadata, or the folder with the manifest.",
        )
    once = "SELECT stem FROM files WHERE " + named + " GROUP BY stem HAVING count(*) = 1"
    query = f"SELECT path, size, modified, owner, day, stem IN ({once}) FROM files WHERE {named} ORDER BY path"
    for path, size, modified, owner, day, single in db.execute(query):
        identity = read_name(path).identity
        values = {fields.identity: identity}
        if fields.owner:
            values[fields.owner] = owner
        if fields.date:
            values[fields.date] = day
        place = catalogue.add_row(
            record_id=made_up_id(identity) if single else file_id(path),
            mod_id=str(modified // 10**9),
            identity=identity,
            owner=owner,
            values=values,
        )
        assert place is not None
        trouble = "" if single else "two_files"
        ref = FileRef(fields.containers[0], RefStatus.FILE, path, size=size, trouble=trouble, how="tree")
        catalogue.add_ref(place, ref)
        if not single:
            catalogue.find(Finding("two_files", identity=identity, path=path, detail="another file has this identity"))
    _unused(catalogue, "it does not lie in a tree owner/date/identity.ext")


def made_up_id(identity: str) -> str:
    """A record id for a record that tells none: by its identity."""
    text = f"id={key_of(identity)}"
    return text if len(text) <= 64 else f"id={hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:40]}"


def file_id(path: str) -> str:
    """A record id for a file whose identity is not its own."""
    return f"file={hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()[:40]}"


# Rows and files.


def join_metadata(
    catalogue: Catalogue, fields: Fields, metadata: MetadataFile, root: Path | None, match: Match = ""
) -> None:
    """Enter the rows of a metadata file and give each its file. Raises `UsageError`, `SourceError`."""
    columns = match_columns(metadata.columns, fields.wanted)
    if fields.identity not in columns:
        raise UsageError(
            f"{metadata.path.name} has no column {fields.identity!r}; it has {', '.join(map(repr, metadata.columns))}",
            remedy="Export that field too, or name the columns with --columns.",
        )
    special = {
        role: next((column for column in metadata.columns if column == exact or plain(column) in names), "")
        for role, exact, names in (
            ("rid", RECORD_ID, {"recid", "recordid", "record_id"}),
            ("mod", MOD_ID, {"modid", "modificationid", "modification_id"}),
            ("md5", MD5, {"md5"}),
            ("path", PATH, set()),
        )
    }
    special["md5"] = columns.get(fields.md5, "") or special["md5"]
    if match in ("record", "md5") and not special["rid" if match == "record" else "md5"]:
        raise UsageError(f"--match {match}: {metadata.path.name} has no column for that")
    _enter_rows(catalogue, fields, metadata, columns, special)
    paths = _paths_given(catalogue, special["path"]) if match in ("", "path") else iter(())
    _pair(catalogue, fields, match, paths)
    _settle_pairs(catalogue, fields)
    if match in ("", "md5") and special["md5"]:
        _pair_by_md5(catalogue, fields, root)
    _close(catalogue, fields, columns.keys())


def _enter_rows(
    catalogue: Catalogue,
    fields: Fields,
    metadata: MetadataFile,
    columns: Mapping[str, str],
    special: Mapping[str, str],
) -> None:
    for row in metadata:
        values = {name: text_of(row.values.get(column, "")) for name, column in columns.items()}
        taken = {*columns.values(), *special.values()}
        values |= {column: text_of(value) for column, value in row.values.items() if column not in taken}
        identity = values[fields.identity].strip()
        rid = text_of(row.values.get(special["rid"], "")).strip()
        known = {role: text_of(row.values.get(special[role], "")).strip() for role in ("mod", "md5", "path")}
        if special["path"]:
            values[PATH] = known["path"]
        entry: dict[str, Any] = {
            "mod_id": known["mod"] or "0",
            "identity": identity,
            "owner": values.get(fields.owner, ""),
            "values": values,
            "rid": rid,
            "md5": known["md5"],
        }
        record_id = rid if rid.isdigit() and len(rid) < 30 else made_up_id(identity)
        place = catalogue.add_row(record_id=record_id if identity or rid else f"row={row.line}", **entry)
        if place is None:
            catalogue.add_row(record_id=f"row={row.line}", **entry)
            catalogue.find(Finding("duplicate_id", record_id, identity, detail=f"row {row.line} has it once more"))
    double = "SELECT identity, count(*) FROM rows WHERE identity != '' GROUP BY identity_key HAVING count(*) > 1"
    for identity, count in catalogue.db.execute(double).fetchall():
        catalogue.find(Finding("duplicate_identity", identity=identity, detail=f"{count} rows have it"))


def text_of(value: Value) -> str:
    """A value as one text; repetitions stand in lines."""
    return value if isinstance(value, str) else "\n".join(value)


def _paths_given(catalogue: Catalogue, column: str) -> Iterator[tuple[int, str]]:
    if column:
        yield from ((place, values[PATH]) for place, values in catalogue.values() if values.get(PATH))


def _pair(catalogue: Catalogue, fields: Fields, match: Match, paths: Iterator[tuple[int, str]]) -> None:
    """Who may belong to whom, by everything that the names say."""
    db, first = catalogue.db, fields.containers[0]
    insert = "INSERT OR IGNORE INTO pairs SELECT path, place, {field}, {how} FROM files JOIN rows ON {on}"
    db.executemany(
        "INSERT OR IGNORE INTO pairs SELECT path, ?, ?, 'path' FROM files WHERE path = ?",
        ((place, first, path) for place, path in paths),
    )
    if match in ("", "record"):
        names = list(enumerate(fields.containers, 1))
        case = " ".join(f"WHEN {number} THEN ?" for number, _ in names)
        db.execute(
            insert.format(
                field=f"CASE number {case} ELSE ? END",
                how="'record'",
                on="files.rid = rows.rid WHERE files.rid != '' AND rows.rid != ''",
            ),
            (*(name for _, name in names), first),
        )
    if match in ("", "id"):
        db.execute(
            insert.format(
                field="?",
                how="'id'",
                on="files.stem = rows.identity_key WHERE files.stem != '' AND rows.identity_key != ''",
            ),
            (first,),
        )


def _settle_pairs(catalogue: Catalogue, fields: Fields) -> None:
    """Keep the pairs that are the only ones for their file and their record; the others are findings."""
    db = catalogue.db
    torn = db.execute("SELECT path FROM pairs GROUP BY path HAVING count(*) > 1").fetchall()
    for (path,) in torn:
        fitting = db.execute(
            "SELECT place, record_id, how FROM pairs JOIN rows USING (place) WHERE path = ? ORDER BY place", (path,)
        ).fetchall()
        detail = " and ".join(f"record {record_id} by {how}" for _, record_id, how in fitting[:5])
        catalogue.find(
            Finding("ambiguous_file", path=path, detail=f"fits {detail}; say which with --match record or --match id")
        )
        for place, _, how in fitting:
            _ref(catalogue, place, fields.containers[0], path, how, "ambiguous_file")
        db.execute("DELETE FROM pairs WHERE path = ?", (path,))
    for place, field, count in db.execute(
        "SELECT place, field, count(*) FROM pairs GROUP BY place, field HAVING count(*) > 1"
    ).fetchall():
        rows = db.execute("SELECT path, how FROM pairs WHERE place = ? AND field = ?", (place, field)).fetchall()
        for path, how in rows:
            _ref(catalogue, place, field, path, how, "two_files")
            _about(catalogue, "two_files", place, field, path, f"{count} files fit this record")
        db.execute("DELETE FROM pairs WHERE place = ? AND field = ?", (place, field))
    db.execute(
        "INSERT OR REPLACE INTO refs SELECT place, field, ?, pairs.path, NULL, files.size, rows.md5, '', '', how "
        "FROM pairs JOIN rows USING (place) LEFT JOIN files ON files.path = pairs.path",
        (RefStatus.FILE.value,),
    )
    db.execute("UPDATE files SET used = used + 1 WHERE path IN (SELECT path FROM pairs)")
    db.execute("DELETE FROM pairs")


def _ref(catalogue: Catalogue, place: int, field: str, path: str, how: str, trouble: str = "") -> None:
    row = catalogue.db.execute("SELECT size FROM files WHERE path = ?", (path,)).fetchone()
    md5 = catalogue.db.execute("SELECT md5 FROM rows WHERE place = ?", (place,)).fetchone()
    size = row[0] if row else None
    catalogue.add_ref(place, FileRef(field, RefStatus.FILE, path, None, size, md5[0], "", trouble, how))


def _about(catalogue: Catalogue, what: str, place: int, field: str, path: str, detail: str) -> None:
    record_id, identity = catalogue.db.execute(
        "SELECT record_id, identity FROM rows WHERE place = ?", (place,)
    ).fetchone()
    catalogue.find(Finding(what, record_id, identity, field, path, detail))


def _pair_by_md5(catalogue: Catalogue, fields: Fields, root: Path | None) -> None:
    """Files that no name gave away, by their bytes. Equal files are as good as each other."""
    db = catalogue.db
    wanted = "SELECT place, md5 FROM rows WHERE md5 != '' AND place NOT IN (SELECT place FROM refs)"
    if not db.execute(f"{wanted} LIMIT 1").fetchone():
        return
    hash_unused(catalogue, root)
    for place, md5 in db.execute(wanted):
        if found := by_md5(catalogue, md5):
            _ref(catalogue, place, fields.containers[0], found, "md5")


def hash_unused(catalogue: Catalogue, root: Path | None) -> None:
    """Read every file that nobody has claimed, for its MD5. Without a `root` only those count that are known."""
    if root is None:
        _ask_for_digests(catalogue)
        return
    for (path,) in catalogue.db.execute("SELECT path FROM files WHERE used = 0 AND md5 = ''"):
        with (root / path).open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        catalogue.db.execute("UPDATE files SET md5 = ? WHERE path = ?", (digest, path))


def _ask_for_digests(catalogue: Catalogue) -> None:
    """MD5s of listed files that nobody has claimed, where their ETag is none that anybody looks for."""
    if catalogue.digests is None:
        return
    query = (
        "SELECT path, size FROM files WHERE used = 0 AND (md5 = '' OR md5 NOT IN "
        "(SELECT lower(md5) FROM rows UNION SELECT lower(md5) FROM refs)) ORDER BY path"
    )
    for path, size in catalogue.db.execute(query).fetchall():
        if digest := catalogue.digests(catalogue, path, size):
            catalogue.db.execute("UPDATE files SET md5 = ? WHERE path = ?", (digest, path))


def by_md5(catalogue: Catalogue, md5: str) -> str:
    """A file with these bytes, one that nobody has claimed first; "" for none."""
    row = catalogue.db.execute(
        "SELECT path FROM files WHERE md5 = ? AND md5 != '' ORDER BY used, path LIMIT 1", (md5.lower(),)
    ).fetchone()
    return str(row[0]) if row else ""


def _close(catalogue: Catalogue, fields: Fields, told: Collection[str]) -> None:
    """Owners that contradict each other, rows without a file, files without a row; what rows lack and trees say."""
    db = catalogue.db
    contradicting = (
        "SELECT place, field, refs.path, rows.owner_key, files.owner_key FROM refs JOIN rows USING (place) "
        "JOIN files ON files.path = refs.path WHERE files.form = 'tree' AND files.owner_key != '' "
        "AND rows.owner_key != '' AND files.owner_key != rows.owner_key AND trouble = ''"
    )
    for place, field, path, mine, theirs in db.execute(contradicting) if fields.owner else ():
        _about(catalogue, "wrong_owner", place, field, path, f"the row names owner {mine}, the folder {theirs}")
        catalogue.add_trouble(place, "wrong_owner")
    if any(name and name not in told for name in (fields.owner, fields.date)):
        _fill_from_tree(catalogue, fields)
    alone = "SELECT place FROM rows WHERE place NOT IN (SELECT place FROM refs)"
    for (place,) in db.execute(alone):
        catalogue.add_ref(place, FileRef(fields.containers[0], RefStatus.FILE, trouble="file_missing"))
        _about(catalogue, "row_without_file", place, fields.containers[0], "", "no file fits it")
    _unused(catalogue, "no row fits it")


def _fill_from_tree(catalogue: Catalogue, fields: Fields) -> None:
    """Owner and day of rows whose metadata has no column for them, from the folders that their files lie in."""
    import json

    query = (
        "SELECT place, vals, files.owner, files.day FROM refs JOIN rows USING (place) "
        "JOIN files ON files.path = refs.path WHERE files.form = 'tree'"
    )
    for place, text, owner, day in catalogue.db.execute(query):
        values = json.loads(text)
        missing = {name: told for name, told in ((fields.owner, owner), (fields.date, day)) if name not in values}
        missing.pop("", None)
        if missing:
            values |= missing
            catalogue.db.execute(
                "UPDATE rows SET vals = ? WHERE place = ?", (json.dumps(values, ensure_ascii=False), place)
            )


def _unused(catalogue: Catalogue, why: str) -> None:
    query = "SELECT path, form FROM files WHERE used = 0 ORDER BY path"
    for path, form in catalogue.db.execute(query):
        detail = "it was exported by our script, but its manifest is not here" if form == "export" else why
        catalogue.find(Finding("file_without_row", path=path, detail=detail))


# Our manifest.


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
    double = "SELECT identity, count(*) FROM rows WHERE identity != '' GROUP BY identity_key HAVING count(*) > 1"
    for identity, count in catalogue.db.execute(double).fetchall():
        catalogue.find(Finding("duplicate_identity", identity=identity, detail=f"{count} records have it"))
    _by_bytes(catalogue, root)
    _shared(catalogue)
    _unused(catalogue, "the manifest does not name it")


def _value(
    catalogue: Catalogue, place: int, field: str, item: ManifestItem | None, files: Finds, *, storage: bool
) -> None:
    """Enter one value; what only its bytes can tell is left for `_by_bytes`."""
    if item is None:
        catalogue.add_ref(place, FileRef(field, RefStatus.FILE, trouble="line_missing"))
        _about(catalogue, "line_missing", place, field, "", "the manifest has no line for this field")
        return
    known: dict[str, Any] = {"name": item.name or None, "md5": item.md5, "sha256": item.sha256}
    if item.verify == "0":
        _about(catalogue, "broken_in_source", place, field, "", "FileMaker's own outside file was changed or is gone")
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
            _about(catalogue, "row_without_file", place, field, item.path, "the manifest names it, the folder lacks it")
        else:
            catalogue.add_ref(place, FileRef(field, RefStatus.FILE, found.path, size=size, how="path", **known))
            _check_folder(catalogue, place, field, item)
    else:
        trouble = _NO_FILE[item.status]
        catalogue.add_ref(place, FileRef(field, RefStatus.FILE, trouble=trouble))
        if trouble != "not_exported":
            _about(catalogue, trouble, place, field, item.path, f"the script could not export it (error {item.error})")


def _check_folder(catalogue: Catalogue, place: int, field: str, item: ManifestItem) -> None:
    """The script files by owner: where the manifest's owner is no longer that folder's, one of them was changed."""
    owner = read_name(item.path).owner
    plainly = item.owner and all(char.isalnum() or char in "-_{}" for char in item.owner) and len(item.owner) <= 60
    if owner and plainly and key_of(owner) != key_of(item.owner):
        _about(catalogue, "wrong_owner", place, field, item.path, f"the manifest names owner {key_of(item.owner)}")
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
                _about(catalogue, "row_without_file", place, field, "", "no file has its path or its MD5")


def _shared(catalogue: Catalogue) -> None:
    """One file that two values name: on this disk one of two twins has overwritten the other."""
    db = catalogue.db
    double = "SELECT path FROM refs WHERE path != '' AND how = 'path' GROUP BY path HAVING count(*) > 1"
    for (path,) in db.execute(double).fetchall():
        for place, field in db.execute("SELECT place, field FROM refs WHERE path = ?", (path,)).fetchall():
            _about(catalogue, "shared_file", place, field, path, "two records name this file")
            db.execute("UPDATE refs SET trouble = 'shared_file' WHERE place = ? AND field = ?", (place, field))
