"""The Data API's calls: metadata, listings, finds, single records and scripts. Edits are in edits.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fmsim import edits, metadata, query
from fmsim.answer import Reply, envelope, to_json
from fmsim.calls import Call
from fmsim.dataset import ContainerValue, Field, Layout, Record
from fmsim.errors import HostError
from fmsim.find import Test, criterion
from fmsim.render import Renderer
from fmsim.sessions import Session
from fmsim.tables import Table
from fmsim.values import sort_key
from fmsim.wire import Request

if TYPE_CHECKING:
    from fmsim.host import Host


class Api:
    """Answers Data API requests of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._renderers: dict[str, Renderer] = {}
        self._today = host.clock.utc

    def answer(self, call: Call, request: Request, session: Session | None, *, stale: bool) -> Reply:
        """The reply to one call.

        Args:
            call: what is asked.
            request: with its parameters and body.
            session: the caller's, where the call needs one.
            stale: links in this reply are dead already (a fault).

        Raises:
            HostError: with FileMaker's code.
        """
        match call.action:
            case "product_info":
                return metadata.product_info(self.host)
            case "databases":
                return metadata.databases(self.host)
            case "validate":
                return Reply(body=envelope({"isSessionInUse": False}))
            case "layouts":
                return metadata.layouts(self.host)
            case "scripts":
                return metadata.scripts(self.host)
        assert session is not None
        if call.action == "set_globals":
            return Reply(body=envelope({}))
        layout = self.layout(call.layout)
        match call.action:
            case "layout":
                return metadata.layout(layout)
            case "records":
                return self._records(layout, request, session, stale)
            case "record":
                return self._record(layout, call, request, session, stale)
            case "find":
                return self._find(layout, request, session, stale)
            case "run_script":
                parameter = request.params.get("script.param", "")
                return Reply(body=envelope(self.scripts([("", call.name, parameter)])))
        return edits.answer(self, layout, call, request, session)

    # what everyone needs

    def layout(self, name: str) -> Layout:
        layout = self.host.tables.layouts.get(name)
        if layout is None:
            raise HostError(105)
        return layout

    def row(self, layout: Layout, record_id: str | None, session: Session) -> Record:
        table = self.host.tables.of(layout)
        row = table.get(record_id or "")
        if row is None:
            raise HostError(101, status=self.host.switches.record_missing_status)
        if row.record_id in self.host.tables.hidden(table, session.account):
            code = self.host.switches.hidden_answer
            raise HostError(code, status=self.host.switches.record_missing_status if code == 101 else None)
        return row

    def scripts(self, wanted: Iterable[tuple[str, str, str]]) -> dict[str, str]:
        """Result members of the scripts that a request names (FILEMAKER.md 2.5).

        Raises:
            HostError: 104.
        """
        members = {}
        known = {script.name: script for script in self.host.data.scripts}
        for step, name, parameter in wanted:
            script = known.get(name)
            if script is None:
                raise HostError(104)
            members[f"scriptResult{step}"] = parameter if script.result is None else script.result
            members[f"scriptError{step}"] = script.error
        return members

    # records

    def _records(self, layout: Layout, request: Request, session: Session, stale: bool) -> Reply:
        wanted = query.read(request.params, "_", self.host.switches.bad_parameter_code)
        table = self.host.tables.of(layout)
        rows = self._sorted(layout, self.host.tables.visible(table, session.account), wanted)
        if wanted.offset > max(len(rows), 1) or not rows:
            outcome = self.host.switches.past_end if rows else self.host.switches.empty_table
            if outcome != "empty":
                code = int(outcome)
                raise HostError(code, status=self.host.switches.record_missing_status if code == 101 else None)
        return self._page(layout, table, rows, wanted, session, stale)

    def _record(self, layout: Layout, call: Call, request: Request, session: Session, stale: bool) -> Reply:
        wanted = query.read(request.params, "_", self.host.switches.bad_parameter_code)
        row = self.row(layout, call.record_id, session)
        wanted.offset = 1
        return self._page(layout, self.host.tables.of(layout), [row], wanted, session, stale)

    def _find(self, layout: Layout, request: Request, session: Session, stale: bool) -> Reply:
        body = self.body(request)
        if _has_null(body):
            raise HostError(960)
        wanted = query.read(body, "", self.host.switches.bad_parameter_code)
        requests = body.get("query")
        if isinstance(requests, dict):
            requests = [requests]
        if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
            raise HostError(960)
        table = self.host.tables.of(layout)
        rows = self._sorted(
            layout, self._found(layout, requests, self.host.tables.visible(table, session.account)), wanted
        )
        if wanted.offset > len(rows):
            raise HostError(401)
        return self._page(layout, table, rows, wanted, session, stale)

    def _found(self, layout: Layout, requests: list[dict[str, Any]], rows: list[Record]) -> list[Record]:
        """Requests in order: each adds to the found set, `omit` takes away."""
        chosen: set[str] = set()
        any_criteria = False
        for number, one in enumerate(requests):
            omit = str(one.get("omit", "false")).lower() == "true"
            tests = self._tests(layout, {key: value for key, value in one.items() if key != "omit"}, rows)
            if not tests:
                continue
            any_criteria = True
            fitting = {row.record_id for row in rows if all(test(row.values.get(name)) for name, test in tests)}
            if omit and number == 0:
                chosen = {row.record_id for row in rows}
            chosen = chosen - fitting if omit else chosen | fitting
        if not any_criteria:
            raise HostError(self.host.switches.empty_find_code)
        return [row for row in rows if row.record_id in chosen]

    def _tests(self, layout: Layout, criteria: dict[str, Any], rows: list[Record]) -> list[tuple[str, Test]]:
        tests = []
        today = self._today().date()
        for name, text in criteria.items():
            field = _field(layout, name)
            if isinstance(text, (dict, list, bool)):
                raise HostError(960)
            if str(text).strip():
                values = (row.values.get(name) for row in rows)
                tests.append((name, criterion(str(text), field.result, everything=values, today=today)))
        return tests

    def _sorted(self, layout: Layout, rows: list[Record], wanted: query.Query) -> list[Record]:
        for name, descending in reversed(wanted.sort):
            result = _field(layout, name).result
            rows = sorted(rows, key=_sorter(name, result), reverse=descending)
        return rows

    def _page(
        self, layout: Layout, table: Table, rows: list[Record], wanted: query.Query, session: Session, stale: bool
    ) -> Reply:
        shown_on = self.layout(wanted.response_layout) if wanted.response_layout else layout
        self._choose_dates(wanted)
        outcome = self.scripts(wanted.scripts)
        link = self._linker(session, table, stale)
        renderer = self._renderer(shown_on)
        page = rows[wanted.offset - 1 : wanted.offset - 1 + wanted.limit]
        lines = ",".join([renderer.record(row, wanted.wish, link) for row in page])
        parts = [b'{"response":{']
        if outcome:
            parts.append(to_json(outcome)[1:-1] + b",")
        if self.host.version >= (18, 0):
            info = {"database": self.host.data.database, "layout": shown_on.name, "table": table.name}
            info |= {"totalRecordCount": len(table.rows), "foundCount": len(rows), "returnedCount": len(page)}  # type: ignore[dict-item]
            parts.append(b'"dataInfo":' + to_json(info) + b",")
        parts.append(b'"data":[' + lines.encode("utf-8") + b']},"messages":[{"code":"0","message":"OK"}]}')
        return Reply(body=b"".join(parts))

    def _choose_dates(self, wanted: query.Query) -> None:
        switches = self.host.switches
        if wanted.date_code != "0" and self.host.version < (20, 0):
            if switches.old_dateformats == "1706":
                raise HostError(1706)
            return
        wanted.wish.dates = {"0": "us", "1": switches.file_dates, "2": "iso"}[wanted.date_code]
        wanted.wish.timestamp_separator = "T" if switches.iso_timestamp == "T" else " "

    def _renderer(self, layout: Layout) -> Renderer:
        if layout.name not in self._renderers:
            info = self.host.version >= (18, 0) and self.host.switches.portal_data_info == "auto"
            self._renderers[layout.name] = Renderer(layout, self.host.data.database, info)
        return self._renderers[layout.name]

    def _linker(
        self, session: Session, table: Table, stale: bool
    ) -> Callable[[Record, str, str | None, ContainerValue], str]:
        now, links = self.host.clock.now(), self.host.links

        def give(row: Record, name: str, lookup: str | None, value: ContainerValue) -> str:
            link = links.give(session, table, row, name, lookup, value, now)
            link.stale = stale
            return links.url(link)

        return give

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body, which must be an object.

        Raises:
            HostError: 1710.
        """
        try:
            body = json.loads(request.body.decode("utf-8"))
        except ValueError:
            raise HostError(1710) from None
        if not isinstance(body, dict):
            raise HostError(1710)
        return body


def _field(layout: Layout, name: str) -> Field:
    """A field of the layout by its name, with or without `(n)`.

    Raises:
        HostError: 102.
    """
    base = name.partition("(")[0] if name.endswith(")") else name
    for field in (*layout.fields, *(item for fields in layout.portals.values() for item in fields)):
        if field.name in (name, base):
            return field
    raise HostError(102)


def _sorter(name: str, result: str) -> Callable[[Record], tuple[Any, ...]]:
    return lambda row: sort_key(row.values.get(name), result)


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_null(one) for one in value.values())
    if isinstance(value, list):
        return any(_has_null(one) for one in value)
    return value is None


def error_body(code: int, message: str, shuffled: bool) -> bytes:
    """An error in FileMaker's envelope; hosts differ in the order of its members (FILEMAKER.md 1.2)."""
    entry = {"message": message, "code": str(code)} if shuffled else {"code": str(code), "message": message}
    return to_json({"messages": [entry], "response": {}} if shuffled else {"response": {}, "messages": [entry]})
