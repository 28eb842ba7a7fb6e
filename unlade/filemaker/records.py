"""Records of one layout: counting, paging, one record, finds (FILEMAKER.md 2 and 3).

"No record matches" and "past the end" are results; everything else that is no page is an error, never an empty page.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from unlade.cargo import ContainerRef, Count, FieldValue, Page, SourceRecord
from unlade.errors import FieldMissing, ProtocolError, SourceError
from unlade.filemaker.api import Api
from unlade.filemaker.errors import NO_MATCH, RECORD_MISSING, Reply, refusal
from unlade.filemaker.links import classify, looks_like_link
from unlade.filemaker.metadata import Layout, base_name, check_containers, layout_of, product_info

logger = logging.getLogger(__name__)

#: What a record weighs in JSON before one was seen, in bytes.
FIRST_GUESS = 8_000
#: `dateformats` is known from this server generation on (FILEMAKER.md 2.2).
ISO_DATES_SINCE = 20
#: Rows of a portal; without it the host silently stops at 50 (FILEMAKER.md 2.2).
PORTAL_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class _Shape:
    """What must be known before records can be read."""

    layout: Layout
    iso_dates: bool
    containers: frozenset[str]  #: base names of container fields on the layout
    portal_containers: frozenset[str]


class Records:
    """Reads records. Safe to use from any thread.

    `containers` are the declared ones (all of the layout's if empty), `portals` those to bring along, `response_layout`
    a lean layout whose fields are returned instead, `sort` (field, `ascend` | `descend`) pairs.
    """

    def __init__(
        self,
        api: Api,
        layout: str,
        *,
        clock: Callable[[], datetime],
        containers: Sequence[str] = (),
        portals: Sequence[str] = (),
        response_layout: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._api = api
        self._layout = layout
        self._path = f"/layouts/{quote(layout, safe='')}"
        self._clock = clock
        self._declared = tuple(containers)
        self._portals = tuple(portals)
        self._response_layout = response_layout
        self._sort = tuple(sort)
        self._lock = threading.Lock()
        self._shape: _Shape | None = None
        self._heaviest = 0.0  #: bytes per record, the most seen
        self._probed: int | None = None  #: the count where the host does not say it (FileMaker Server 17)

    # What is asked

    def count(self) -> Count:
        """One page of one record; its `dataInfo` holds both counts."""
        what = f"Counting the records of layout {self._layout}"
        reply = self._api.get(self._list(1, 1, lean=True), what, expected=self._expect(1))
        if reply.code in {RECORD_MISSING, NO_MATCH}:
            return Count(0)
        if not reply.ok:
            raise refusal(reply, what)
        rows = _rows(reply, what)
        self._weighed(reply, len(rows))  # so that the first page's reservation is no wild guess
        count = _count(reply)
        if count is not None:
            return count
        self._probed = self._probe_end() if rows else 0
        return Count(self._probed)

    def page(self, offset: int, limit: int) -> Page:
        """Records from `offset` on, at most `limit`; past the end an empty page with a true count."""
        what = f"Reading records {offset} to {offset + limit - 1} of layout {self._layout}"
        shape = self.shape()
        records: list[SourceRecord] = []
        count: Count | None = None
        for _ in range(limit):
            # A host may return less than was asked for: go on until the page is full or the end is reached.
            start, rest = offset + len(records), limit - len(records)
            reply = self._api.get(self._list(start, rest), what, expected=self._expect(rest))
            read_at = self._clock()  # not before: the call may have signed in, and links are not older than that
            rows = self._rows_or_end(reply, start, what)
            count = _count(reply) or count
            records += [self._record(self._with_all_rows(row), shape, read_at, what) for row in rows]
            if not rows or len(records) >= limit or (count is not None and start + len(rows) > count.found):
                break
        if count is None:
            count = self._uncounted(offset, limit, len(records))
        return Page(offset, tuple(records), count)

    def one(self, record_id: str) -> SourceRecord:
        """One record anew. Raises `RecordGone`."""
        what = f"Reading record {record_id} of layout {self._layout}"
        shape = self.shape()
        query = urlencode(self._common(""), quote_via=quote)
        path = f"{self._path}/records/{quote(record_id, safe='')}?{query}"
        reply = self._api.get(path, what, expected=self._expect(1))
        read_at = self._clock()
        if not reply.ok:
            raise refusal(reply, what)
        rows = _rows(reply, what)
        if len(rows) != 1:
            raise ProtocolError(f"{what}: {len(rows)} records came", status=reply.status)
        return self._record(self._with_all_rows(rows[0]), shape, read_at, what)

    def find(self, query: Sequence[Mapping[str, str]], *, offset: int = 1, limit: int = 100) -> Page:
        """Records that fit `query` (FILEMAKER.md 3); none is an empty page with a count of 0."""
        what = f"Searching layout {self._layout}"
        shape = self.shape()
        body: dict[str, Any] = {"query": [dict(part) for part in query], "offset": str(offset), "limit": str(limit)}
        body |= self._common_body()
        reply = self._api.find(f"{self._path}/_find", body, what, expected=self._expect(limit))
        read_at = self._clock()
        if reply.code in {NO_MATCH, RECORD_MISSING}:
            return Page(offset, (), Count(0))
        if not reply.ok:
            raise refusal(reply, what)
        records = tuple(self._record(self._with_all_rows(row), shape, read_at, what) for row in _rows(reply, what))
        return Page(offset, records, _count(reply) or Count(offset - 1 + len(records)))

    def raw_page(self, limit: int) -> list[dict[str, Any]]:
        """The first records as the host sends them, and for the weigh-in alone."""
        what = f"Weighing a page of layout {self._layout}"
        reply = self._api.get(self._list(1, limit), what, expected=self._expect(limit))
        return self._rows_or_end(reply, 1, what)

    # What is known before

    def shape(self) -> _Shape:
        """Fields and dates of the layout; asked once. Raises `LayoutMissing`, `FieldMissing`."""
        with self._lock:
            if self._shape is None:
                self._shape = self._learn()
            return self._shape

    def _learn(self) -> _Shape:
        layout = layout_of(self._api, self._response_layout or self._layout)
        check_containers(layout, self._declared)
        portal_fields = [entry for fields in layout.portals.values() for entry in fields]
        return _Shape(
            layout=layout,
            iso_dates=self._knows_iso_dates(),
            containers=frozenset(entry.name for entry in layout.containers()),
            portal_containers=frozenset(entry.name for entry in portal_fields if entry.is_container),
        )

    def _knows_iso_dates(self) -> bool:
        try:
            return product_info(self._api).major >= ISO_DATES_SINCE
        except SourceError as error:
            logger.info("the host does not tell its version (%s); dates stay in US form", error)
            return False

    # How it is asked

    def _list(self, offset: int, limit: int, *, lean: bool = False) -> str:
        parameters = {"_offset": str(offset), "_limit": str(limit), **self._common("_", lean=lean)}
        if self._sort and not lean:
            parameters["_sort"] = json.dumps([{"fieldName": name, "sortOrder": order} for name, order in self._sort])
        return f"{self._path}/records?{urlencode(parameters, quote_via=quote)}"

    def _common(self, mark: str, *, lean: bool = False) -> dict[str, str]:
        portals = () if lean else self._portals
        parameters = {"portal": json.dumps(list(portals))}
        parameters |= {f"_limit.{name}": str(PORTAL_ROWS) for name in portals}
        if self._response_layout:
            parameters["layout.response"] = self._response_layout
        if self._shape is not None and self._shape.iso_dates:
            parameters["dateformats"] = "2"
        return parameters

    def _common_body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"portal": list(self._portals)}
        body |= {f"limit.{name}": str(PORTAL_ROWS) for name in self._portals}
        if self._sort:
            body["sort"] = [{"fieldName": name, "sortOrder": order} for name, order in self._sort]
        if self._response_layout:
            body["layout.response"] = self._response_layout
        if self._shape is not None and self._shape.iso_dates:
            body["dateformats"] = "2"
        return body

    def _expect(self, limit: int) -> int:
        """Likely size of a page of `limit` records in bytes."""
        return int(limit * (self._heaviest * 1.5 or FIRST_GUESS)) + 500

    def _weighed(self, reply: Reply, rows: int) -> None:
        if rows:
            with self._lock:
                self._heaviest = max(self._heaviest, reply.wire.api / rows)

    # What came

    def _rows_or_end(self, reply: Reply, offset: int, what: str) -> list[dict[str, Any]]:
        if reply.ok:
            rows = _rows(reply, what)
            self._weighed(reply, len(rows))
            count = _count(reply)
            if not rows and count is not None and count.found >= offset:
                raise ProtocolError(f"{what}: no record came, but the host counts {count.found}", status=reply.status)
            return rows
        if reply.code not in {RECORD_MISSING, NO_MATCH}:
            raise refusal(reply, what)
        return []

    def _uncounted(self, offset: int, limit: int, came: int) -> Count:
        """The count for a page without `dataInfo`: the host is old, or the page lies past the end."""
        if came == 0:
            count = self.count()
            if count.found >= offset:
                raise ProtocolError(
                    f"Reading records from {offset} on of layout {self._layout}: none came, but the host counts "
                    f"{count.found}",
                    remedy="If the table is being edited now, run the same command again.",
                )
            return count
        if came < limit:
            self._probed = offset - 1 + came
        if self._probed is None:
            self._probed = self._probe_end()
        return Count(max(self._probed, offset - 1 + came))

    def _probe_end(self) -> int:
        """Find the last record by offsets, for hosts that do not count (FileMaker Server 17 has no dataInfo)."""
        low, high = 1, 2
        while self._exists(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._exists(middle) else (low, middle)
        return low

    def _exists(self, offset: int) -> bool:
        what = f"Counting the records of layout {self._layout}"
        reply = self._api.get(self._list(offset, 1, lean=True), what, expected=self._expect(1))
        return bool(self._rows_or_end(reply, offset, what))

    def _with_all_rows(self, row: dict[str, Any]) -> dict[str, Any]:
        """The record with the rest of every portal that has more rows than one answer brings (FILEMAKER.md 2.2)."""
        record_id, data = row.get("recordId"), row.get("portalData")
        if not self._portals or not isinstance(data, dict) or record_id in (None, ""):
            return row
        told = {_portal_name(info): info for info in row.get("portalDataInfo") or () if isinstance(info, dict)}
        whole = dict(data)
        for name in self._portals:
            rows = data.get(name)
            if not isinstance(rows, list) or not rows:
                continue
            found = _number(told.get(name, {}).get("foundCount"))
            while len(rows) < found if found is not None else len(rows) and len(rows) % PORTAL_ROWS == 0:
                more = self._portal_rows(str(record_id), name, len(rows) + 1)
                if not more:
                    break
                rows = [*rows, *more]
            whole[name] = rows
        return row | {"portalData": whole}

    def _portal_rows(self, record_id: str, name: str, offset: int) -> list[Any]:
        what = f"Reading rows {offset} and on of the portal {name} of record {record_id}"
        parameters = self._common("") | {
            "portal": json.dumps([name]),
            f"_offset.{name}": str(offset),
        }
        path = f"{self._path}/records/{quote(record_id, safe='')}?{urlencode(parameters, quote_via=quote)}"
        reply = self._api.get(path, what, expected=self._expect(1))
        if not reply.ok:
            raise refusal(reply, what)
        rows = _rows(reply, what)
        data = rows[0].get("portalData") if len(rows) == 1 else None
        more = data.get(name) if isinstance(data, dict) else None
        if not isinstance(more, list):
            raise ProtocolError(f"{what}: the answer has no such portal", status=reply.status)
        return more

    def _record(self, row: dict[str, Any], shape: _Shape, read_at: datetime, what: str) -> SourceRecord:
        record_id, data = row.get("recordId"), row.get("fieldData")
        if record_id in (None, "") or not isinstance(data, dict):
            raise ProtocolError(f"{what}: a record without recordId or fieldData came")
        spelt = {base_name(name): name for name in self._declared}
        fields: dict[str, FieldValue] = {}
        containers: dict[str, ContainerRef] = {}
        for key, value in data.items():
            declared = key if key in self._declared else spelt.get(base_name(key))
            if declared is not None:
                containers[declared] = classify(declared, value)
            elif key in shape.containers or base_name(key)[0] in shape.containers:
                containers[key] = classify(key, value)
            else:
                fields[key] = _field_value(value)
        if missing := [name for name in self._declared if name not in containers]:
            raise FieldMissing(
                f"Layout {shape.layout.name} does not show {', '.join(missing)}",
                remedy="Put the field on the layout; for a repetition, let the field show it.",
            )
        return SourceRecord(
            record_id=str(record_id),
            mod_id=str(row.get("modId", "")),
            fields=fields,
            containers=containers,
            read_at=read_at,
            portals=_portals(row.get("portalData"), shape.portal_containers) if self._portals else {},
        )


def _rows(reply: Reply, what: str) -> list[dict[str, Any]]:
    rows = reply.response.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError(f"{what}: the answer has no data", status=reply.status)
    return rows


def _count(reply: Reply) -> Count | None:
    info = reply.response.get("dataInfo")
    if not isinstance(info, dict) or "foundCount" not in info:
        return None
    total = info.get("totalRecordCount")
    try:
        return Count(int(info["foundCount"]), None if total is None else int(total))
    except (TypeError, ValueError):
        return None


def _field_value(value: Any) -> FieldValue:
    """As it was read. JSON's true, false, null and lists do not occur (FILEMAKER.md 2.4); they become text."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(int(value))
    if isinstance(value, str | int | Decimal):
        return value
    return json.dumps(value, default=str)


def _portal_name(info: Mapping[str, Any]) -> str:
    return str(info.get("portalObjectName") or info.get("table") or "")


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _portals(data: Any, containers: frozenset[str]) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Related rows without their containers: a link is as good as a password and belongs into no ledger."""
    if not isinstance(data, dict):
        return {}
    return {
        str(name): tuple(
            {k: v for k, v in row.items() if k not in containers and not looks_like_link(v)}
            for row in rows
            if isinstance(row, dict)
        )
        for name, rows in data.items()
        if isinstance(rows, list)
    }
