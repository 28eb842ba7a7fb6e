"""A second, independent reading of database files: the whole tree in memory, nothing streamed, nothing shared.

It is written from FMP12.md alone and imports nothing of the package, so that agreement means something.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any


def x(data: bytes) -> bytes:
    return bytes(a ^ 0x5A for a in data)


def scsu(data: bytes) -> str:
    windows, static = (
        [0x80, 0xC0, 0x400, 0x600, 0x900, 0x3040, 0x30A0, 0xFF00],
        [0, 0x80, 0x100, 0x300, 0x2000, 0x2080, 0x2100, 0x3000],
    )
    special = dict(zip(range(0xF9, 0x100), (0xC0, 0x250, 0x370, 0x530, 0x3040, 0x30A0, 0xFF60), strict=True))
    utf16, window, wide, queue = b"", 0, False, list(data)

    def put(code: int) -> bytes:
        return chr(code).encode("utf-16-be", "surrogatepass")

    while queue:
        a = queue.pop(0)
        if wide and (a < 0xE0 or a > 0xF2):
            utf16 += bytes([a, queue.pop(0)])
            continue
        if wide and a == 0xF0:
            utf16 += bytes([queue.pop(0), queue.pop(0)])
            continue
        if wide:
            # The same commands as in the other mode, at other places.
            a, wide = (a - 0xE0 + 0x10 if a < 0xE8 else a - 0xE8 + 0x18 if a < 0xF0 else 0x0B), False
        if a >= 0x80:
            utf16 += put(windows[window] + a - 0x80)
        elif a >= 0x20 or a in b"\x00\t\n\r":
            utf16 += put(a)
        elif a < 9:
            b = queue.pop(0)
            utf16 += put(static[a - 1] + b if b < 0x80 else windows[a - 1] + b - 0x80)
        elif a == 0x0B:
            b, c = queue.pop(0), queue.pop(0)
            window = b >> 5
            windows[window] = 0x10000 + 0x80 * ((b & 31) * 256 + c)
        elif a == 0x0E:
            utf16 += bytes([queue.pop(0), queue.pop(0)])
        elif a == 0x0F:
            wide = True
        elif a < 0x18:
            window = a - 0x10
        else:
            window, b = a - 0x18, queue.pop(0)
            windows[window] = special[b] if b in special else b * 0x80 + (0xAC00 if b >= 0x68 else 0)
    return utf16.decode("utf-16-be")


def numbers(key: bytes) -> tuple[int, ...]:
    out = []
    while key:
        if key[0] < 0x80:
            size, value = 1, key[0]
        elif key[0] < 0xC0:
            size, value = 2, 0x80 + int.from_bytes(key[:2], "big") - 0x8000
        elif key[0] < 0xE0 and len(key) >= 3:
            size, value = 3, 0x4080 + int.from_bytes(key[:3], "big") - 0xC00000
        else:
            return ()
        if len(key) < size:
            return ()
        out.append(value)
        key = key[size:]
    return tuple(out)


def leaf(page: bytes, tree: dict) -> int:
    """Put a leaf's entries into the tree of dicts; returns the next page."""
    following, level, free = struct.unpack_from(">IHH", page, 8)
    assert level == 0
    data, stack = page[20 : 4096 - free], [tree]
    while data:
        code, data = data[0], data[1:]
        if code == 0x80:
            continue
        if code == 0x40:
            if len(stack) > 1:
                stack.pop()
            continue
        size = {0: 1, 1: 2, 2: 3}.get(code >> 3 & 3)
        if size is None:
            size, data = data[0], data[1:]
        key, data = data[:size], data[size:]
        if code & 0x20:
            stack.append(stack[-1].setdefault(key, {}))
            continue
        kind = code & 7
        if kind == 6:
            length, data = data[0], data[1:]
        elif kind == 7:
            length, data = data[0] * 256 + data[1], data[2:]
        else:
            length = (0, 1, 2, 4, 6, 8)[kind]
        stack[-1][key] = data[:length]
        data = data[length:]
    return following


def joined(node: dict | bytes) -> bytes:
    if isinstance(node, bytes):
        return node
    parts = {numbers(key)[0]: value for key, value in node.items() if key not in (b"\0", b"\xff")}
    data = b"".join(parts[number] for number in sorted(parts))
    assert len(data) == int.from_bytes(node[b"\0"][:4], "big")
    return data


def text_of(node: dict | bytes) -> str:
    text = scsu(x(joined(node)))
    if isinstance(node, dict):
        assert len(text.encode("utf-16-be")) // 2 == int.from_bytes(node[b"\0"][4:8], "big")
    return text


def read(path: Path) -> dict[str, Any]:
    """{table name: {fields, records, globals, objects}} of the whole file."""
    data = path.read_bytes()
    tree: dict = {}
    page = 2
    while page:
        page = leaf(data[page * 4096 : page * 4096 + 4096], tree)
    tables = tree.get(b"\3", {}).get(b"\x10", {}).get(b"\5", {})
    return {
        text_of(node[b"\x10"]): table(tree.get(key, {}))
        for key, node in tables.items()
        if key[0] >= 0x80 and b"\x10" in node
    }


def table(tree: dict) -> dict[str, Any]:
    fields = {}
    for key, node in tree.get(b"\3", {}).get(b"\5", {}).items():
        if numbers(key) and isinstance(node, dict):
            definition = node[b"\2"]
            fields[numbers(key)[0]] = (text_of(node[b"\x10"]), definition[1], definition[0], definition[9] & 1)
    records = {}
    for key, node in tree.get(b"\5", {}).items():
        if numbers(key) and isinstance(node, dict):
            records[numbers(key)[0]] = (values(node, fields), int.from_bytes(node.get(b"\xfc", b"\0\0")[1:], "big"))
    return {
        "fields": fields,
        "records": records,
        "globals": values(tree.get(b"\x08", {}), fields),
        "objects": {key: thing(node) for key, node in tree.get(b"\x1f", {}).get(b"\5", {}).items()},
    }


def values(node: dict, fields: dict) -> dict[tuple[int, int], str]:
    found = {}
    for key, value in node.items():
        parts = numbers(key)
        if parts and len(parts) < 3 and parts[0] in fields:
            found[parts if len(parts) == 2 else (parts[0], 1)] = text_of(value)
    return found


def thing(node: dict) -> dict[str, Any]:
    """Streams of an object, and whether their MD5 is the one that the file keeps."""
    directory = node[b"\2"]
    streams = {}
    for place in range(2, len(directory), 8):
        name, size = directory[place : place + 4], int.from_bytes(directory[place + 4 : place + 8], "big")
        streams[name] = joined(node[name])
        assert len(streams[name]) == size
    digest = hashlib.md5(b"".join(name + data for name, data in streams.items())).digest()
    return {"streams": streams, "ok": digest == node[b"\4"]}
