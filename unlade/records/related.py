"""Rows of portals: what is to become of each, and their writing in the transaction of the record they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model

from unlade.owners import OwnerFinder
from unlade.records.declaring import RecordImport, Rows
from unlade.records.reading import Related

NEW, UPDATED, KEPT, GONE, UNCLEAR = "new", "updated", "as they are", "gone", "unclear"

#: Parents of one query, below SQLite's limit of variables.
_CHUNK = 400


@dataclass(slots=True)
class Change:
    """One row of a portal. `row` is None where there is none yet; a row that is `GONE` here is not in the portal."""

    what: str
    parent: Any
    row: Any
    related: Related | None = None


def changes(rows: Rows, shown: Sequence[tuple[Any, list[Related]]], *, lock: bool = False) -> Iterator[Change]:
    """What the portal rows of these parents' rows come to; two queries for up to 400 of them. Writes nothing.

    `shown`: the parent's row (None or without a key where it is new) and its portal's rows.
    """
    matches = OwnerFinder(rows.owner).find(each.identity for _, related in shown for each in related)
    here = _here(rows, [parent for parent, _ in shown if parent is not None and parent.pk is not None], lock=lock)
    for parent, related in shown:
        left = here.get(parent.pk, {}) if parent is not None else {}
        for each in related:
            match = matches[each.identity]
            if match.reason == "ambiguous":
                for pk in match.candidates:
                    left.pop(pk, None)
                yield Change(UNCLEAR, parent, None, each)
            elif match.owner is None:
                yield Change(NEW, parent, None, each)
            else:
                row = left.pop(match.owner.pk, match.owner)
                yield Change(UPDATED if _differs(rows, row, parent, each) else KEPT, parent, row, each)
        for row in left.values():
            yield Change(GONE, parent, row)


def _here(rows: Rows, parents: list[Any], *, lock: bool) -> dict[Any, dict[Any, Any]]:
    """The rows that these parents have, by the parent's key and their own."""
    found: dict[Any, dict[Any, Any]] = {}
    attname = rows.model_field(rows.parent).attname
    manager = rows.model_class._base_manager
    for start in range(0, len(parents), _CHUNK):
        query = manager.filter(**{f"{rows.parent}__in": parents[start : start + _CHUNK]}).order_by("pk")
        for row in query.select_for_update() if lock else query:
            found.setdefault(getattr(row, attname), {})[row.pk] = row
    return found


def _differs(rows: Rows, row: Any, parent: Any, related: Related) -> bool:
    if parent is None or getattr(row, rows.model_field(rows.parent).attname) != parent.pk:
        return True
    if rows.gone and getattr(row, rows.gone) is not None:
        return True
    return any(getattr(row, name) != value for name, value in related.values.items())


def write(importer: RecordImport, portal: str, shown: Sequence[tuple[Any, list[Related]]], now: datetime) -> Told:
    """Write the rows of one portal for these parents' rows. Call it inside the page's transaction."""
    rows, told = importer.portals[portal], Told()
    for change in changes(rows, shown, lock=True):
        told.count(change)
        if change.related is not None and change.what in (NEW, UPDATED):
            row = change.row if change.row is not None else _made(rows, change.related)
            setattr(row, rows.parent, change.parent)
            for name, value in change.related.values.items():
                setattr(row, name, value)
            if rows.gone:
                setattr(row, rows.gone, None)
            row.save()
        elif change.what == GONE and rows.gone and getattr(change.row, rows.gone) is None:
            setattr(change.row, rows.gone, now)
            change.row.save(update_fields=[rows.gone])
    return told


def _made(rows: Rows, related: Related) -> Model:
    return rows.model_class(**{rows.match: related.identity})


class Told:
    """What the rows of one portal came to, in all, and of which parents something must be said."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gone: Counter[Any] = Counter()  #: by the parent's key
        self.unclear: Counter[Any] = Counter()

    def count(self, change: Change) -> None:
        """Add one row."""
        self.counts[change.what] += 1
        if change.what == GONE:
            self.gone[change.parent.pk] += 1
        elif change.what == UNCLEAR and change.parent is not None:
            self.unclear[change.parent.pk] += 1

    def notes(self, portal: str, parent: Any) -> Iterator[str]:
        """Sentences for the parent's item; counts only."""
        if gone := self.gone[parent.pk]:
            yield f"{portal}: {gone} {'row is' if gone == 1 else 'rows are'} no longer in the source and kept here"
        if unclear := self.unclear[parent.pk]:
            yield f"{portal}: {unclear} {'row fits' if unclear == 1 else 'rows fit'} two rows here; none was written"
