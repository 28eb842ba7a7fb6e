"""An export folder as a `Source`: our manifest, a plain tree, or files beside a metadata file.

Files are read where they are; nothing in the folder is ever changed or removed. What it holds is settled when it is
opened, from a temporary index, so that pages have a stable order and memory does not grow.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from unlade.cargo import ContainerRef, Count, Page, Parcel, RefStatus, Road, SourceRecord, Wire
from unlade.desktop.catalogue import Catalogue, FileRef, Finding
from unlade.desktop.findings import Report, write_report
from unlade.desktop.joining import Declares, Fields, Match, join_manifest, join_metadata, join_tree, take_files
from unlade.desktop.read import (
    FolderIndex,
    FolderKind,
    Kind,
    ManifestIndex,
    MetadataFile,
    Order,
    inside,
    match_columns,
    open_metadata,
    recognise,
)
from unlade.desktop.read.manifest import PART_NAME
from unlade.errors import Final, RecordGone, ReferenceOnly, SourceError, Transient, UnladeError, Unreadable, UsageError
from unlade.options import RunOptions
from unlade.source import Download

_CHUNK = 1 << 20
_BUFFERS = threading.local()
_METADATA = (".tab", ".tsv", ".csv", ".mer", ".xml", ".xlsx")

#: Why a file of an export cannot be had, as sentences.
TROUBLES = {
    "file_missing": "the folder has no file for it",
    "line_missing": "the manifest has no line for it: the script ended early",
    "export_error": "the script could not export it",
    "too_big": "it is too large for the script's main variant",
    "two_files": "two or more files fit it",
    "ambiguous_file": "its file fits another record too",
    "shared_file": "another record names the same file",
    "wrong_owner": "the record and the folder name different owners",
    "changing": "its file changed while it was read",
    "unreadable_file": "its file cannot be read",
}


class FileTrouble(Transient):
    """The folder does not give this file for certain; nothing else is taken in its place."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, remedy="Mend the export and run again; --report lists every such file.")
        self.reason = reason


class NotExported(Final):
    """The script was told to export the best field only."""

    reason = "not_exported"


@dataclass
class FileDownload:
    """A file of the folder, opened (`unlade.source.Download`)."""

    file: BinaryIO
    name: str | None
    content_length: int | None
    resumed_at: int
    content_type: str | None = None
    wire: Wire = Wire()  # noqa: RUF009 - frozen

    def chunks(self) -> Iterator[bytes]:
        """The rest of the file."""
        while chunk := self.file.read(_CHUNK):
            yield chunk


class FolderSource:
    """Records and files of an export folder (`unlade.source.Source`). `report` is written again at `close`."""

    road = Road.FOLDER

    def __init__(
        self,
        root: Path,
        catalogue: Catalogue,
        *,
        notes: tuple[str, ...] = (),
        report: Path | None = None,
        rate: int | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.root = root
        self.catalogue = catalogue
        self.notes = notes  #: what a person should know before the run
        self._report = report
        self._clock = clock
        self._closed = False
        self.nap: Callable[[float], None] = time.sleep  #: waits so many seconds; may raise `Interrupted`
        self._rate = rate
        self._free_at = 0.0
        self._lock = threading.Lock()
        self._count = Count(catalogue.count(), count_is="files")

    def count(self) -> Count:
        """How many records there are."""
        return self._count

    def page(self, offset: int, limit: int) -> Page:
        """Records by place."""
        return Page(offset, self.catalogue.page(offset, limit, self._clock()), self._count)

    def read(self, record_id: str) -> SourceRecord:
        """One record. Raises `RecordGone` when this folder does not have it."""
        record = self.catalogue.record(record_id, self._clock())
        if record is None:
            raise RecordGone(f"record {record_id} is not in this export")
        return record

    @contextmanager
    def _open(self, record: SourceRecord, ref: ContainerRef, resume_at: int) -> Iterator[Download]:
        path, known = self._path(record, ref)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = resume_at if resume_at <= size else 0
                file.seek(start)
                download = FileDownload(cast(BinaryIO, file), known.name or path.name, size, start)
                yield cast(Download, download)
        except OSError as error:
            raise self._trouble(record, ref, "unreadable_file", error.strerror or "") from error

    def download(
        self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0
    ) -> AbstractContextManager[Download]:
        """Open a file."""
        return self._open(record, ref, resume_at)

    def borrow(self, record: SourceRecord, ref: ContainerRef, *, hold: int = 0) -> tuple[Parcel, str | None]:
        """See `unlade.source.LocalFiles`: the file where it is, digested, and what is wrong with it by its record."""
        path, known = self._path(record, ref)
        with_md5 = bool(known.md5) and not known.sha256
        held = None
        try:
            if self._rate is not None:
                self._wait(path.stat().st_size / self._rate)
            with path.open("rb", buffering=0) as file:
                before = os.fstat(file.fileno())
                if 0 < before.st_size <= min(hold, _CHUNK):
                    held = _whole(file, before.st_size)
                    sha256, md5, size = _digest_of(held, with_md5=with_md5)
                else:
                    sha256, md5, size = _digest(file, with_md5=with_md5)
                after = os.fstat(file.fileno())
        except OSError as error:
            raise self._trouble(record, ref, "unreadable_file", error.strerror or "") from error
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
            raise self._trouble(record, ref, "changing")
        name = known.name or path.name
        parcel = Parcel(path, ref.field, size, sha256, md5, name=name, borrowed_at=after.st_mtime_ns, held=held)
        return parcel, self._compare(record, ref, known, parcel)

    def _wait(self, seconds: float) -> None:
        """Take the next place in the line, which `seconds` long nobody else has."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + seconds
        if start > now:
            self.nap(start - now)

    def close(self) -> None:
        """Write the report with what the run found out; let go of the index."""
        if self._closed:
            return
        self._closed = True
        with suppress(UnladeError):  # it could be written when the run began; its end is no place to fail
            self.write_report()
        self.catalogue.close()

    def write_report(self) -> Report | None:
        """Write `--report`. Raises `UsageError` when that cannot be done."""
        return write_report(self.catalogue, self._report) if self._report is not None else None

    def _compare(self, record: SourceRecord, ref: ContainerRef, known: FileRef, parcel: Parcel) -> str | None:
        """What FileMaker said of the file against what lies there. Either digest proves it."""
        pairs = [(known.sha256, parcel.sha256), (known.md5, parcel.md5)]
        told = [(said, is_) for said, is_ in pairs if said]
        if any(said == is_ for said, is_ in told):
            return None
        if known.size is not None and known.size != parcel.size:
            wrong, detail = "truncated", f"{parcel.size} bytes where FileMaker had {known.size}"
        elif told:
            wrong = detail = "its digest is not the one that FileMaker told"
        else:
            return None
        self.catalogue.find(Finding("damaged", record.record_id, "", ref.field, known.path, detail))
        return wrong

    def _path(self, record: SourceRecord, ref: ContainerRef) -> tuple[Path, FileRef]:
        known = self.catalogue.ref(record.record_id, ref.field)
        who = f"record {record.record_id}, {ref.field}"
        if known is None or known.status is RefStatus.EMPTY:
            raise Unreadable(f"{who}: it holds no file")
        if known.status is RefStatus.REFERENCE:
            raise ReferenceOnly(f"{who}: FileMaker keeps only a path, and the file was not there")
        if known.trouble == "not_exported":
            raise NotExported(f"{who}: it was not exported")
        if known.trouble:
            raise self._trouble(record, ref, known.trouble)
        return inside(self.root, known.path), known

    def _trouble(self, record: SourceRecord, ref: ContainerRef, reason: str, detail: str = "") -> FileTrouble:
        more = f" ({detail})" if detail else ""
        return FileTrouble(f"record {record.record_id}, {ref.field}: {TROUBLES[reason]}{more}", reason)


def _digest(file: BinaryIO | object, *, with_md5: bool) -> tuple[str, str, int]:
    """sha256, md5 ("" when nobody has one to compare it with) and bytes."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    if not hasattr(_BUFFERS, "view"):  # a fresh megabyte for each file costs as much as its digest
        _BUFFERS.view = memoryview(bytearray(_CHUNK))
    buffer: memoryview = _BUFFERS.view
    while count := file.readinto(buffer):  # type: ignore[union-attr]
        sha256.update(buffer[:count])
        if with_md5:
            md5.update(buffer[:count])
        size += count
    return sha256.hexdigest(), md5.hexdigest() if with_md5 else "", size


def _whole(file: FileIO, size: int) -> bytes:
    """All bytes of a file of `size`, and one more if there is one; disks behind a network may give fewer at a time."""
    data = file.read(size + 1)
    while len(data) < size and (more := file.read(size + 1 - len(data))):
        data += more
    return data


def _digest_of(data: bytes, *, with_md5: bool) -> tuple[str, str, int]:
    """The same of bytes in memory."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest() if with_md5 else ""
    return hashlib.sha256(data).hexdigest(), md5, len(data)


# Opening.


def open_folder(path: Path, importer: Declares, options: RunOptions) -> FolderSource:
    """The export at `path`, whatever kind it is, joined and settled.

    Raises `UsageError` for what cannot be read as one or needs an option, `SourceError` for what is broken.
    """
    fields = Fields.of(importer)
    order = cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None)
    found = recognise(path)
    if found.kind in (FolderKind.SECURE, FolderKind.DATABASE):
        remedy = "" if found.kind is FolderKind.SECURE else "Give the folder that FileMaker exported into."
        raise UsageError(f"{path}: {found.advice}", remedy=remedy)
    catalogue = Catalogue(fields.date)
    try:
        with FolderIndex.build(found.root) as files:
            notes = [found.advice] if found.advice else []
            notes += _fill(catalogue, fields, files, found.kind, options)
            litter = files.counts().get(Kind.LITTER, 0)
        catalogue.settle_dates(order)
        if litter:
            notes.append(f"{litter} files of the system's own (.DS_Store and the like) were left out.")
        notes += _notes(catalogue)
        source = FolderSource(
            found.root,
            catalogue,
            notes=tuple(notes),
            report=Path(options.report) if options.report else None,
            rate=options.max_rate,
        )
        source.write_report()
    except BaseException:
        catalogue.close()
        raise
    return source


def _fill(catalogue: Catalogue, fields: Fields, files: FolderIndex, kind: FolderKind, options: RunOptions) -> list[str]:
    root = files.root
    given = Path(options.metadata) if options.metadata else None
    manifest = given if given is not None and holds_manifest(given) else None
    if kind is FolderKind.EXPORT and given is None:
        manifest = root
    if manifest is not None:
        take_files(catalogue, files)
        with ManifestIndex.build(manifest if manifest.is_dir() else manifest.parent) as index:
            join_manifest(catalogue, fields, index, files, root, storage=kind is FolderKind.STORAGE)
        return []
    metadata = open_given(given, fields, options) if given else metadata_within(files.root, fields, options)
    if metadata is not None:
        inside_root = metadata.path.resolve().is_relative_to(root.resolve())
        mine = {metadata.path.resolve().relative_to(root.resolve()).as_posix()} if inside_root else set()
        take_files(catalogue, files, leave_out=mine)
        join_metadata(catalogue, fields, metadata, root, cast(Match, options.match))
        return [f"{metadata.path.name}: {note}." for note in metadata.notes]
    if kind is FolderKind.STORAGE:
        raise UsageError(
            f"{root} is a server's container storage: its files do not say whose they are.",
            remedy="Run the export script with the mode manifest_only, and give its folder with --metadata.",
        )
    take_files(catalogue, files)
    join_tree(catalogue, fields)
    return []


def holds_manifest(path: Path) -> bool:
    """Whether a folder holds our manifest, or a file is one of its parts."""
    if path.is_dir():
        return any(PART_NAME.fullmatch(entry.name) for entry in path.iterdir())
    return PART_NAME.fullmatch(path.name) is not None


def open_given(path: Path, fields: Fields, options: RunOptions) -> MetadataFile:
    """Open a metadata file with all that the options say of it. Raises `UsageError`, `SourceError`."""
    return open_metadata(
        path,
        columns=options.columns or None,
        declared=fields.wanted,
        date_order=cast("Order | None", options.date_order if options.date_order in ("mdy", "dmy") else None),
        encoding=options.encoding or None,
    )


def metadata_within(root: Path, fields: Fields, options: RunOptions) -> MetadataFile | None:
    """The one metadata file that lies beside the files; None without one. Raises `UsageError` for several."""
    found = []
    for entry in sorted(root.iterdir()):
        if entry.suffix.lower() in _METADATA and entry.is_file():
            try:
                opened = open_given(entry, fields, options)
            except (SourceError, UsageError):
                continue
            if fields.identity in match_columns(opened.columns, [fields.identity]):
                found.append(opened)
    if len(found) > 1:
        names = ", ".join(opened.path.name for opened in found)
        raise UsageError(f"{root} holds several files with records: {names}", remedy="Name one with --metadata.")
    return found[0] if found else None


def _notes(catalogue: Catalogue) -> list[str]:
    words = [f"{count} {what.replace('_', ' ')}" for what, count in catalogue.found().items()]
    return [f"What does not fit: {', '.join(words)}. --report FILE lists it all."] if words else []


__all__ = ["TROUBLES", "FileTrouble", "FolderSource", "NotExported", "open_folder"]
