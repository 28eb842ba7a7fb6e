"""Joins the rows of a metadata file to files: by path, record id, identity or MD5, whichever the row and the names tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from unlade.cargo import RefStatus
from unlade.desktop.catalogue import Catalogue, FileRef, Finding
from unlade.desktop.joining.declared import Fields, Match, text_of
from unlade.desktop.joining.digests import by_md5, hash_unused
from unlade.desktop.joining.entering import enter_ref, find_about, find_doubles, find_unused, made_up_id
from unlade.desktop.read import MD5, MOD_ID, PATH, RECORD_ID, MetadataFile, match_columns
from unlade.desktop.read.model import plain
from unlade.errors import UsageError

_BREATH = 500  #: rows that are entered before somebody else may do something


def join_metadata(
    catalogue: Catalogue,
    fields: Fields,
    metadata: MetadataFile,
    root: Path | None,
    match: Match = "",
    *,
    between: Callable[[], None] = lambda: None,
    files_are_in: Callable[[], None] = lambda: None,
) -> None:
    """Enter the rows of a metadata file and give each its file. Raises `UsageError`, `SourceError`.

    `between` is called after every few hundred rows, `files_are_in` before rows and files are joined.
    """
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
    _enter_rows(catalogue, fields, metadata, columns, special, between)
    files_are_in()
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
    between: Callable[[], None],
) -> None:
    for number, row in enumerate(metadata):
        if number % _BREATH == 0:
            between()
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
    find_doubles(catalogue, "rows")


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
            enter_ref(catalogue, place, fields.containers[0], path, how, "ambiguous_file")
        db.execute("DELETE FROM pairs WHERE path = ?", (path,))
    for place, field, count in db.execute(
        "SELECT place, field, count(*) FROM pairs GROUP BY place, field HAVING count(*) > 1"
    ).fetchall():
        rows = db.execute("SELECT path, how FROM pairs WHERE place = ? AND field = ?", (place, field)).fetchall()
        for path, how in rows:
            enter_ref(catalogue, place, field, path, how, "two_files")
            find_about(catalogue, "two_files", place, field, path, f"{count} files fit this record")
        db.execute("DELETE FROM pairs WHERE place = ? AND field = ?", (place, field))
    db.execute(
        "INSERT OR REPLACE INTO refs SELECT place, field, ?, pairs.path, NULL, files.size, rows.md5, '', '', how "
        "FROM pairs JOIN rows USING (place) LEFT JOIN files ON files.path = pairs.path",
        (RefStatus.FILE.value,),
    )
    db.execute("UPDATE files SET used = used + 1 WHERE path IN (SELECT path FROM pairs)")
    db.execute("DELETE FROM pairs")


def _pair_by_md5(catalogue: Catalogue, fields: Fields, root: Path | None) -> None:
    """Files that no name gave away, by their bytes. Equal files are as good as each other."""
    db = catalogue.db
    wanted = "SELECT place, md5 FROM rows WHERE md5 != '' AND place NOT IN (SELECT place FROM refs)"
    if not db.execute(f"{wanted} LIMIT 1").fetchone():
        return
    hash_unused(catalogue, root)
    for place, md5 in db.execute(wanted):
        if found := by_md5(catalogue, md5):
            enter_ref(catalogue, place, fields.containers[0], found, "md5")


def _close(catalogue: Catalogue, fields: Fields, told: Collection[str]) -> None:
    """Owners that contradict each other, rows without a file, files without a row; what rows lack and trees say."""
    db = catalogue.db
    contradicting = (
        "SELECT place, field, refs.path, rows.owner_key, files.owner_key FROM refs JOIN rows USING (place) "
        "JOIN files ON files.path = refs.path WHERE files.form = 'tree' AND files.owner_key != '' "
        "AND rows.owner_key != '' AND files.owner_key != rows.owner_key AND trouble = ''"
    )
    for place, field, path, mine, theirs in db.execute(contradicting) if fields.owner else ():
        find_about(catalogue, "wrong_owner", place, field, path, f"the row names owner {mine}, the folder {theirs}")
        catalogue.add_trouble(place, "wrong_owner")
    if any(name and name not in told for name in (fields.owner, fields.date)):
        _fill_from_tree(catalogue, fields)
    alone = "SELECT place FROM rows WHERE place NOT IN (SELECT place FROM refs)"
    for (place,) in db.execute(alone):
        catalogue.add_ref(place, FileRef(fields.containers[0], RefStatus.FILE, trouble="file_missing"))
        find_about(catalogue, "row_without_file", place, fields.containers[0], "", "no file fits it")
    find_unused(catalogue, "no row fits it")


def _fill_from_tree(catalogue: Catalogue, fields: Fields) -> None:
    """Owner and day of rows whose metadata has no column for them, from the folders that their files lie in."""
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
