"""Changes that a fault plan makes to the data while somebody reads it: `add`, `delete`, `touch`, `replace` (CONTRACT A5)."""

from __future__ import annotations

import hashlib
import re
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fmsim.dataset import Blob, ContainerValue, Record
from fmsim.tables import Table
from fmsim.values import text_of

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def apply(table: Table, do: Mapping[str, Any], seed: int) -> None:
    """Carries out the data verbs of one rule: delete, touch, replace, add, in this order."""
    for row in table.lowest()[: int(do.get("delete", 0))]:
        table.remove(row)
    for row in _next(table, int(do.get("touch", 0))):
        table.change(row, {})
    for row in _next(table, int(do.get("replace", 0))):
        table.change(row, _other_bytes(row))
    sources = list(table.rows)
    for number in range(int(do.get("add", 0)) if sources else 0):
        source = sources[number % len(sources)]
        copy = table.add(source.values, source.portals)
        copy.values = source.values | _new_identity(table, copy, seed)


def _next(table: Table, count: int) -> list[Record]:
    """The lowest rows that were not touched or replaced before."""
    found = [row for row in table.lowest() if row.record_id not in table.settled][:count]
    table.settled.update(row.record_id for row in found)
    return found


def _new_identity(table: Table, copy: Record, seed: int) -> dict[str, Any]:
    """A new value for the field that identifies rows: the one named `id`, else one whose values are distinct UUIDs."""
    name = next((key for key in copy.values if key.lower() == "id"), None) or next(
        (key for key, value in copy.values.items() if _UUID.fullmatch(text_of(value)) and _distinct(table, key, copy)),
        None,
    )
    if name is None:
        return {}
    old = copy.values[name]
    text = text_of(old) if not isinstance(old, ContainerValue) else ""
    if not text or isinstance(old, ContainerValue):
        return {}
    if _UUID.fullmatch(text):
        fresh = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {table.name} {copy.record_id}"))
        return {name: fresh if text == text.lower() else fresh.upper()}
    if isinstance(old, int):
        return {name: max(row.values.get(name, 0) for row in table.rows if isinstance(row.values.get(name), int)) + 1}
    return {name: f"{text}-{copy.record_id}"}


def _distinct(table: Table, name: str, copy: Record) -> bool:
    values = [text_of(row.values.get(name)) for row in table.rows if row is not copy]
    return len(values) == len(set(values))


def _other_bytes(row: Record) -> dict[str, Any]:
    """Other bytes in every filled container of a row; fields that hold the old file's digest or size follow."""
    changed: dict[str, Any] = {}
    for name, value in row.values.items():
        if isinstance(value, ContainerValue) and value.blob is not None:
            fresh = Altered(value.blob, f"replaced {row.record_id} {row.mod_id}".encode())
            changed[name] = ContainerValue(fresh, value.name, value.content_type)
            changed |= _declared(row, value.blob, fresh)
    return changed


def _declared(row: Record, old: Blob, new: Blob) -> dict[str, Any]:
    before, after = _facts(old), _facts(new)
    found = {}
    for name, value in row.values.items():
        if isinstance(value, ContainerValue) or value in (None, ""):
            continue
        for known, fresh in zip(before, after, strict=True):
            if text_of(value).lower() == known:
                found[name] = (
                    int(fresh) if isinstance(value, int) else fresh.upper() if text_of(value).isupper() else fresh
                )
    return found


def _facts(blob: Blob) -> tuple[str, str, str]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for block in blob.chunks():
        md5.update(block)
        sha256.update(block)
    return str(blob.size), md5.hexdigest(), sha256.hexdigest()


@dataclass(frozen=True, slots=True)
class Altered:
    """Another file with the same picture: a note goes into a JPEG or PNG where it is allowed, else behind the end."""

    inner: Blob
    note: bytes

    def _insert(self) -> tuple[int, bytes]:
        start = b""
        for block in self.inner.chunks():
            start = block[:40]
            break
        if start.startswith(b"\xff\xd8"):
            return 2, b"\xff\xfe" + (len(self.note) + 2).to_bytes(2, "big") + self.note
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            chunk = b"tEXtComment\0" + self.note
            return 33, (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return self.inner.size, b"\n" + self.note + b"\n"

    @property
    def size(self) -> int:
        return self.inner.size + len(self._insert()[1])

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        at, note = self._insert()
        position = 0
        for piece in self._pieces(at, note):
            if position + len(piece) > start:
                yield piece[max(0, start - position) :]
            position += len(piece)

    def _pieces(self, at: int, note: bytes) -> Iterator[bytes]:
        position, inserted = 0, False
        for block in self.inner.chunks():
            if not inserted and at < position + len(block):
                yield block[: at - position] + note + block[at - position :]
                inserted = True
            else:
                yield block
            position += len(block)
        if not inserted:
            yield note
