"""Exports as our script writes them, of any size, and one with a fault of each kind in it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIELD = "image_Full"


def identity(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))).upper()


def words(number: int) -> bytes:
    """The bytes of a file that nobody decodes."""
    return f"file {number}".encode() * 20


def write_export(
    folder: Path,
    count: int,
    changes: dict[int, dict[str, Any]] | None = None,
    body: Callable[[int], bytes] = words,
) -> list[Path]:
    """A manifest of `count` records with their files, as the script writes them; the parts."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = ["image_Full", "image_Ex_large", "image_large", "image_medium", "image_small"]
    roles = {"pk": "id", "owner": "id_Contact", "date": "date", "cat": "Type", "orig": "Name of file"}
    head = {
        "t": "head", "v": 1, "run": "run-1", "session": "S1", "name": "images", "mode": "full", "waterfall": "best",
        "table": "Images", "layout": "API_Images", "total": count, "found": count, "from": 1,
        "fields": [{"n": name, "rep": 1} for name in fields], "roles": roles, "extras": [], "started": "",
    }  # fmt: skip
    lines: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        data = body(number)
        owner = f"P{number % 7}"
        path = f"files/{owner}/2019-04-01/{identity(number)}~{number}-1-1.jpg"
        line: dict[str, Any] = {
            "t": "item", "seq": number, "rid": str(number), "mid": "1", "pk": identity(number), "owner": owner,
            "date": "2019-04-01", "date_raw": "4/1/2019", "cat": "x", "orig": "a.jpg", "field": FIELD, "rep": 1,
            "st": "written", "err": 0, "name": "a.jpg", "size": len(data), "disk": len(data),
            "md5": hashlib.md5(data, usedforsecurity=False).hexdigest().upper(), "path": path,
        }  # fmt: skip
        line |= (changes or {}).get(number, {})
        lines.append(line)
        for name in fields[1:]:
            lines.append({**line, "field": name, "st": "skipped", "path": "", "md5": "", "size": "", "name": ""})
        target = folder / line["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    parts = []
    for number, start in enumerate(range(0, len(lines), 1000), 1):
        portion = lines[start : start + 1000]
        end = {"t": "part_end", "part": number, "lines": len(portion), "bytes": 0}
        text = "".join(json.dumps(entry) + "\n" for entry in [head | {"part": number}, *portion, end])
        if start + 1000 >= len(lines):
            counts = {"written": count, "present": 0, "empty": 0, "skipped": 4 * count, "too_big": 0, "missing": 0}
            last = {"t": "end", "session": "S1", "records": count, **counts, "errors": 0, "bytes": 0}
            text += json.dumps(last | {"found_after": count, "stopped": ""}) + "\n"
        part = folder / f"manifest-{number:05}.jsonl"
        part.write_text(text)
        parts.append(part)
    return parts


@dataclass(frozen=True)
class Tampered:
    """An export in which a few things are wrong: `findings` by kind, each with the record or file that it names."""

    folder: Path
    findings: dict[str, set[str]]
    failed: set[str]  #: record ids whose file must not be taken
    damaged: set[str]


def tampered(folder: Path, count: int, body: Callable[[int], bytes] = words) -> Tampered:
    """A dropped file, a flipped byte, two owners that changed places, twins by case, a manifest that was cut off."""
    dropped, flipped, twin = count // 4, count // 3, count // 2
    one, other = count // 5, count // 5 + 1
    swapped = {one: {"owner": f"P{other % 7}"}, other: {"owner": f"P{one % 7}"}}
    parts = write_export(folder, count, swapped, body)
    files = {path.name.partition("~")[2].partition("-")[0]: path for path in folder.rglob("*.jpg")}
    files[str(dropped)].unlink()
    data = bytearray(files[str(flipped)].read_bytes())
    data[len(data) // 2] ^= 1
    files[str(flipped)].write_bytes(data)
    path = files[str(twin)]
    second = path.with_name(path.name.swapcase())
    second.write_bytes(body(twin) + b"!")
    text = parts[-1].read_bytes()
    parts[-1].write_bytes(text[: len(text) - 900])
    findings = {
        "row_without_file": {str(dropped)},
        "damaged": {str(flipped)},
        "wrong_owner": {str(one), str(other)},
        "twins": {path.name, second.name},
        "file_without_row": {second.name},
        "line_missing": {str(count)},
        "manifest": {""},
    }
    return Tampered(folder, findings, {str(dropped), str(one), str(other)}, {str(flipped)})


def named(findings: list[dict[str, str]]) -> dict[str, set[str]]:
    """What a report names, by kind: record ids, else names of files."""
    found: dict[str, set[str]] = {}
    for entry in findings:
        if entry["what"] != "matched":
            found.setdefault(entry["what"], set()).add(entry["record_id"] or entry["path"].rpartition("/")[2])
    return found
