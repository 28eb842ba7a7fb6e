"""What can be looked at on this side: settings, database, disk, store, decoders."""

from __future__ import annotations

import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from unlade.cargo import Parcel
from unlade.doctor.lines import Line
from unlade.errors import SettingsError
from unlade.report.allowance import origins
from unlade.rigging import Rigging
from unlade.settings import Settings
from unlade.units import format_size

#: Below this much free space nothing should be started.
_LITTLE = 500_000_000

#: A PDF of one empty page; PDFium finds its way without a table of references.
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def look_at_settings(settings: Settings) -> Iterator[Line]:
    """Every setting can be read; those that cannot, one by one."""
    bad = 0
    for resolved in settings.all():
        try:
            settings[resolved.setting.name]
        except SettingsError as error:
            bad += 1
            yield Line("error", "settings", str(error), error.remedy)
    origins = [resolved.origin for resolved in settings.all()]
    given = [origin for origin in dict.fromkeys(origins) if origin != "default"]
    counted = ", ".join(f"{origins.count(origin)} from {origin}" for origin in given) or "all by default"
    if not bad:
        yield Line("ok", "settings", f"{len(origins)} settings can be read; {counted}")


def look_at_database() -> Iterator[Line]:
    """Engine, write-ahead log, migrations."""
    try:
        with connection.cursor() as cursor:
            yield _engine(cursor)
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        first = (str(error).strip().splitlines() or ["no message"])[0]
        yield Line("error", "database", f"cannot be opened: {first}", "Check DATABASE_URL and that the server runs.")
        return
    if waiting:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in waiting[:3])
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        yield Line("error", "database", f"migrations wait: {names}{more}", "python manage.py migrate")
    else:
        yield Line("ok", "database", "all migrations are applied")


def _engine(cursor: Any) -> Line:
    if connection.vendor != "sqlite":
        cursor.execute("SELECT version()")
        return Line("ok", "database", " ".join(str(cursor.fetchone()[0]).split()[:2]))
    cursor.execute("SELECT sqlite_version()")
    version = cursor.fetchone()[0]
    cursor.execute("PRAGMA journal_mode")
    mode = str(cursor.fetchone()[0])
    where = str(connection.settings_dict["NAME"])
    if mode in ("wal", "memory"):
        return Line("ok", "database", f"SQLite {version}, journal {mode}, {where}")
    return Line(
        "warning",
        "database",
        f"SQLite {version}, journal {mode}, {where}: reports block a run that writes",
        "Set the journal mode to WAL (PRAGMA journal_mode=WAL in the database's OPTIONS).",
    )


def look_at_allowance(rig: Rigging) -> Iterator[Line]:
    """What limits the transfer, and whether the ledger or a setting says so."""
    terms = rig.terms()
    limits = rig.limits()
    if not limits:
        yield Line("ok", "allowance", "no limit is set (FileMaker Cloud has one: `filemaker_allowance set`)")
        return
    yield Line("ok", "allowance", "; ".join(origins(terms)))
    for conflict in terms.conflicts():
        yield Line("warning", "allowance", conflict, "Let both say the same, or take one of them back.")


def look_at_disk(rig: Rigging) -> Iterator[Line]:
    """Free space where the spool, the database and a local store lie; folders on one disk are looked at once."""
    spool = Path(rig.settings.need("UNLADE_SPOOL"))
    wanted: int = rig.settings["UNLADE_SPOOL_MAX"]
    places = [("spool", spool)]
    if connection.vendor == "sqlite" and Path(str(connection.settings_dict["NAME"])).is_absolute():
        places.append(("database", Path(str(connection.settings_dict["NAME"])).parent))
    local = local_store(rig.settings.text("UNLADE_STORE"))
    if local is not None:
        places.append(("store", local))
    disks: dict[int, tuple[list[str], Path]] = {}
    for name, folder in places:
        there = existing_folder(folder)
        names, _ = disks.setdefault(there.stat().st_dev, ([], there))
        names.append(name)
    for names, there in disks.values():
        free = shutil.disk_usage(there).free
        what = f"{format_size(free)} free for {' and '.join(names)}"
        if free < _LITTLE:
            yield Line("error", "disk", what, "Make room, or let UNLADE_SPOOL name another disk.")
        elif "spool" in names and free < wanted:
            lower = f"Make room, or lower UNLADE_SPOOL_MAX ({format_size(wanted)})."
            yield Line("warning", "disk", f"{what}: less than the spool may take", lower)
        else:
            yield Line("ok", "disk", what)


def local_store(url: str) -> Path | None:
    """The folder of a store on a disk of this machine; None for any other."""
    parts = urlsplit(url)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None


def existing_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def look_at_store(rig: Rigging) -> Iterator[Line]:
    """The store's own probe: a probe object is written, read, listed and removed under the real prefix."""
    store = rig.store()
    try:
        findings = store.probe().findings
        good = [finding.name for finding in findings if finding.level == "ok"]
        if good:
            yield Line("ok", "store", f"{store.url}: {', '.join(good)}")
        for finding in findings:
            if finding.level != "ok":
                yield Line(finding.level, "store", finding.detail, finding.remedy)
    finally:
        store.close()


def look_at_decoders(rig: Rigging) -> Iterator[Line]:
    """A decoder child starts and makes a thumbnail of a picture and of a PDF."""
    with tempfile.TemporaryDirectory(prefix="unlade-") as folder, rig.decoders() as pool:
        for name, mime, data in (("a.png", "image/png", _png()), ("a.pdf", "application/pdf", _PDF)):
            path = Path(folder) / name
            path.write_bytes(data)
            parcel = Parcel(path, "probe", len(data), sha256(data).hexdigest(), md5(data).hexdigest(), name=name)
            content = pool.inspect(parcel, name=name, box=(16, 16))
            if content.thumbnail is None:
                why = content.thumbnail_error or content.damage or "no reason was given"
                yield Line(
                    "error",
                    "decoders",
                    f"no thumbnail of a {mime} could be made: {why}",
                    "Raise UNLADE_DECODER_MEMORY or UNLADE_DECODER_TIME; see that Pillow and pypdfium2 are installed.",
                )
                return
    memory, time = rig.settings.text("UNLADE_DECODER_MEMORY"), rig.settings.text("UNLADE_DECODER_TIME")
    yield Line("ok", "decoders", f"{pool.size} children, each with {memory} and {time} a file, make thumbnails")


def _png() -> bytes:
    """A grey picture of 32 by 32 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * 32) * 32)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
