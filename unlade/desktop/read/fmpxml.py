"""FMPXMLRESULT: the one text format that names its fields, carries record ids and says how its dates are written.

The whole document is one line, so it is fed to the parser in pieces. Entities are refused; a DOCTYPE without them (as
web publishing writes) is not. Source: DESKTOP.md 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from unlade.desktop.read.dates import Order, order_of_format, parse_clock, parse_day, parse_moment, readings
from unlade.desktop.read.model import VERTICAL_TAB, MetadataFile, Row, RowError, Value, repetitions, unique_names
from unlade.errors import SourceError

CHUNK = 128 * 1024
LARGEST_VALUE = 64 * 1024 * 1024
_SECOND = timedelta(seconds=1)

#: What every record has besides its fields; FileMaker's own names cannot begin with a hyphen sign like this.
RECORD_ID = "-recid"
MOD_ID = "-modid"


@dataclass(frozen=True, slots=True)
class Field:
    """One FIELD of METADATA."""

    name: str
    type: str  #: TEXT, NUMBER, DATE, TIME, TIMESTAMP, CONTAINER
    repetitions: int


@dataclass(slots=True)
class Head:
    """What stands before the rows."""

    error_code: str = "0"
    date_format: str = ""
    time_format: str = ""
    records: int | None = None
    found: int | None = None
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class XmlRows:
    """The rows of one FMPXMLRESULT."""

    path: Path
    columns: tuple[str, ...]
    types: tuple[str, ...]
    order: Order | Literal["ymd"] | None
    found: int | None

    def rows(self) -> Iterator[Row]:
        """One `Row` a record, dates and times in ISO. Raises when there are not as many as the file says."""
        count = 0
        for event in _events(self.path):
            if isinstance(event, Head):
                continue
            count += 1
            yield self._row(count, *event)
        if self.found is not None and self.found != count:
            raise SourceError(
                f"{self.path.name} says it has {self.found} records and has {count}",
                remedy="The export was cut; export again.",
            )

    def _row(self, line: int, record_id: str, mod_id: str, cells: list[list[str]]) -> Row:
        names = self.columns[2:]
        if len(cells) != len(names):
            raise RowError(self.path, line, f"it has {len(cells)} columns where {len(names)} are declared")
        values: dict[str, Value] = {RECORD_ID: record_id, MOD_ID: mod_id}
        for name, kind, datas in zip(names, self.types, cells, strict=True):
            values[name] = repetitions([self._read(data, kind, line) for data in datas])
        return Row(values, line)

    def _read(self, text: str, kind: str, line: int) -> str:
        """Dates and times in ISO; what is none stays as it is."""
        text = text.replace(VERTICAL_TAB, "\n").replace("\r\n", "\n").replace("\r", "\n")
        if kind in ("DATE", "TIMESTAMP") and text.strip():
            order = None if self.order == "ymd" else self.order
            if self.order is None and readings(text).ambiguous:
                raise RowError(
                    self.path,
                    line,
                    "it has a date with two readings and the file does not say how its dates are written",
                    remedy="Say it with --date-order mdy or --date-order dmy.",
                )
            if kind == "DATE":
                day = parse_day(text, order)
                return day.isoformat() if day else text
            moment = parse_moment(text, order)
            return moment.isoformat() if moment else text
        if kind == "TIME" and (clock := parse_clock(text)) is not None:
            seconds = abs(clock) // _SECOND
            sign = "-" if clock < 0 * _SECOND else ""
            micro = f".{abs(clock).microseconds:06}" if clock.microseconds else ""
            return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{micro}"
        return text


def open_fmpxml(path: Path, *, columns: Sequence[str] | None = None, date_order: Order | None = None) -> MetadataFile:
    """Read the head of an FMPXMLRESULT. `columns` may give the fields other names, in the file's order.

    Raises `SourceError` for another grammar, an error that FileMaker noted in the file, or broken XML.
    """
    head = next((event for event in _events(path) if isinstance(event, Head)), None)
    if head is None:
        raise SourceError(f"{path.name} is no FMPXMLRESULT: it has no METADATA")
    if head.error_code not in ("0", ""):
        raise SourceError(
            f"{path.name}: FileMaker wrote error {head.error_code} into it, so what it holds may be a part only",
            remedy="Export again.",
        )
    names = [item.name for item in head.fields]
    if columns is not None:
        if len(columns) != len(names):
            raise SourceError(f"{path.name} has {len(names)} columns, {len(columns)} were named with --columns")
        names = list(columns)
    distinct, doubles = unique_names(names)
    order = order_of_format(head.date_format) if head.date_format else None
    notes = [f"dates are written {head.date_format}"] if order else []
    if order is None and date_order is not None:
        order = date_order
        notes.append(f"dates are read as {date_order}, as given")
    if head.found is not None and head.records is not None and head.found != head.records:
        notes.append(f"{head.found} of the table's {head.records} records were exported")
    dated = frozenset(n for n, f in zip(distinct, head.fields, strict=True) if f.type in ("DATE", "TIMESTAMP"))
    everything = (RECORD_ID, MOD_ID, *distinct)
    rows = XmlRows(path, everything, tuple(f.type for f in head.fields), order, head.found)
    return MetadataFile(
        path=path,
        format="fmpxmlresult",
        columns=everything,
        source=rows,
        found=head.found,
        dates="iso",
        date_columns=dated,
        encoding="as declared in the XML",
        notes=(*notes, *doubles),
    )


_Event = Head | tuple[str, str, list[list[str]]]


def _events(path: Path) -> Iterator[_Event]:
    """The head, then (record id, modification id, cells) for every row."""
    builder = _Builder(path)
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            builder.feed(chunk, final=not chunk)
            yield from builder.take()
            if not chunk:
                return


class _Builder:
    """Turns expat's calls into events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = Head()
        self.ready: list[_Event] = []
        self.count = 0
        self.root = ""
        self.record: tuple[str, str] = ("", "")
        self.cells: list[list[str]] = []
        self.text: list[str] | None = None
        self.length = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.EntityDeclHandler = self.entity

    def feed(self, chunk: bytes, *, final: bool) -> None:
        try:
            self.parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise RowError(
                self.path,
                self.count + 1,
                f"the XML breaks off ({expat.ErrorString(error.code)})",
                remedy="Export again.",
            ) from None

    def take(self) -> list[_Event]:
        ready, self.ready = self.ready, []
        return ready

    def entity(self, *details: object) -> None:
        raise SourceError(f"{self.path.name} declares entities; no FileMaker export does")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.root:
            self.root = tag
            if tag != "FMPXMLRESULT":
                raise SourceError(
                    f"{self.path.name} is no FMPXMLRESULT: it begins with <{tag}>",
                    remedy="In FileMaker choose XML, grammar FMPXMLRESULT, and no style sheet.",
                )
        elif tag == "DATABASE":
            self.head.date_format = attributes.get("DATEFORMAT", "")
            self.head.time_format = attributes.get("TIMEFORMAT", "")
            self.head.records = _number(attributes.get("RECORDS"))
        elif tag == "FIELD":
            repeat = _number(attributes.get("MAXREPEAT")) or 1
            kind = attributes.get("TYPE", "TEXT").upper()
            self.head.fields.append(Field(attributes.get("NAME", ""), kind, repeat))
        elif tag == "RESULTSET":
            self.head.found = _number(attributes.get("FOUND"))
            self.ready.append(self.head)
        elif tag == "ROW":
            self.record = attributes.get("RECORDID", ""), attributes.get("MODID", "")
            self.cells = []
        elif tag == "COL":
            self.cells.append([])
        elif tag in ("DATA", "ERRORCODE"):
            self.text, self.length = [], 0

    def characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)
            self.length += len(text)
            if self.length > LARGEST_VALUE:
                raise RowError(self.path, self.count + 1, "one of its values has more than 64 million characters")

    def end(self, tag: str) -> None:
        if tag == "DATA" and self.text is not None:
            if not self.cells:
                raise RowError(self.path, self.count + 1, "it has DATA outside of COL")
            self.cells[-1].append("".join(self.text))
            self.text = None
        elif tag == "ERRORCODE" and self.text is not None:
            self.head.error_code = "".join(self.text).strip()
            self.text = None
        elif tag == "ROW":
            self.count += 1
            self.ready.append((*self.record, self.cells))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
