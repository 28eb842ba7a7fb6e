"""What of a survey a declaration takes, what was waived with a reason, and what is left: "not covered" (LESSONS 16).

A declaration covers a container when it names it, and reads the table by its layout, or by its `table` in a file; of
a field with repetitions only those that it names. What is the same for every record (a global) or made from another
field (a calculation) is set apart; a field that is empty in every record is nothing that could be left behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from unlade.survey.values import FieldFound, SurveyFound


class Declares(Protocol):
    """What is asked of a declaration."""

    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def response_layout(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def containers(self) -> Sequence[str]: ...

    def fields_needed(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Waived:
    """A field (or with "" all of a table) that is left behind on purpose: who said so, when and why."""

    table: str
    field: str
    reason: str
    by: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"reason": self.reason, "by": self.by or None, "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One field. `state`: covered | not covered | waived | set apart | empty.

    `missing` are the repetitions that nobody takes, `by` the declarations that take the field.
    """

    found: FieldFound
    state: str
    by: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    waiver: Waived | None = None

    @property
    def name(self) -> str:
        """What it is waived by: `Table::field`, or `layout::field` where no table is known."""
        table = self.found.table or next(iter([*self.found.layouts, *self.found.portals]), "")
        return f"{table}::{self.found.field}"

    def as_json(self) -> dict[str, Any]:
        """An entry of `not_covered` and of a survey's `fields`."""
        return {
            "name": self.name,
            "state": self.state,
            "covered_by": list(self.by),
            "repetitions_not_covered": list(self.missing),
            "waived": self.waiver.as_json() if self.waiver else None,
            **self.found.as_json(),
        }


def verdicts(found: SurveyFound, imports: Iterable[Declares], waivers: Sequence[Waived]) -> list[Verdict]:
    """A verdict on every field of a survey."""
    taken = [(declared, _tables_of(declared, found)) for declared in imports]
    return [_verdict(one, taken, waivers) for one in found.fields]


def _tables_of(declared: Declares, found: SurveyFound) -> set[str]:
    """The tables that a declaration reads, in lower case: that of its layout, the one it names, else by its fields."""
    layouts = {name for name in (declared.layout, declared.response_layout) if name}
    tables = {table.name.casefold() for table in found.tables if layouts & set(table.layouts)}
    if declared.table:
        return tables | {declared.table.casefold()}
    if found.road == "file":
        needed = {name.partition("(")[0].casefold() for name in declared.fields_needed()}
        fitting = [t for t in found.tables if needed <= {name.casefold() for name in t.fields}]
        tables |= {table.name.casefold() for table in fitting} if len(fitting) == 1 else set()
    return tables


def _verdict(one: FieldFound, taken: Sequence[tuple[Declares, set[str]]], waivers: Sequence[Waived]) -> Verdict:
    by: list[str] = []
    named: set[int] = set()
    for declared, tables in taken:
        if not _reads(declared, tables, one):
            continue
        numbers = _repetitions(declared.containers, one)
        if numbers:
            by.append(declared.name)
            named |= numbers
    filled = set(one.repeated) or ({1} if one.filled else set())
    # Of a field in which a sample met nothing, nobody knows which repetitions there are.
    missing = tuple(sorted((filled or {1}) - named))
    if not missing:
        return Verdict(one, "covered", tuple(by))
    if one.exact and not one.filled and not one.set_apart:
        return Verdict(one, "empty", tuple(by))
    waiver = next((each for each in waivers if _fits(each, one)), None)
    if waiver is not None:
        return Verdict(one, "waived", tuple(by), missing, waiver)
    if one.set_apart:
        return Verdict(one, "set apart", tuple(by), missing)
    return Verdict(one, "not covered", tuple(by), missing)


def _reads(declared: Declares, tables: set[str], one: FieldFound) -> bool:
    if one.table and one.table.casefold() in tables:
        return True
    return bool({declared.layout, declared.response_layout} & set(one.layouts))


def _repetitions(containers: Iterable[str], one: FieldFound) -> set[int]:
    """Which repetitions of the field these names mean; `Related::photo` is `photo` of its table."""
    numbers = set()
    for spelling in containers:
        stem, bracket, rest = spelling.rpartition("(")
        number = 1
        if bracket and rest.endswith(")") and rest[:-1].isdecimal():
            spelling, number = stem, int(rest[:-1])
        table, colons, field = spelling.rpartition("::")
        if colons and table.casefold() != one.table.casefold():
            continue
        if field.casefold() == one.field.casefold():
            numbers.add(number)
    return numbers


def _fits(waiver: Waived, one: FieldFound) -> bool:
    places = [one.table] if one.table else [*one.layouts, *one.portals]
    if waiver.table.casefold() not in {place.casefold() for place in places}:
        return False
    return not waiver.field or waiver.field.casefold() == one.field.casefold()


#: A sample of fewer records is told as what it is.
_FEW = 5


def split_name(text: str) -> tuple[str, str]:
    """`Table::field` or `Table` (all of it) in its parts. Raises `ValueError`."""
    table, _, field = text.partition("::")
    if not table.strip():
        raise ValueError(f"{text!r} names no table: write Table::Field")
    return table.strip(), field.strip()


def counted(one: FieldFound) -> str:
    """How many records fill the field, in words: `948 of 2,845`, `about 950 of 2,845 (880 to 1,010)`."""

    guess = one.estimate()
    if one.is_global:
        return "" if not one.looked_at else "one for all" if one.filled else "empty"
    if guess is None or (not one.exact and one.looked_at < _FEW):
        return f"{one.filled:,} of {one.looked_at:,} looked at" if one.looked_at else "not looked at"
    if one.exact:
        return f"{one.filled:,} of {one.records:,}"
    low, likely, high = guess
    if not one.filled:
        return f"none of {one.looked_at:,} looked at, of {one.records:,}"
    return f"about {likely:,} of {one.records:,} ({low:,} to {high:,})"
