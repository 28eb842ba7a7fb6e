"""Collects a pilot's candidates while pages are listed, and picks the sample when the last one came."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from unlade.cargo import RefStatus, SourceRecord
from unlade.importer import ContainerImport
from unlade.ledger.pages import Listed
from unlade.owners import OwnerMatch
from unlade.pilot.choosing import Candidate, Choice, Trait, choose
from unlade.survey.sampling import spread

#: Records that are listed for each one that is taken, and how many at least and at most.
_TIMES, _LEAST, _MOST = 10, 200, 5000

#: Owner matches as traits.
_OWNERS = {
    "": "here",
    "no_owner_reference": "not named",
    "owner_missing": "not here",
    "ambiguous": "several fit",
    "chosen_missing": "not here",
}


class Gathering:
    """The candidates of one pilot of `number` items. Belongs to the run loop's thread."""

    def __init__(self, importer: ContainerImport, number: int) -> None:
        self._importer, self.number = importer, number
        self._entries: list[Listed] = []
        self._candidates: list[Candidate] = []
        self._met: set[int] = set()
        self.listed = 0  #: records that came on pages
        self.choice: Choice | None = None
        self.items: tuple[int, ...] = ()  #: primary keys of the sample's items

    def pages(self, found: int, batch: int) -> list[tuple[int, int]] | None:
        """Places over the whole listing to read at; None when it is small enough to be read whole."""
        wanted = max(self.number, min(max(_TIMES * self.number, _LEAST), _MOST))
        return None if wanted >= found else spread(found, wanted, max(2, batch))

    def add(self, entry: Listed, match: OwnerMatch | None) -> None:
        """One item that could be carried."""
        if entry.item.pk in self._met:
            return
        self._met.add(entry.item.pk)
        place = len(self._entries)
        self._entries.append(entry)
        self._candidates.append(candidate_of(self._importer, entry, match, place))

    def take(self) -> list[Listed]:
        """The sample, in the listing's order. To be called once, when no page is to come."""
        self.choice = choose(self._candidates, self.number)
        taken = [self._entries[place] for place in self.choice.places]
        self._entries, self._candidates = [], []
        self.items = tuple(entry.item.pk for entry in taken)
        return taken


def candidate_of(importer: ContainerImport, entry: Listed, match: OwnerMatch | None, place: int) -> Candidate:
    """What the listing shows of one item. Nothing of it is written anywhere."""
    record, item = entry.record, entry.item
    names = [item.slot] if item.slot else list(importer.containers)
    refs = {name: record.containers[name] for name in names if name in record.containers}
    filled = [name for name, ref in refs.items() if ref.status is RefStatus.FILE]
    traits: set[Trait] = {("fields filled", " ".join(filled))}
    if filled:
        traits.add(("best field", filled[0]))
    traits |= {("repetition", name) for name in filled if name.endswith(")")}
    odd = {RefStatus.REFERENCE: "only a path", RefStatus.UNREADABLE: "no link to a file"}
    traits |= {("odd value", odd[ref.status]) for ref in refs.values() if ref.status in odd}
    if importer.owner is not None and match is not None:
        traits.add(("owner", _OWNERS.get(match.reason, match.reason)))
    traits |= set(_described(importer, record, filled))
    day = importer.taken_on.read(record)[0] if importer.taken_on else None
    if importer.taken_on:
        traits.add(("year", str(day.year)) if day else ("day", _undated(importer, record.fields)))
    return Candidate(place, filled[0] if filled else "", frozenset(traits), day, item.known_size)


def _described(importer: ContainerImport, record: SourceRecord, filled: list[str]) -> list[Trait]:
    traits: list[Trait] = []
    if importer.category:
        said = str(record.fields.get(importer.category, "")).strip().casefold()
        traits.append(("category", said))
    name = str(record.fields.get(importer.original_name, "")).strip() if importer.original_name else ""
    if not name and filled:
        name = record.containers[filled[0]].name or ""
    if importer.original_name:
        traits.append(("name", "none" if not name else "plain" if name.isascii() else "not ASCII"))
    suffix = PurePosixPath(name.lower()).suffix
    if name:
        traits.append(("type", suffix if 1 < len(suffix) <= 6 else "no extension"))
    return traits


def _undated(importer: ContainerImport, fields: Mapping[str, Any]) -> str:
    field = importer.taken_on.field if importer.taken_on else ""
    return "cannot be read" if str(fields.get(field, "")).strip() else "none"
