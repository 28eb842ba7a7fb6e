"""Is everything of an owner settled and proven? For projects that put owners away once their files are moved.

What counts is the ledger: an owner has something open while a file of his is pending, failed or unlinked, or stored and
not read again since by `filemaker_verify --read`. An import that is not listed to its end may hold files of anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Model

from unlade.importer import ContainerImport, declared
from unlade.ledger.choice import whose
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Item, Source
from unlade.owners import CHUNK, OwnerFinder
from unlade.states import STORED, ItemState

S = ItemState

#: What keeps an owner open, and in which words.
OPEN = {
    S.PENDING.value: "not brought yet",
    S.FAILED.value: "failed",
    S.UNLINKED.value: "not linked yet",
    "unproven": "not read again yet, which is what proves a file",
}


@dataclass(slots=True)
class Standing:
    """One owner's files. `open` counts those that are not done, by a key of `OPEN`; `newest` is their newest day."""

    files: int = 0
    open: Counter[str] = field(default_factory=Counter)
    newest: date | None = None

    @property
    def clear(self) -> bool:
        """Nothing of his is left to do."""
        return not self.open

    def __str__(self) -> str:
        return ", ".join(f"{self.open[key]:,} {words}" for key, words in OPEN.items() if self.open[key])


@dataclass(slots=True)
class Clearance:
    """`owners` by primary key, as text; those without files are not there. `unlisted` are imports that cannot say."""

    owners: dict[str, Standing] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)

    def of(self, pk: Any) -> Standing:
        """What is known of one owner."""
        return self.owners.get(str(pk), Standing())


def imports_of(model: type[Model]) -> dict[str, ContainerImport]:
    """The declared imports whose files belong to rows of `model`."""
    return {
        name: importer
        for name, importer in declared().items()
        if importer.owner is not None and importer.owner.model_class is model
    }


@contextmanager
def held(imports: Mapping[str, ContainerImport]) -> Iterator[None]:
    """Hold the locks of these imports, so that nothing changes meanwhile. Raises `LockedElsewhere`."""
    with ExitStack() as stack:
        for name in sorted(imports):
            stack.enter_context(source_lock(name))
        yield


def clearance_of(imports: Mapping[str, ContainerImport]) -> Clearance:
    """How all owners of these imports stand. Reads the whole ledger in portions, with a few queries for each."""
    found = Clearance()
    for name, importer in imports.items():
        source = Source.objects.filter(name=name).first()
        if source is None or not source.listing_complete:
            found.unlisted.append(name)
        if source is not None:
            _add(found, importer, source)
    return found


def _add(found: Clearance, importer: ContainerImport, source: Source) -> None:
    last = 0
    while part := list(source.items.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        last = part[-1].pk
        rows = importer.rows([item.row for item in part if item.row]) or {}
        matches = whose(OwnerFinder(importer.owner), [(item, item.reference) for item in part])
        for item, match in zip(part, matches, strict=True):
            facts = rows.get(item.row)
            owner = facts.owner if facts is not None else None
            if owner is None:
                owner = match.owner.pk if match.owner is not None else None
            day = facts.day if facts is not None and isinstance(facts.day, date) else item.day
            # A file that two may own is open for both.
            for pk in match.candidates if owner is None else (owner,):
                _count(found.owners.setdefault(str(pk), Standing()), item, day)


def _count(standing: Standing, item: Item, day: date | None) -> None:
    standing.files += 1
    if day is not None and (standing.newest is None or day > standing.newest):
        standing.newest = day
    if item.gone_at is not None and not item.key:
        return  # the source has taken it back
    if item.state in (S.PENDING, S.FAILED, S.UNLINKED):
        standing.open[item.state] += 1
    elif item.state in STORED or (item.state == S.ACCEPTED and item.key):
        seen = item.proven_at is not None and (item.settled_at is None or item.proven_at >= item.settled_at)
        standing.open["unproven"] += not seen
        standing.open += Counter()  # leaves zeros out


def open_of(standings: Sequence[Standing]) -> Counter[str]:
    """How many owners have something of each kind open."""
    found: Counter[str] = Counter()
    for standing in standings:
        found.update(list(standing.open))
    return found


__all__ = ["OPEN", "Clearance", "Standing", "clearance_of", "held", "imports_of", "open_of"]
