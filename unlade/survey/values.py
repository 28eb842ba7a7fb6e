"""What a survey finds, as plain values that the ledger can keep. Nothing here is a value of a record."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from unlade.survey.sampling import share_between

#: Places of a value, in words. A host tells only whether there is a link; a file tells where the bytes are.
PLACES = {
    "link": "the host has a link to it",
    "inside": "inside the file",
    "open": "outside, in open storage",
    "secure": "outside, in secure storage",
    "reference": "only a path was stored",
    "unreadable": "neither file nor path",
    "lost": "the file does not hold its object",
}


@dataclass
class FieldFound:
    """One container field of one table. `layouts` show it; `portals` are layouts that show it in a portal only.

    `records` are those that the table has, None where it was met through other records (`looked_at` then counts related
    rows or the records that lead to it). `filled` of `looked_at` records hold something; `repeated` counts values by
    repetition, `where` by place, `types` by type. `bytes`: their size as stored; None where the road does not tell.
    """

    table: str
    field: str
    kind: str = "normal"  #: normal | calculation | summary | unknown
    is_global: bool = False
    repetitions: int = 1
    layouts: list[str] = dataclasses.field(default_factory=list)
    portals: list[str] = dataclasses.field(default_factory=list)
    records: int | None = None
    looked_at: int = 0
    filled: int = 0
    repeated: Counter[int] = dataclasses.field(default_factory=Counter)
    where: Counter[str] = dataclasses.field(default_factory=Counter)
    types: Counter[str] = dataclasses.field(default_factory=Counter)
    bytes: int | None = None

    @property
    def name(self) -> str:
        """`Table::field`, or `layout: field` where no table is known."""
        return f"{self.table}::{self.field}" if self.table else self.field

    @property
    def set_apart(self) -> bool:
        """Whether it only looks like data: the same for all records, or made from another field."""
        return self.is_global or self.kind != "normal"

    @property
    def exact(self) -> bool:
        """Whether every record was looked at."""
        return (self.is_global and self.looked_at > 0) or (self.records is not None and self.looked_at >= self.records)

    @property
    def values(self) -> int:
        """Filled values among the records that were looked at, each repetition for itself."""
        return sum(self.repeated.values())

    def estimate(self) -> tuple[int, int, int] | None:
        """Records that hold something: low, likely, high (95 in 100 samples like this); None while nothing is known."""
        if self.exact:
            return self.filled, self.filled, self.filled
        if not self.looked_at or self.records is None:
            return None
        low, high = share_between(self.filled, self.looked_at)
        likely = round(self.records * self.filled / self.looked_at)
        return max(self.filled, int(low * self.records)), likely, min(self.records, round(high * self.records))

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        guess = self.estimate()
        return {
            "table": self.table or None,
            "field": self.field,
            "kind": self.kind,
            "global": self.is_global,
            "repetitions": self.repetitions,
            "layouts": list(self.layouts),
            "portals": list(self.portals),
            "records": self.records,
            "looked_at": self.looked_at,
            "exact": self.exact,
            "filled": self.filled,
            "estimate": dict(zip(("low", "likely", "high"), guess, strict=True)) if guess else None,
            "values": self.values,
            "by_repetition": {str(number): count for number, count in sorted(self.repeated.items())},
            "bytes": self.bytes,
            "types": dict(self.types.most_common()),
            "where": dict(self.where.most_common()),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FieldFound:
        """What `as_json` wrote."""
        return cls(
            table=data.get("table") or "",
            field=data["field"],
            kind=data["kind"],
            is_global=data["global"],
            repetitions=data["repetitions"],
            layouts=list(data["layouts"]),
            portals=list(data["portals"]),
            records=data["records"],
            looked_at=data["looked_at"],
            filled=data["filled"],
            repeated=Counter({int(number): count for number, count in data["by_repetition"].items()}),
            where=Counter(data["where"]),
            types=Counter(data["types"]),
            bytes=data["bytes"],
        )


@dataclass
class TableFound:
    """A table with containers. `total`: records that it has by the host's word, where this account sees fewer."""

    name: str
    records: int | None = None
    total: int | None = None
    layouts: list[str] = dataclasses.field(default_factory=list)
    fields: list[str] = dataclasses.field(default_factory=list)  #: names of all its fields, where the road tells them

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "table": self.name or None,
            "records": self.records,
            "total_records": self.total,
            "layouts": list(self.layouts),
            "fields": list(self.fields),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableFound:
        """What `as_json` wrote."""
        return cls(
            data.get("table") or "", data["records"], data["total_records"], list(data["layouts"]), list(data["fields"])
        )


@dataclass
class SurveyFound:
    """All that one survey found. `road` is api or file; `place` the host's database, or the files' names.

    `complete` false: it was broken off, and what is here is what came until then. `notes` are sentences for a person.
    """

    road: str
    place: str
    at: datetime
    full: bool = False
    complete: bool = False
    layouts: int = 0
    tables: list[TableFound] = dataclasses.field(default_factory=list)
    fields: list[FieldFound] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    requests: int = 0
    api_bytes: int = 0
    header_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return {
            "road": self.road,
            "place": self.place,
            "surveyed_at": self.at.isoformat(),
            "full": self.full,
            "complete": self.complete,
            "layouts": self.layouts,
            "tables": [table.as_json() for table in self.tables],
            "fields": [one.as_json() for one in self.fields],
            "notes": list(self.notes),
            "requests": self.requests,
            "bytes": {"api": self.api_bytes, "headers": self.header_bytes},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SurveyFound:
        """What `as_json` wrote."""
        return cls(
            road=data["road"],
            place=data["place"],
            at=datetime.fromisoformat(data["surveyed_at"]),
            full=data["full"],
            complete=data["complete"],
            layouts=data["layouts"],
            tables=[TableFound.from_json(table) for table in data["tables"]],
            fields=[FieldFound.from_json(one) for one in data["fields"]],
            notes=list(data["notes"]),
            requests=data["requests"],
            api_bytes=data["bytes"]["api"],
            header_bytes=data["bytes"]["headers"],
        )
