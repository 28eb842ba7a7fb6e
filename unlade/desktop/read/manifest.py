"""The manifest that our export script writes: JSON Lines in parts, one line for each value of each record.

A part that a crash cut is read up to its last whole line; anything else that is broken is an error with its place.
Source: DESKTOP.md 8.3 to 8.5.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from unlade.desktop.read.model import RowError
from unlade.desktop.read.paths import safe_relative
from unlade.errors import SourceError

PART_NAME = re.compile(r"manifest-(\d{5})\.jsonl", re.ASCII)
LONGEST_LINE = 16 * 1024 * 1024
_CHUNK = 256 * 1024

#: What a line can say of its value. `written` and `present` have a file.
STATUSES = ("written", "present", "empty", "skipped", "too_big", "reference_missing", "error")
WITH_FILE = frozenset({"written", "present"})


@dataclass(frozen=True, slots=True)
class Head:
    """What a part says of the session that wrote it."""

    part: int
    run: str
    session: str
    name: str
    mode: str
    waterfall: str
    table: str
    layout: str
    total: int
    found: int
    start: int  #: number of the record it began with
    fields: tuple[str, ...]  #: containers as declared, `photo(2)` for a repetition
    roles: Mapping[str, str]  #: pk, owner, date, cat, orig -> field name
    extras: tuple[str, ...]
    started: datetime | None


@dataclass(frozen=True, slots=True)
class ManifestItem:
    """One container value of one record. Digests in lower case, "" where unknown; sizes in bytes, None where unknown.

    `date` is ISO or "" when FileMaker does not hold a date there; `date_raw` is what it shows. `size` is FileMaker's
    word, `disk` what the script measured. `verify` is "0" when the source's own outside file was already broken.
    """

    seq: int
    record_id: str
    mod_id: str
    identity: str
    owner: str
    date: str
    date_raw: str
    category: str
    original_name: str
    field: str
    status: str
    error: str
    step: str
    name: str
    size: int | None
    disk: int | None
    md5: str
    sha256: str
    storage: str
    external: str
    verify: str
    width: int | None
    height: int | None
    path: str
    extras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A part is whole."""

    part: int
    lines: int
    bytes: int


@dataclass(frozen=True, slots=True)
class End:
    """A session came to its end, by itself or stopped (`stopped` says why)."""

    session: str
    records: int
    counts: Mapping[str, int]  #: by status
    bytes: int
    found_after: int
    stopped: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The part ends within a line: FileMaker was ended, or the disk was full."""

    line: int


Entry = Head | ManifestItem | PartEnd | End | Cut


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and where it stands: `line` from 1, `offset` and `length` in bytes of the file (-1 in UTF-16)."""

    entry: Entry
    line: int
    offset: int
    length: int
    raw: bytes


def find_parts(folder: Path) -> list[Path]:
    """The parts in a folder, by number."""
    return sorted(path for path in folder.iterdir() if PART_NAME.fullmatch(path.name))


def read_part(path: Path) -> Iterator[Placed]:
    """All entries of one part, in order. Raises `RowError` for a line in the middle that is broken."""
    lines = _lines(path)
    held = next(lines, None)
    while held is not None:
        following = next(lines, None)
        number, offset, raw, ended = held
        if raw.strip():
            try:
                yield Placed(parse_line(raw), number, offset, len(raw), raw)
            except ValueError as error:
                if following is not None or ended:
                    raise RowError(
                        path,
                        number,
                        f"it is no line of a manifest ({error})",
                        remedy="The file was changed after the export; run the script again in the same run.",
                    ) from None
                yield Placed(Cut(number), number, offset, len(raw), raw)
        held = following


def parse_line(raw: bytes) -> Entry:
    """One line. Raises `ValueError` that says what is wrong, without values; `SourceError` for a path that leads out."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(data, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  one error for all that is wrong with a line
    kind = data.get("t")
    if kind == "item":
        return _item(data)
    if kind == "head":
        return _head(data)
    if kind == "part_end":
        return PartEnd(_whole(data, "part"), _whole(data, "lines"), _whole(data, "bytes"))
    if kind == "end":
        return _end(data)
    raise ValueError("its kind is unknown")


def _item(data: Mapping[str, Any]) -> ManifestItem:
    status = _text(data, "st")
    if status not in STATUSES:
        raise ValueError("its status is unknown")
    record_id, field = _text(data, "rid"), _text(data, "field")
    if not record_id or not field:
        raise ValueError("it has no record id or no field")
    repetition = _whole(data, "rep", 1)
    path = _text(data, "path")
    values = data.get("v", [])
    extras = tuple(str(v) for v in values) if isinstance(values, list) else ()
    return ManifestItem(
        seq=_whole(data, "seq", 0),
        record_id=record_id,
        mod_id=_text(data, "mid"),
        identity=_text(data, "pk").strip(),
        owner=_text(data, "owner").strip(),
        date=_text(data, "date"),
        date_raw=_text(data, "date_raw"),
        category=_text(data, "cat"),
        original_name=_text(data, "orig"),
        field=field if repetition == 1 else f"{field}({repetition})",
        status=status,
        error=_text(data, "err"),
        step=_text(data, "step"),
        name=_text(data, "name"),
        size=_size(data, "size"),
        disk=_size(data, "disk"),
        md5=_digest(data, "md5", 32),
        sha256=_digest(data, "sha256", 64),
        storage=_text(data, "stype"),
        external=_text(data, "ext_files"),
        verify=_text(data, "verify"),
        width=_size(data, "w"),
        height=_size(data, "h"),
        path=safe_relative(path) if path else "",
        extras=extras,
    )


def _head(data: Mapping[str, Any]) -> Head:
    if _whole(data, "v") != 1:
        raise ValueError("it was written by a newer script than this program knows")
    fields = data.get("fields")
    roles = data.get("roles")
    if not isinstance(fields, list) or not isinstance(roles, dict):
        raise ValueError("its head is incomplete")  # noqa: TRY004
    names = []
    for entry in fields:
        if not isinstance(entry, dict):
            raise ValueError("its head is incomplete")  # noqa: TRY004
        name, repetition = _text(entry, "n"), _whole(entry, "rep", 1)
        names.append(name if repetition == 1 else f"{name}({repetition})")
    extras = data.get("extras", [])
    return Head(
        part=_whole(data, "part"),
        run=_text(data, "run"),
        session=_text(data, "session"),
        name=_text(data, "name"),
        mode=_text(data, "mode"),
        waterfall=_text(data, "waterfall"),
        table=_text(data, "table"),
        layout=_text(data, "layout"),
        total=_whole(data, "total"),
        found=_whole(data, "found"),
        start=_whole(data, "from", 1),
        fields=tuple(names),
        roles={str(key): str(name) for key, name in roles.items()},
        extras=tuple(str(name) for name in extras) if isinstance(extras, list) else (),
        started=_moment(_text(data, "started")),
    )


def _end(data: Mapping[str, Any]) -> End:
    keys = {"reference_missing": "missing", "error": "errors"}
    counts = {status: _whole(data, keys.get(status, status), 0) for status in STATUSES}
    return End(
        session=_text(data, "session"),
        records=_whole(data, "records"),
        counts=counts,
        bytes=_whole(data, "bytes", 0),
        found_after=_whole(data, "found_after"),
        stopped=_text(data, "stopped"),
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"its entry {key} is no text")  # noqa: TRY004
    return str(value)


def _whole(data: Mapping[str, Any], key: str, default: int | None = None) -> int:
    number = _size(data, key)
    if number is None:
        if default is None or data.get(key) not in (None, ""):
            raise ValueError(f"its entry {key} is no whole number")
        return default
    return number


def _size(data: Mapping[str, Any], key: str) -> int | None:
    """A number that is not negative, as JSON number or as text; None for anything else (`?` is FileMaker's)."""
    value = data.get(key)
    if isinstance(value, str):
        value = value.strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 2**63 and value == int(value) else None


def _digest(data: Mapping[str, Any], key: str, length: int) -> str:
    text = _text(data, key).strip().lower()
    return text if len(text) == length and all(c in "0123456789abcdef" for c in text) else ""


def _moment(milliseconds: str) -> datetime | None:
    """From milliseconds since 1 January 0001 in UTC, as `Get ( CurrentTimeUTCMilliseconds )` gives them."""
    if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) < 16):
        return None
    try:
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        return None


def _lines(path: Path) -> Iterator[tuple[int, int, bytes, bool]]:
    """(number, offset, bytes, ended by a line feed). Saved again by an editor: a mark, CRLF and UTF-16 are read too."""
    with path.open("rb") as file:
        start = file.read(3)
        file.seek(0)
        wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        decoder = codecs.getincrementaldecoder("utf-16")() if wide else None
        rest, number, offset = b"", 1, 0
        if start == codecs.BOM_UTF8:
            file.seek(3)
            offset = 3
        while True:
            chunk = file.read(_CHUNK)
            if decoder is not None:
                data = rest + decoder.decode(chunk, final=not chunk).encode("utf-8", errors="replace")
            else:
                data = rest + chunk
            *lines, rest = data.split(b"\n")
            for line in lines:
                yield number, -1 if wide else offset, line, True
                offset += len(line) + 1
                number += 1
            if len(rest) > LONGEST_LINE:
                raise SourceError(f"{path.name}, row {number}: the line does not end")
            if not chunk:
                break
        if rest:
            yield number, -1 if wide else offset, rest, False
