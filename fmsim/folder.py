"""A data set as a folder: `dataset.json`, `records/<table>.jsonl`, `files/` (CONTRACT A5). Reader and writer.

Beyond the contract a container may be `{"generated": 1000000000, "seed": 7, "name": ..., "content_type": ...}`: so many bytes
out of a seed, for files that nobody wants to keep; an account may have `hides` ({table: [recordId, ...]}: what it does not see);
`scripts` ([{`name`, `result`, `error`, `folder`}]) may be run; a layout may lie in a `folder`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from fmsim.dataset import Account, ContainerValue, DataSet, Field, FileBlob, GeneratedBlob, Layout, Record, Script

_FIELD_MEMBERS = {"name", "result", "type", "global", "maxRepeat"}


class BadDataSet(ValueError):
    """A data set folder that cannot be served; the message names file and place."""


def read(folder: Path) -> DataSet:
    """Reads a data set folder.

    Raises:
        BadDataSet: something is missing or not understood.
    """
    where = folder / "dataset.json"
    try:
        given = json.loads(where.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as problem:
        raise BadDataSet(f"{where}: {problem.strerror}") from None
    except ValueError as problem:
        raise BadDataSet(f"{where}: not JSON: {problem}") from None
    try:
        data = _data_set(given)
    except (KeyError, TypeError, AttributeError) as problem:
        raise BadDataSet(f"{where}: missing or of another kind: {problem}") from None
    for table in dict.fromkeys(layout.table for layout in data.layouts):
        data.tables[table] = list(_records(folder, table))
    for layout, one in zip(data.layouts, given["layouts"], strict=True):
        _infer_portals(layout, data.tables[layout.table], everything="portals" not in one)
    return data


def _portals(given: Any) -> dict[str, list[Field]]:
    """`{name: [field, ...]}`, or a list of names or of `{"name":, "fields":}`; without fields they follow from the rows."""
    if isinstance(given, list):
        given = {(one if isinstance(one, str) else one["name"]): one for one in given}
    found = {}
    for name, fields in given.items():
        if isinstance(fields, Mapping):
            fields = fields.get("fields", [])
        found[str(name)] = [_field(item) for item in fields] if isinstance(fields, list) else []
    return found


def _infer_portals(layout: Layout, records: list[Record], *, everything: bool) -> None:
    """Fills portals that were named without fields; all that the rows have, where none were named."""
    wanted = {name for name, fields in layout.portals.items() if not fields}
    if not wanted and not everything:
        return
    for record in records:
        for name, rows in record.portals.items():
            if name not in wanted and not (everything and name not in layout.portals):
                continue
            known = {field.name: field for field in layout.portals.get(name, [])}
            for row in rows:
                for key, value in row.items():
                    if key not in known and key not in ("recordId", "modId"):
                        known[key] = Field(key, _result_of(value))
            wanted.add(name)
            layout.portals[name] = list(known.values())


def _result_of(value: Any) -> str:
    if isinstance(value, ContainerValue):
        return "container"
    return "number" if isinstance(value, (int, Decimal)) else "text"


def _data_set(given: Mapping[str, Any]) -> DataSet:
    accounts = [
        Account(
            one["name"], one.get("password", ""), frozenset(one.get("privileges", ["fmrest"])),
            {table: frozenset(map(str, ids)) for table, ids in one.get("hides", {}).items()},
        )
        for one in given["accounts"]
    ]  # fmt: skip
    layouts = [
        Layout(
            one["name"], one.get("table") or one["name"], [_field(item) for item in one["fields"]],
            _portals(one.get("portals") or {}),
            one.get("folder", ""),
        )
        for one in given["layouts"]
    ]  # fmt: skip
    if not accounts or not layouts:
        raise KeyError("accounts and layouts must not be empty")
    data = DataSet(given["database"], accounts, layouts, {})
    product = given.get("product") or {}
    data.product_name = product.get("name", data.product_name)
    data.product_version = str(product.get("version", data.product_version))
    data.scripts = [
        Script(one, None)
        if isinstance(one, str)
        else Script(one["name"], one.get("result"), str(one.get("error", "0")), one.get("folder", ""))
        for one in given.get("scripts", [])
    ]
    return data


def _field(given: Mapping[str, Any]) -> Field:
    more = {key: value for key, value in given.items() if key not in _FIELD_MEMBERS}
    return Field(
        given["name"], given.get("result", "text"), given.get("type", "normal"), bool(given.get("global", False)),
        int(given.get("maxRepeat", 1)), more,
    )  # fmt: skip


def _records(folder: Path, table: str) -> Iterator[Record]:
    path = folder / "records" / f"{table}.jsonl"
    if not path.exists():
        return
    seen: set[str] = set()
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                given = json.loads(line, parse_float=Decimal)
                values = {name: _value(folder, value) for name, value in given["fieldData"].items()}
                portals = {
                    name: [{key: _value(folder, value) for key, value in row.items()} for row in rows]
                    for name, rows in (given.get("portalData") or {}).items()
                }
                record = Record(str(given.get("recordId", number)), str(given.get("modId", "0")), values, portals)
            except (ValueError, KeyError, TypeError, AttributeError) as problem:
                raise BadDataSet(f"{path}, line {number}: {problem!r}") from None
            if record.record_id in seen:
                raise BadDataSet(f"{path}, line {number}: recordId {record.record_id} is there twice")
            seen.add(record.record_id)
            yield record


def _value(folder: Path, given: Any) -> Any:
    if given is None:
        return ""
    if not isinstance(given, dict):
        return given
    if "reference" in given:
        return ContainerValue(reference=str(given["reference"]))
    name = str(given.get("name") or PurePosixPath(str(given.get("file", ""))).name)
    content_type = str(given.get("content_type", "application/octet-stream"))
    if given.get("missing"):
        return ContainerValue(None, name, content_type, missing=True)
    if "generated" in given:
        return ContainerValue(GeneratedBlob(int(given["generated"]), int(given.get("seed", 0))), name, content_type)
    path = folder / given["file"]
    if not path.is_file():
        raise ValueError(f"no such file: {given['file']}")
    return ContainerValue(FileBlob(path), name, content_type)


def write(data: DataSet, folder: Path) -> int:
    """Writes a data set as a folder that `read` understands.

    Args:
        data: the data set.
        folder: made if it is not there; files of the same names are replaced.

    Returns:
        How many files were written below `files/`.
    """
    (folder / "records").mkdir(parents=True, exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    _dump(_described(data), folder / "dataset.json")
    names: dict[int, str] = {}
    count = 0
    for table, records in data.tables.items():
        with (folder / "records" / f"{table}.jsonl").open("w", encoding="utf-8", newline="\n") as out:
            for record in records:
                values = {}
                for name, value in record.values.items():
                    written, fresh = _written(folder, table, record.record_id, name, value, names)
                    values[name], count = written, count + fresh
                portals: dict[str, list[dict[str, Any]]] = {}
                for portal, rows in record.portals.items():
                    portals[portal] = [
                        {
                            k: _written(folder, table, record.record_id, f"{portal}.{i}.{k}", v, names)[0]
                            for k, v in row.items()
                        }
                        for i, row in enumerate(rows)
                    ]
                line = {"recordId": record.record_id, "modId": record.mod_id, "fieldData": values}
                out.write(_json(line | ({"portalData": portals} if portals else {})) + "\n")
    return count


def _described(data: DataSet) -> dict[str, Any]:
    accounts: list[dict[str, Any]] = []
    for account in data.accounts:
        entry: dict[str, Any] = {
            "name": account.name,
            "password": account.password,
            "privileges": sorted(account.privileges),
        }
        if account.hides:
            entry["hides"] = {table: sorted(ids) for table, ids in account.hides.items()}
        accounts.append(entry)
    layouts = [
        {"name": one.name, "table": one.table, "fields": [_field_json(item) for item in one.fields]}
        | {"portals": {name: [_field_json(item) for item in fields] for name, fields in one.portals.items()}}
        | ({"folder": one.folder} if one.folder else {})
        for one in data.layouts
    ]
    described = {
        "database": data.database,
        "accounts": accounts,
        "product": {"name": data.product_name, "version": data.product_version},
    }
    described["layouts"] = layouts
    if data.scripts:
        described["scripts"] = [
            {"name": s.name, "result": s.result, "error": s.error, "folder": s.folder} for s in data.scripts
        ]
    return described


def _field_json(item: Field) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": item.name, "result": item.result}
    if item.type != "normal":
        entry["type"] = item.type
    if item.is_global:
        entry["global"] = True
    if item.max_repeat != 1:
        entry["maxRepeat"] = item.max_repeat
    return entry | item.more


def _written(
    folder: Path, table: str, record_id: str, field: str, value: Any, names: dict[int, str]
) -> tuple[Any, int]:
    """A value as JSON, its file written; the same blob is written once."""
    if not isinstance(value, ContainerValue):
        return value, 0
    if value.reference is not None:
        return {"reference": value.reference}, 0
    if value.missing or value.blob is None:
        return {"missing": True, "name": value.name, "content_type": value.content_type}, 0
    if isinstance(value.blob, GeneratedBlob):
        made = {"generated": value.blob.size, "seed": value.blob.seed}
        return {**made, "name": value.name, "content_type": value.content_type}, 0
    fresh = id(value.blob) not in names
    if fresh:
        suffix = PurePosixPath(value.name).suffix
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{table}-{record_id}-{field}")
        names[id(value.blob)] = f"files/{safe}{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
        with (folder / names[id(value.blob)]).open("wb") as out:
            for block in value.blob.chunks():
                out.write(block)
    return {"file": names[id(value.blob)], "name": value.name, "content_type": value.content_type}, int(fresh)


def _json(value: Any) -> str:
    """JSON with every digit of a Decimal kept."""
    marks: list[str] = []

    def keep(number: object) -> str:
        if not isinstance(number, Decimal):
            raise TypeError(f"not JSON: {number!r}")
        marks.append(format(number, "f"))
        return f"\x00{len(marks) - 1}\x00"

    text = json.dumps(value, ensure_ascii=False, default=keep)
    for index, digits in enumerate(marks):
        text = text.replace(f'"\\u0000{index}\\u0000"', digits)
    return text


def _dump(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
