"""Files that lie in a store already, joined to what an export says of them: only names and sizes are looked at."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, cast

from unlade.ahead import Ahead
from unlade.desktop.catalogue import Catalogue, Finding
from unlade.desktop.joining import (
    Declares,
    Fields,
    Match,
    file_row,
    join_manifest,
    join_metadata,
    join_tree,
)
from unlade.desktop.read import Found, Kind, ManifestIndex, Order
from unlade.desktop.read.tree import file_kind
from unlade.desktop.source import holds_manifest, metadata_within, open_given
from unlade.errors import UsageError
from unlade.options import RunOptions

_BATCH = 5000
_PAGE = 1000  #: files that are asked for at a time
_PAGES = 5  #: that may wait
_MD5 = re.compile(r"[0-9a-f]{32}")


class ListedFiles:
    """Finds listed files by their path; a Mac's disk, and what was copied from it, spells accents in another form."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def find(self, path: str) -> Found | None:
        """The file of that path, in either Unicode form."""
        for form in dict.fromkeys([path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)]):
            row = self._catalogue.db.execute(
                "SELECT path, size, modified FROM files WHERE path = ?", (form,)
            ).fetchone()
            if row:
                return Found(row[0], Kind.CARGO, row[1], row[2])
        return None


def join_listing(
    importer: Declares,
    listing: Iterable[tuple[str, int, str]],
    options: RunOptions,
    digests: Callable[[Catalogue, str, int], str] | None = None,
) -> tuple[Catalogue, list[str]]:
    """A catalogue of what is listed as (path below the prefix, size, ETag or ""), joined by what the options name:

    a manifest's folder or a folder with a metadata file (`from_path`), a metadata file (`metadata`), or the tree alone.
    `digests` finds the MD5 of a file whose ETag is none. Raises `UsageError`, `SourceError`.
    """
    fields = Fields.of(importer)
    order = cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None)
    catalogue = Catalogue(fields.date)
    catalogue.digests = digests
    try:
        with closing(_Arrivals(catalogue, listing)) as arrivals:
            notes = _join(catalogue, fields, options, arrivals)
        catalogue.settle_dates(order)
    except BaseException:
        catalogue.close()
        raise
    return catalogue, notes


class _Arrivals:
    """The listing on its way into a catalogue: a thread waits for the store, the caller's own enters what has come."""

    def __init__(self, catalogue: Catalogue, listing: Iterable[tuple[str, int, str]]) -> None:
        self._catalogue = catalogue
        self._rows: list[tuple[Any, ...]] = []
        self._etags: list[tuple[str, str]] = []
        self._filling = ExitStack()
        self._filling.enter_context(catalogue.filling())
        files = iter(listing)
        self._pages = Ahead(iter(lambda: list(islice(files, _PAGE)), []), "unlade-list")
        self._pages.begin(_PAGES)

    def take_what_came(self) -> None:
        """Enter what has come meanwhile; waits for nothing. Raises `StoreError`."""
        while self._pages.is_here and self._enter():
            pass

    def take_all(self) -> None:
        """Enter the rest, and say what is odd about names and sizes. Raises `StoreError`."""
        while self._enter():
            pass
        _flush(self._catalogue, self._rows, self._etags)
        self._filling.close()
        _find_odd(self._catalogue)

    def close(self) -> None:
        """Let go of the store."""
        self._pages.close()
        self._filling.close()

    def _enter(self) -> bool:
        """Enter a page; False after the last."""
        page = self._pages.take()
        if page is None:
            return False
        self._pages.begin(_PAGES)
        _enter(self._catalogue, page, self._rows, self._etags)
        return True


def _find_odd(catalogue: Catalogue) -> None:
    twins = "SELECT upper(path) FROM files GROUP BY upper(path) HAVING count(*) > 1"
    for (path,) in catalogue.db.execute(f"SELECT path FROM files WHERE upper(path) IN ({twins})").fetchall():
        catalogue.find(Finding("twins", path=path, detail="differs only by case from another one"))
    for (path,) in catalogue.db.execute("SELECT path FROM files WHERE size = 0").fetchall():
        catalogue.find(Finding("zero_bytes", path=path, detail="0 bytes"))


def _enter(
    catalogue: Catalogue,
    listing: Iterable[tuple[str, int, str]],
    rows: list[tuple[Any, ...]],
    etags: list[tuple[str, str]],
) -> None:
    for path, size, etag in listing:
        if file_kind(path.rpartition("/")[2]) is not Kind.CARGO:
            continue
        known = etag if _MD5.fullmatch(etag) else ""
        rows.append((*file_row(path, size, 0), known))
        if etag and not known:
            etags.append((path, etag))
        if len(rows) >= _BATCH:
            _flush(catalogue, rows, etags)


def _flush(catalogue: Catalogue, rows: list[tuple[Any, ...]], etags: list[tuple[str, str]]) -> None:
    catalogue.db.executemany(
        "INSERT INTO files (path, size, modified, stem, rid, number, owner, owner_key, day, form, md5) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    catalogue.db.executemany("INSERT OR IGNORE INTO etags VALUES (?, ?)", etags)
    rows.clear()
    etags.clear()


def _join(catalogue: Catalogue, fields: Fields, options: RunOptions, arrivals: _Arrivals) -> list[str]:
    given = Path(options.metadata or options.from_path) if options.metadata or options.from_path else None
    if given is None:
        if options.match not in ("", "id"):
            raise UsageError(f"--match {options.match} needs --metadata or --from: names alone tell only identities")
        arrivals.take_all()
        join_tree(catalogue, fields)
        return []
    if not given.exists():
        raise UsageError(f"{given} does not exist")
    if holds_manifest(given):
        arrivals.take_all()
        folder = given if given.is_dir() else given.parent
        with ManifestIndex.build(folder) as index:
            join_manifest(
                catalogue, fields, index, ListedFiles(catalogue), None, storage=options.match == "md5"
            )  # fmt: skip
        return []
    metadata = metadata_within(given, fields, options) if given.is_dir() else open_given(given, fields, options)
    if metadata is None:
        raise UsageError(
            f"{given} holds neither a manifest nor a file with records", remedy="Name the file with --metadata."
        )
    join_metadata(
        *(catalogue, fields, metadata, None, cast(Match, options.match)),
        between=arrivals.take_what_came,
        files_are_in=arrivals.take_all,
    )
    return [f"{metadata.path.name}: {note}." for note in metadata.notes]
