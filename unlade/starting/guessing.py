"""What is what on a layout, by names and by a handful of values (pure). Guesses, and the others that came near."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from unlade.starting.reading import Seen, Sheet

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Words of sizes, the best first. English, and what FileMaker solutions in German and French call them.
_SIZES: tuple[frozenset[str], ...] = (
    frozenset({"full", "original", "orig", "master", "hires", "raw", "source"}),
    frozenset({"xxl", "xl", "xlarge", "huge"}),
    frozenset({"large", "big", "gross", "grand"}),
    frozenset({"medium", "mid", "normal", "mittel", "moyen"}),
    frozenset({"small", "klein", "petit", "low", "lowres", "web"}),
    frozenset({"thumb", "thumbnail", "preview", "icon", "tiny", "mini", "vignette", "vorschau"}),
)
_EXTRA = frozenset({"ex", "extra", "very", "x"})
_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?")
_FILE_NAME = re.compile(r".+\.[A-Za-z][A-Za-z0-9]{1,4}")
_OWN = frozenset({"id", "pk", "uuid", "guid", "key", "primary", "serial", "kp", "recordid"})
_FOREIGN = frozenset({"fk", "kf", "foreign"})
_PEOPLE = frozenset(
    {"contact", "patient", "client", "customer", "person", "owner", "member", "user", "kunde", "student", "employee"}
)
_NO_DAY = frozenset({"modified", "modification", "changed", "updated", "export", "exported", "birth", "born", "dob"})
_DAY = frozenset({"date", "day", "taken", "captured", "shot", "datum", "created", "creation"})
_KIND = frozenset({"type", "category", "kind", "class", "art", "group"})


@dataclass(frozen=True, slots=True)
class Guess:
    """What a declaration would name. `others` are further candidates by role; `left_out` are containers and why.

    `each`: the containers look like files of their own rather than sizes of one.
    """

    containers: tuple[str, ...]
    identity: str
    each: bool = False
    owner: str = ""
    day: str = ""
    category: str = ""
    original_name: str = ""
    others: dict[str, tuple[str, ...]] | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    sure: bool = True  #: the identity's values are unique in the sample


def guess(sheet: Sheet) -> Guess:
    """Look at every field of `sheet`."""
    containers, each, left_out = _containers(sheet)
    plain = [entry for entry in sheet.fields if not entry.is_container and not entry.is_global]
    identities = _best(plain, _as_identity)
    identity = identities[0] if identities else (plain[0].name if plain else "id")
    rest = [entry for entry in plain if entry.name != identity]
    owners, days = _best(rest, _as_owner), _best(rest, _as_day)
    categories, names = _best(rest, _as_category), _best(rest, _as_file_name)
    by_name = {entry.name: entry for entry in plain}
    return Guess(
        containers=containers,
        identity=identity,
        each=each,
        owner=owners[0] if owners else "",
        day=days[0] if days else "",
        category=categories[0] if categories else "",
        original_name=names[0] if names else "",
        others={"identity": identities[1:4], "owner": owners[1:4], "day": days[1:4]},
        left_out=left_out,
        sure=identity in by_name and _unique(by_name[identity]) and sheet.sample > 1,
    )


def words_of(name: str) -> tuple[str, ...]:
    """The words of a field's name, lower case: `id_Contact`, `PatientID`, `image Ex_large`."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def _size(name: str) -> float:
    """A container's place, the best first; without a word for its size it comes right behind the fullest."""
    words = words_of(name)
    for place, known in enumerate(_SIZES):
        if known & set(words):
            return place - 0.5 if _EXTRA & set(words) and place > 1 else float(place)
    return 0.5


def _stem(name: str) -> tuple[str, ...]:
    """What is left of a name without its size: sizes of one picture share it."""
    sizes = frozenset[str]().union(*_SIZES) | _EXTRA
    return tuple(word for word in words_of(name) if word not in sizes)


def _containers(sheet: Sheet) -> tuple[tuple[str, ...], bool, tuple[tuple[str, str], ...]]:
    left_out: list[tuple[str, str]] = []
    groups: dict[tuple[str, ...], list[Seen]] = {}
    for entry in sheet.fields:
        if not entry.is_container:
            continue
        if entry.is_global or entry.calculated:
            why = "global: one file for all records" if entry.is_global else "calculated from other fields"
            left_out.append((entry.name, why))
        else:
            groups.setdefault(_stem(entry.name), []).append(entry)
    if not groups:
        return (), False, tuple(left_out)
    if len(groups) > 1 and all(len(group) == 1 for group in groups.values()):
        return tuple(entry.name for (entry,) in groups.values()), True, tuple(left_out)
    chosen = max(groups.values(), key=lambda group: (len(group), sum(entry.filled for entry in group)))
    for group in groups.values():
        if group is not chosen:
            left_out += [
                (entry.name, "another file than the others: give it a declaration of its own") for entry in group
            ]
    ranked = sorted(chosen, key=lambda entry: _size(entry.name))
    return tuple(entry.name for entry in ranked), False, tuple(left_out)


def _best(entries: Iterable[Seen], judge: Callable[[Seen], int]) -> tuple[str, ...]:
    """Names of those that are judged above 0, the best first; equals in the layout's order."""
    judged = [(judge(entry), entry.name) for entry in entries]
    return tuple(name for score, name in sorted(judged, key=lambda pair: -pair[0]) if score > 0)


def _unique(entry: Seen) -> bool:
    filled = [value for value in entry.values if value]
    return bool(filled) and len(filled) == len(entry.values) == len(set(filled))


def _uuids(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(_UUID.fullmatch(value) for value in filled)


def _as_identity(entry: Seen) -> int:
    if entry.kind not in ("text", "number") or (entry.values and not _unique(entry)):
        return 0
    words = words_of(entry.name)
    score = 4 * _uuids(entry.values) + 2 * entry.auto_enter + (not entry.calculated)
    score += 4 * bool(set(words) & _OWN) - 4 * bool(set(words) & (_FOREIGN | _PEOPLE))
    score += 2 * (len(words) == 1 and words[0] in _OWN)
    return score if score > 1 else 0


def _as_owner(entry: Seen) -> int:
    if entry.kind not in ("text", "number"):
        return 0
    words = set(words_of(entry.name))
    key_like = bool(words & (_OWN | _FOREIGN)) or _uuids(entry.values)
    score = 3 * bool(words & _PEOPLE) + 3 * bool(words & _FOREIGN) + 2 * _uuids(entry.values) + bool(words & {"id"})
    return score if key_like and score > 2 else 0


def _as_day(entry: Seen) -> int:
    words = set(words_of(entry.name))
    if entry.kind not in ("date", "timeStamp") or words & _NO_DAY:
        return 0
    return 2 * (entry.kind == "date") + 2 * bool(words & _DAY) + 1


def _as_category(entry: Seen) -> int:
    if entry.kind != "text" or not set(words_of(entry.name)) & _KIND:
        return 0
    return 1


def _as_file_name(entry: Seen) -> int:
    if entry.kind != "text":
        return 0
    words, filled = set(words_of(entry.name)), [value for value in entry.values if value]
    looks = bool(filled) and all(_FILE_NAME.fullmatch(value) for value in filled)
    named = ("name" in words and bool(words & {"file", "original"})) or "filename" in words
    return 2 * looks + 2 * named if (looks or named) and not _uuids(entry.values) else 0


__all__ = ["Guess", "guess", "words_of"]
