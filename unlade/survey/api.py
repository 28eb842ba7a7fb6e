"""The survey of a host: which layouts show which containers, and how many records fill them. No file is transferred.

A host tells no list of tables: a layout is asked for its fields, and its records' envelope names the table
(FILEMAKER.md 2.3, 5). A record can only be read as a layout shows it, so each table is read through the lightest
layouts that show all its containers, and only at some places unless all are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from unlade.errors import SignInRefused, SourceError
from unlade.filemaker import DataApiSource, LayoutField
from unlade.filemaker.errors import NO_MATCH, RECORD_MISSING, refusal
from unlade.filemaker.records import Records
from unlade.survey.layouts import Shown, values_of
from unlade.survey.sampling import spread
from unlade.survey.values import FieldFound, SurveyFound, TableFound

#: Records of one request, and rows of a portal that are looked at with each.
PAGE, PORTAL_ROWS = 50, 50

#: What an answer costs besides its records, and what the fields of a layout weigh before one was seen; bytes.
ENVELOPE, LAYOUT_GUESS = 900, 15_000

#: Refusals that concern everything, not one layout.
_GRAVE = {None, "802", "1700", "1711"}

Name = tuple[str, str, str]  #: table, the layout where no table is known, field


@dataclass(frozen=True, slots=True)
class Cost:
    """What is about to be asked: requests, and about how many bytes they bring."""

    what: str
    requests: int
    bytes: int


class HostSurvey:
    """Looks at one host over `source`'s session. `agree` is told of every cost before it arises, and may raise.

    `sample` records of each table are looked at, `full` all of them. What was found until an error stands in `found`.
    """

    def __init__(
        self,
        source: DataApiSource,
        *,
        place: str,
        sample: int,
        full: bool,
        clock: Callable[[], datetime],
        agree: Callable[[Cost], None],
        tell: Callable[[str], None],
    ) -> None:
        self._source, self._sample, self._clock, self._agree, self._tell = source, sample, clock, agree, tell
        self.found = SurveyFound("api", place, clock(), full)
        self._shown: list[Shown] = []
        self._fields: dict[Name, FieldFound] = {}
        self._reader: dict[Name, str] = {}  #: the layout that a field is counted through

    def run(self, only: Sequence[str] = ()) -> SurveyFound:
        """Look at all layouts, or at `only` these. Raises what asking a host raises, and what `agree` does."""
        names = list(only) or self._source.layout_names()
        self._agree(Cost(f"the fields of {_many(len(names), 'layout')}", len(names), len(names) * LAYOUT_GUESS))
        self.found.layouts = len(names)
        for number, name in enumerate(names, 1):
            self._tell(f"layout {number:,} of {len(names):,}: {name}")
            self._look_at(name)
        if self._shown:
            self._agree(
                Cost(
                    f"a first record of {_many(len(self._shown), 'layout')}", len(self._shown), len(self._shown) * 4000
                )
            )
        for shown in list(self._shown):
            self._peek(shown)
        self._collect()
        self._choose()
        cost = self.cost_of_reading()
        if cost.requests:
            self._agree(cost)
        self._read()
        self.found.fields.sort(key=lambda one: (one.table, one.field))
        self.found.complete = True
        return self.found

    def cost_of_reading(self) -> Cost:
        """What reading the records costs that are still to be looked at."""
        requests = sum(len(shown.pages) for shown in self._shown)
        records = sum(limit for shown in self._shown for _, limit in shown.pages)
        weight = sum(limit * shown.weight + ENVELOPE for shown in self._shown for _, limit in shown.pages)
        return Cost(f"{records:,} records", requests, weight)

    # What layouts show

    def _look_at(self, name: str) -> None:
        try:
            layout = self._source.layout_fields(name)
        except SourceError as error:
            self._pass_over(name, error)
            return
        portals = tuple(key for key, fields in layout.portals.items() if any(one.is_container for one in fields))
        if portals or layout.containers():
            self._shown.append(Shown(layout, portals=portals))

    def _pass_over(self, name: str, error: SourceError) -> None:
        """One layout that cannot be looked at hides itself, not the others."""
        if isinstance(error, SignInRefused) or error.code in _GRAVE:
            raise error
        self.found.notes.append(f"layout {name} could not be looked at: {error}")

    def _peek(self, shown: Shown) -> None:
        self._tell(f"layout {shown.name}: its first record")
        try:
            rows = self._ask(shown, 1, 1, first=True)
        except SourceError as error:
            self._pass_over(shown.name, error)
            self._shown.remove(shown)
            return
        for entry in shown.layout.containers():
            if rows and (entry.is_global or entry.type != "normal"):
                found = self._field(shown, entry, entry.name)
                if not found.looked_at:
                    self._count(found, values_of(rows[0].get("fieldData"), shown.layout.fields, entry))

    def _ask(self, shown: Shown, offset: int, limit: int, *, first: bool = False) -> list[dict[str, Any]]:
        what = f"Looking at records of layout {shown.name}"
        parameters = {"_offset": str(offset), "_limit": str(limit), "portal": json.dumps(list(shown.portals))}
        parameters |= {f"_limit.{name}": str(PORTAL_ROWS) for name in shown.portals}
        path = f"/layouts/{quote(shown.name, safe='')}/records?{urlencode(parameters, quote_via=quote)}"
        expected = round(limit * (shown.weight * 1.5 or 8_000)) + ENVELOPE
        reply = self._source.api.get(path, what, expected=expected)
        if reply.code in {RECORD_MISSING, NO_MATCH}:
            return []
        if not reply.ok:
            raise refusal(reply, what)
        rows = [row for row in reply.response.get("data") or () if isinstance(row, dict)]
        if first:
            self._learn(shown, reply.response.get("dataInfo"), rows)
            shown.weight = reply.wire.api
        return rows

    def _learn(self, shown: Shown, info: Any, rows: list[dict[str, Any]]) -> None:
        """Table and counts from the envelope; a host of generation 17 has none, and is counted by its pages."""
        info = info if isinstance(info, dict) else {}
        shown.table = str(info.get("table") or "")
        try:
            shown.found = int(info["foundCount"])
            shown.total = int(info["totalRecordCount"])
        except (KeyError, TypeError, ValueError):
            if "foundCount" not in info and rows:
                shown.found = Records(self._source.api, shown.name, clock=self._clock).count().found

    # What is one field, and through which layout it is counted

    def _name(self, shown: Shown, spelling: str, portal: str = "") -> Name:
        """`Related::photo` belongs to another table; so does a field of a portal."""
        table, colons, name = spelling.partition("::")
        if colons:
            return table, "", name
        table = portal or shown.table
        return table, "" if table else shown.name, spelling

    def _field(self, shown: Shown, entry: LayoutField, spelling: str, portal: str = "") -> FieldFound:
        key = self._name(shown, spelling, portal)
        if key not in self._fields:
            self._fields[key] = FieldFound(key[0], key[2], entry.type, entry.is_global, entry.max_repeat)
            self.found.fields.append(self._fields[key])
        found = self._fields[key]
        found.repetitions = max(found.repetitions, entry.max_repeat)
        places = found.portals if portal else found.layouts
        if shown.name not in places:
            places.append(shown.name)
        return found

    def _collect(self) -> None:
        tables: dict[str, TableFound] = {}
        for shown in self._shown:
            if shown.table or shown.layout.containers():
                key = shown.table or f"layout {shown.name}"
                table = tables.setdefault(key, TableFound(shown.table or shown.name))
                table.layouts.append(shown.name)
                table.records = max(shown.found, table.records or 0)
                table.total = shown.total if shown.total is not None else table.total
            for entry in shown.layout.containers():
                found = self._field(shown, entry, entry.name)
                if "::" not in entry.name:
                    found.records = max(shown.found, found.records or 0)
            for portal in shown.portals:
                for entry in shown.layout.portals[portal]:
                    if entry.is_container:
                        self._field(shown, entry, entry.name, portal)
        self.found.tables = list(tables.values())
        for table in self.found.tables:
            if table.total is not None and table.records is not None and table.records < table.total:
                self.found.notes.append(
                    f"{table.name}: this account sees {table.records:,} of {table.total:,} records; what it does not "
                    "see was not counted."
                )

    def _choose(self) -> None:
        """The lightest layouts that show all fields, and the places at which they are read."""
        # What is set apart need not be counted: it is where it is shown anyway, and else by one record.
        left = {key for key, found in self._fields.items() if not found.set_apart}
        if self.found.full:
            left |= {key for key, found in self._fields.items() if not found.is_global}
        # A field is counted best among its own table's records, else among related ones.
        for own in (True, False):
            while left:
                gains = [(shown, self._gain(shown, left, own=own)) for shown in self._shown if shown.found]
                gains = [pair for pair in gains if pair[1]]
                if not gains:
                    break
                shown, gain = min(gains, key=lambda pair: _price(*pair))
                shown.pages = self._places(shown)
                self._reader |= dict.fromkeys(gain, shown.name)
                left -= gain
        for shown in self._shown:
            for key in self._through(shown) - self._reader.keys() if shown.pages else ():
                if not self._fields[key].is_global:
                    self._reader[key] = shown.name
        for key in self._reader:  # a first record is counted with the others now
            found = self._fields[key]
            found.looked_at = found.filled = 0
            found.repeated.clear()
            found.where.clear()

    def _places(self, shown: Shown) -> list[tuple[int, int]]:
        return spread(shown.found, shown.found if self.found.full else min(self._sample, shown.found), PAGE)

    def _through(self, shown: Shown) -> set[Name]:
        """Every field that the layout shows, in any way."""
        own = {self._name(shown, entry.name) for entry in shown.layout.containers()}
        rest = {
            self._name(shown, entry.name, portal)
            for portal in shown.portals
            for entry in shown.layout.portals[portal]
            if entry.is_container
        }
        return own | rest

    def _gain(self, shown: Shown, left: set[Name], *, own: bool) -> set[Name]:
        if own:
            names = {self._name(shown, entry.name) for entry in shown.layout.containers() if "::" not in entry.name}
            return left & names
        return left & self._through(shown)

    # What records fill

    def _read(self) -> None:
        whole = sum(limit for shown in self._shown for _, limit in shown.pages)
        done = 0
        for shown in self._shown:
            for offset, limit in shown.pages:
                for row in self._ask(shown, offset, limit):
                    self._take(shown, row)
                done += limit
                self._tell(f"{min(done, whole):,} of {whole:,} records")

    def _take(self, shown: Shown, row: dict[str, Any]) -> None:
        for entry in shown.layout.containers():
            key = self._name(shown, entry.name)
            if self._reader.get(key) == shown.name:
                self._count(self._fields[key], values_of(row.get("fieldData"), shown.layout.fields, entry))
        portals = row.get("portalData")
        for portal in shown.portals:
            fields = shown.layout.portals[portal]
            related = portals.get(portal) if isinstance(portals, dict) else None
            for entry in fields:
                key = self._name(shown, entry.name, portal)
                if entry.is_container and self._reader.get(key) == shown.name:
                    for one in related or ():
                        self._count(self._fields[key], values_of(one, fields, entry))

    @staticmethod
    def _count(found: FieldFound, values: dict[int, str]) -> None:
        found.looked_at += 1
        found.filled += bool(values)
        found.repeated.update(values.keys())
        found.where.update(values.values())


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _price(shown: Shown, gain: set[Name]) -> tuple[float, str]:
    """Bytes for each field that a layout would add; the name settles ties, so that the choice is always the same."""
    return max(1, shown.weight) / len(gain), shown.name
