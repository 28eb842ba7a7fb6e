"""Records as JSON: fieldData in the layout's order, portals, links for containers (FILEMAKER.md 2.3, 2.4, 4.1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fmsim.dataset import ContainerValue, Field, Layout, Record
from fmsim.values import format_date, number_json, text_of

PORTAL_LIMIT = 50
Linker = Callable[
    [Record, str, str | None, ContainerValue], str
]  #: row, name in JSON, name in its values, value -> link


@dataclass(slots=True)
class Column:
    """One member of fieldData: a field, or one of its repetitions."""

    json_key: str
    name: str
    lookups: tuple[str, ...]
    result: str

    def key(self, values: Mapping[str, Any]) -> str:
        """The name that the row has this value under."""
        return next((key for key in self.lookups if key in values), self.name)


def columns(fields: Sequence[Field]) -> list[Column]:
    """Fields with more than one repetition come as `name(1)`, `name(2)`, ..."""
    found = []
    for item in fields:
        first, last = int(item.more.get("repetitionStart", 1)), int(item.more.get("repetitionEnd", item.max_repeat))
        numbers = range(first, last + 1) if item.max_repeat > 1 else (0,)
        for number in numbers:
            name = f"{item.name}({number})" if number else item.name
            lookups = (name, item.name) if number in (0, 1) else (name,)
            if not number:
                lookups = (name, f"{name}(1)")
            found.append(Column(json.dumps(name, ensure_ascii=False) + ":", name, lookups, item.result))
    return found


@dataclass(slots=True)
class Wish:
    """What a request wants to see of each record."""

    portals: list[str] | None = None  #: None: all of the layout
    paging: dict[str, tuple[int, int]] = field(default_factory=dict)  #: portal -> offset, limit
    dates: str = "us"
    timestamp_separator: str = "T"


class Renderer:
    """Writes records of one layout.

    Args:
        layout: whose fields are shown.
        database: for portalDataInfo.
        portal_info: whether portalDataInfo is given.
    """

    def __init__(self, layout: Layout, database: str, portal_info: bool) -> None:
        self._layout, self._database, self._portal_info = layout, database, portal_info
        self._columns = columns(layout.fields)
        self._portal_columns = {name: columns(fields) for name, fields in layout.portals.items()}

    def record(self, row: Record, wish: Wish, link: Linker) -> str:
        """One element of `data`, members in the recorded order."""
        parts = [f'{{"fieldData":{{{self._members(self._columns, row, row.values, wish, link)}}},"portalData":{{']
        infos, portals = [], []
        for name, wanted in self._portal_columns.items():
            if wish.portals is not None and name not in wish.portals:
                continue
            rows = row.portals.get(name, [])
            offset, limit = wish.paging.get(name, (1, PORTAL_LIMIT))
            shown = rows[offset - 1 : offset - 1 + limit]
            lines = [self._portal_row(wanted, row, portal_row, wish, link) for portal_row in shown]
            portals.append(f"{json.dumps(name, ensure_ascii=False)}:[{','.join(lines)}]")
            infos.append(
                {"database": self._database, "table": name, "foundCount": len(rows), "returnedCount": len(shown)}
            )
        parts.append(",".join(portals))
        parts.append(f'}},"recordId":"{row.record_id}","modId":"{row.mod_id}"')
        if infos and self._portal_info:
            parts.append(f',"portalDataInfo":{json.dumps(infos, ensure_ascii=False, separators=(",", ":"))}')
        parts.append("}")
        return "".join(parts)

    def _portal_row(
        self, wanted: list[Column], row: Record, values: Mapping[str, Any], wish: Wish, link: Linker
    ) -> str:
        members = self._members(wanted, row, values, wish, link)
        return f'{{"recordId":"{values.get("recordId", "")}",{members + "," if members else ""}"modId":"{values.get("modId", "0")}"}}'

    def _members(self, wanted: list[Column], row: Record, values: Mapping[str, Any], wish: Wish, link: Linker) -> str:
        return ",".join([column.json_key + self._value(column, row, values, wish, link) for column in wanted])

    def _value(self, column: Column, row: Record, values: Mapping[str, Any], wish: Wish, link: Linker) -> str:
        key = column.lookups[0] if column.lookups[0] in values else column.key(values)
        value = values.get(key)
        if value is None or value == "":
            return '""'
        if isinstance(value, ContainerValue):
            if value.reference is not None:
                return json.dumps(value.reference, ensure_ascii=False)
            return json.dumps(link(row, column.name, key if values is row.values else None, value))
        if column.result == "number":
            return number_json(value)
        text = text_of(value)
        if column.result in ("date", "timeStamp") and wish.dates != "us":
            text = format_date(text, column.result, wish.dates, wish.timestamp_separator)
        return json.dumps(text, ensure_ascii=False)


_ORDER: tuple[str, ...] = (
    "name",
    "type",
    "displayType",
    "result",
    "valueList",
    "global",
    "autoEnter",
    "fourDigitYear",
    "maxRepeat",
)
_ORDER += ("maxCharacters", "notEmpty", "numeric", "timeOfDay", "repetitionStart", "repetitionEnd")


def field_meta(item: Field) -> dict[str, Any]:
    """An entry of fieldMetaData, members in the recorded order (FILEMAKER.md 5)."""
    given = {
        "name": item.name, "type": item.type, "displayType": "editText", "result": item.result, "global": item.is_global,
        "autoEnter": False, "fourDigitYear": False, "maxRepeat": item.max_repeat, "maxCharacters": 0, "notEmpty": False,
        "numeric": False, "timeOfDay": False, "repetitionStart": 1, "repetitionEnd": item.max_repeat,
    } | item.more  # fmt: skip
    ordered = {key: given[key] for key in _ORDER if key in given}
    return ordered | {key: value for key, value in given.items() if key not in ordered}
