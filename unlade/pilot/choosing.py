"""Which items a pilot takes: half of them differ as much as possible, half lie evenly over the listing (pure).

What differs shows what can go wrong, what lies evenly shows what is usual; sizes are what the pilot finds out
(CONTRACT B4). Nothing is random: the same listing gives the same sample.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

#: A trait: of which kind, and what it is. Values stay in memory: reports only count them.
Trait = tuple[str, str]

#: How much one more item of a kind is worth to a sample that has none yet.
WEIGHTS = {
    "best field": 9.0,
    "fields filled": 4.0,
    "repetition": 6.0,
    "odd value": 6.0,
    "owner": 5.0,
    "day": 4.0,
    "type": 7.0,
    "name": 4.0,
    "extreme": 6.0,
    "year": 1.0,
    "category": 0.5,
}

#: Each further item of a trait is worth so much of the one before.
_FADES = 0.4


@dataclass(frozen=True, slots=True)
class Candidate:
    """One item that could be taken, by what its listing shows. `place` is its place among the candidates."""

    place: int
    best: str  #: the first container that holds a file, "" when none does
    traits: frozenset[Trait]
    day: date | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The sample: places of the chosen, in their order, and what of the listing it stands for.

    `listed` and `taken` count traits by kind and value; `best` counts candidates by their best field.
    """

    places: tuple[int, ...] = ()
    candidates: int = 0
    listed: Mapping[Trait, int] = field(default_factory=dict)
    taken: Mapping[Trait, int] = field(default_factory=dict)
    best: Mapping[str, int] = field(default_factory=dict)

    def kinds(self) -> list[tuple[str, int, int]]:
        """For every kind of trait: how many there are in the listing, and how many of them the sample has."""
        return [
            (kind, sum(trait[0] == kind for trait in self.listed), sum(trait[0] == kind for trait in self.taken))
            for kind in WEIGHTS
            if any(trait[0] == kind for trait in self.listed)
        ]


def choose(candidates: Sequence[Candidate], number: int) -> Choice:
    """Take `number` of the candidates; those without any file are taken only for what makes them odd."""
    everyone = _with_extremes(candidates)
    listed = Counter(trait for one in everyone for trait in one.traits)
    best = Counter(one.best for one in everyone if one.best)
    chosen = _different(everyone, number - number // 2)
    rest = [one for one in everyone if one.best and one.place not in chosen]
    wanted = min(number - len(chosen), len(rest))
    chosen |= {rest[len(rest) * step // wanted].place for step in range(wanted)}
    by_place = {one.place: one for one in everyone}
    taken = Counter(trait for place in chosen for trait in by_place[place].traits)
    return Choice(tuple(sorted(chosen)), len(everyone), listed, taken, best)


def _different(candidates: Sequence[Candidate], number: int) -> set[int]:
    """Greedily the one that adds most; where several do, the first."""
    have: Counter[Trait] = Counter()
    chosen: set[int] = set()
    left = [one for one in candidates if one.traits]
    while left and len(chosen) < number:
        top = max(left, key=lambda one: (_worth(one, have), -one.place))
        chosen.add(top.place)
        have.update(top.traits)
        left.remove(top)
    return chosen


def _worth(one: Candidate, have: Mapping[Trait, int]) -> float:
    worth = 0.0
    for trait in one.traits:
        worth += WEIGHTS.get(trait[0], 1.0) * _FADES ** have.get(trait, 0)
    return worth


def _with_extremes(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The oldest, newest, smallest, largest, first and last get that as a trait."""
    everyone = list(candidates)
    marks: dict[int, set[Trait]] = defaultdict(set)
    filled = [one for one in everyone if one.best]
    if filled:
        marks[filled[0].place].add(("extreme", "first listed"))
        marks[filled[-1].place].add(("extreme", "last listed"))
    if dated := [one for one in filled if one.day is not None]:
        marks[min(dated, key=lambda one: (one.day or date.max, one.place)).place].add(("extreme", "oldest day"))
        marks[max(dated, key=lambda one: (one.day or date.min, -one.place)).place].add(("extreme", "newest day"))
    if sized := [one for one in filled if one.size]:
        marks[min(sized, key=lambda one: (one.size or 0, one.place)).place].add(("extreme", "smallest"))
        marks[max(sized, key=lambda one: (one.size or 0, -one.place)).place].add(("extreme", "largest"))
    return [
        Candidate(one.place, one.best, one.traits | marks[one.place], one.day, one.size) if one.place in marks else one
        for one in everyone
    ]
