"""The one thing here that can write: the exported marker, set back into a record when that is asked for.

`DataApiSource` has no way to write. Input dates are always in US form, whatever the file uses (FILEMAKER.md 2.2).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from urllib.parse import quote

from unlade.cargo import FieldValue, SourceRecord
from unlade.dates import parse_date
from unlade.errors import FieldMissing, Final, ItemError, MarkRefused, ProtocolError, SourceError, Transient
from unlade.filemaker.errors import MODIFIED, Reply, refusal
from unlade.filemaker.metadata import LayoutField
from unlade.filemaker.source import DataApiSource

logger = logging.getLogger(__name__)


class DataApiMarkerWriter:
    """Sets one field of a record (`unlade.source.MarkerWriter`). Safe to use from any thread.

    It shares the session of `source`. FileMaker knows no time zones: moments are written as wall time of `zone`.
    """

    def __init__(self, source: DataApiSource, *, zone: tzinfo = UTC) -> None:
        self._source = source
        self._zone = zone

    def check(self, field: str) -> LayoutField:
        """The marker field, if it can be written at all. Raises `FieldMissing`."""
        entry = self._source.metadata().find(field)
        layout = self._source.layout
        if entry is None:
            raise FieldMissing(f"Marker field {field} is not on layout {layout}", remedy="Put it on the layout.")
        if entry.is_container or entry.type != "normal":
            kind = "container" if entry.is_container else entry.type
            raise FieldMissing(
                f"Marker field {field} on layout {layout} is a {kind} field, which cannot be written",
                remedy="Name a text, number, date or timestamp field.",
            )
        return entry

    def mark(self, record: SourceRecord, field: str, value: FieldValue) -> str:
        """Set `field` and return the record's new modification id.

        `value` is a text, a number, or a moment in ISO form (`2026-03-10T08:00:00+00:00`), which becomes what the field
        holds: a date, a time, a timestamp, a number (20260310) or text. Raises `ItemError`: `MarkRefused` where it will
        never work, `Transient` where it may; `FieldMissing` for a wrong marker field.
        """
        text = written(value, self.check(field), self._zone)
        what = f"Marking record {record.record_id} of layout {self._source.layout}"
        reply = self._patch(record.record_id, record.mod_id, field, text, what)
        if reply.code == MODIFIED:
            # Somebody edited it, or our own first answer was lost on its way.
            fresh = self._source.read(record.record_id)
            if same(fresh.fields.get(field), text):
                return fresh.mod_id
            reply = self._patch(record.record_id, fresh.mod_id, field, text, what)
        if not reply.ok:
            raise self._refused(reply, what)
        new = reply.response.get("modId")
        # FileMaker Server may leave it out; the record knows.
        return str(new) if new not in (None, "") else self._source.read(record.record_id).mod_id

    def _patch(self, record_id: str, mod_id: str, field: str, text: str | int | Decimal, what: str) -> Reply:
        body: dict[str, object] = {"fieldData": {field: text if isinstance(text, str | int) else str(text)}}
        if mod_id:
            body["modId"] = mod_id
        layout = quote(self._source.layout, safe="")
        return self._source.api.edit(f"/layouts/{layout}/records/{quote(record_id, safe='')}", body, what)

    def _refused(self, reply: Reply, what: str) -> Exception:
        error = refusal(reply, what)
        wrong = isinstance(error, SourceError) and not isinstance(error, ProtocolError)
        if wrong or type(error) is Final:
            return MarkRefused(str(error), remedy=error.remedy, wire=reply.wire, code=reply.code, status=reply.status)
        if isinstance(error, ItemError):
            return error
        return Transient(str(error), wire=reply.wire, code=reply.code, status=reply.status)


def written(value: FieldValue, field: LayoutField, zone: tzinfo) -> FieldValue:
    """`value` as `field` takes it. Raises `MarkRefused`."""
    if not isinstance(value, str):
        if field.result in {"number", "text"}:
            return value if field.result == "number" else str(value)
        raise MarkRefused(f"A number cannot be written into {field.result} field {field.name}")
    if field.result == "text":
        return value
    write = _FORMS.get(field.result)
    moment = _moment(value, zone)
    if write is not None and moment is not None:
        return write(moment)
    if field.result == "number" and _is_number(value):
        return value
    raise MarkRefused(
        f"What is to be marked does not fit {field.result} field {field.name}",
        remedy="Write a moment in ISO form, or name a text field.",
    )


def _stamp(moment: datetime) -> str:
    return moment.strftime("%m/%d/%Y %H:%M:%S")


_FORMS: dict[str, Callable[[datetime], FieldValue]] = {
    "date": lambda moment: moment.strftime("%m/%d/%Y"),
    "time": lambda moment: moment.strftime("%H:%M:%S"),
    "timeStamp": _stamp,
    "number": lambda moment: int(moment.strftime("%Y%m%d")),
}


def _moment(text: str, zone: tzinfo) -> datetime | None:
    if text.strip().isdecimal():
        return None  # `20260310` is a number here, although ISO knows it as a day
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        day = parse_date(text)
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=zone)
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text.strip()).is_finite()
    except ArithmeticError:
        return False


def same(held: FieldValue | None, text: FieldValue) -> bool:
    """Whether a field already holds what we would write, in whichever form the host shows it."""
    if held is None or held == "":
        return False
    if str(held) == str(text):
        return True
    there, ours = _parts(str(held)), _parts(str(text))
    return there is not None and there == ours


def _parts(text: str) -> tuple[object, str] | None:
    day = parse_date(text)
    if day is None:
        return None
    time = text.strip().replace("T", " ").partition(" ")[2].strip()
    return day, time
