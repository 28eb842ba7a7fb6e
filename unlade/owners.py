"""Who a file belongs to: from the source's owner reference to one row of the project, or to a reason why not.

Ids are compared as `unlade.lookups` says. Two rows that fit are never guessed between (LESSONS 9; CONTRACT B3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db.models import Model

from unlade.lookups import CHUNK, Lookup, lookup_of, normalise_ref

#: An owner reference as the source has it: a text, or where a declaration names several fields, a text for each.
Ref = str | tuple[str, ...]

#: Called with distinct normalised references, up to `CHUNK` at a time; gives for those that it knows an owner, or all
#: that fit. References that it leaves out (or gives None or an empty list for) have no owner yet.
Find = Callable[[Sequence[Any]], Mapping[Any, Any]]


def normalise_refs(ref: object) -> Ref:
    """A reference in the form in which it is compared, whether it is one text or several."""
    return tuple(normalise_ref(part) for part in ref) if isinstance(ref, tuple) else normalise_ref(ref)


@dataclass(frozen=True, slots=True)
class OwnerMatch:
    """What a reference came to: exactly one owner, none, or several that fit.

    `reason` is "" with an owner, else `no_owner_reference`, `owner_missing`, `ambiguous` or `chosen_missing` (a person
    chose an owner whose row is not here any more); `candidates` are the primary keys that fit when there are several.
    """

    owner: Any = None
    reason: str = ""
    candidates: tuple[Any, ...] = ()

    @property
    def detail(self) -> str:
        """A sentence for the ledger; ids only."""
        if self.reason == "ambiguous":
            return "two or more owners fit: " + ", ".join(str(pk) for pk in self.candidates)
        return {
            "no_owner_reference": "the record names no owner",
            "owner_missing": "the owner is not here yet",
            "chosen_missing": "the owner that a person chose is not here any more",
        }.get(self.reason, "")


@dataclass(frozen=True)
class Owner:
    """Declares whom the files of an import belong to.

    `field` is the source's field with the owner's id, `model` the project's model (or its label `app.Model`), `match`
    the model field that holds the same id, or a lookup that leads to it: over relations (`account__filemaker_id`), into
    JSON (`data__filemaker_id`). It should be indexed; `manage.py check` says how.

    A chain: several `match`es are tried one after the other for the one `field`, several `field`s by the one `match`,
    and as many of both in pairs. The first key that finds an owner settles it; one that finds two ends the search.

        Owner("id_Contact", "patients.Patient")
        Owner(["id_Contact", "Contacts::Serial"], "patients.Patient", ["filemaker_id", "serial"])

    What lookups cannot say is said by `find`, in bulk (`Find`); with several fields its references are tuples.
    """

    field: str | Sequence[str]
    model: type[Model] | str
    match: str | Sequence[str] = "filemaker_id"
    find: Find | None = None

    def __post_init__(self) -> None:
        for name in ("field", "match"):
            value = getattr(self, name)
            if not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        if not self.fields or not all(self.fields):
            raise ImproperlyConfigured("an Owner names no field of the source")
        if self.find is None and not (
            1 in (len(self.fields), len(self.matches)) or len(self.fields) == len(self.matches)
        ):
            raise ImproperlyConfigured(
                f"an Owner has {len(self.fields)} fields and {len(self.matches)} matches: name one, or as many of both"
            )

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model) if isinstance(self.model, str) else self.model

    @property
    def fields(self) -> tuple[str, ...]:
        """The source's fields, in order."""
        return (self.field,) if isinstance(self.field, str) else tuple(self.field)

    @property
    def matches(self) -> tuple[str, ...]:
        """The lookups, in order."""
        return (self.match,) if isinstance(self.match, str) else tuple(self.match)

    @property
    def steps(self) -> tuple[tuple[int, str], ...]:
        """What is tried, in order: the place of a field, and the lookup for its value."""
        if len(self.fields) == len(self.matches):
            return tuple(enumerate(self.matches))
        return tuple((place, match) for place in range(len(self.fields)) for match in self.matches)

    def refs(self, values: Mapping[str, Any]) -> Ref:
        """The reference in a record's fields, trimmed: a text, or with several fields one for each."""
        if isinstance(self.field, str):
            return str(values.get(self.field, "")).strip()
        found = tuple(str(values.get(name, "")).strip() for name in self.field)
        return found if len(found) > 1 else found[0]

    def ref_of(self, owner: Any) -> str:
        """FileMaker's id of one of our owners, by the first lookup that gives one; "" when it has none."""
        return self.refs_by_key([owner.pk]).get(owner.pk, "")

    def refs_by_key(self, pks: Sequence[Any]) -> dict[Any, str]:
        """The same for many, by primary key; those without an id are left out."""
        found: dict[Any, str] = {}
        for match in dict.fromkeys(self.matches):
            left = [pk for pk in pks if pk not in found]
            try:
                found |= lookup_of(self.model_class, match).values(self.model_class._base_manager, left)
            except (FieldDoesNotExist, TypeError):
                continue  # of a declaration with `find`, whose `match` nobody looks at
        return found


def first_of(ref: Ref) -> str:
    """The reference that keys, lists and reports show: the first that says anything; "" without one."""
    return ref if isinstance(ref, str) else next(filter(None, ref), "")


@dataclass
class OwnerFinder:
    """Finds owners for many references with one query per `CHUNK` and step of the chain, and remembers those it found.

    What was not found is asked again at the next call: owners arrive while an import runs.
    """

    owner: Owner | None
    _found: dict[Ref, OwnerMatch] = field(default_factory=dict)
    _lookups: dict[str, Lookup] = field(default_factory=dict)

    def find(self, refs: Iterable[object]) -> dict[Any, OwnerMatch]:
        """A match for each distinct normalised reference (`normalise_refs`)."""
        wanted = {normalise_refs(ref) for ref in refs}
        result = {ref: self._found[ref] for ref in wanted if ref in self._found}
        asked = []
        for ref in wanted - result.keys():
            if self.owner is not None and first_of(ref):
                asked.append(ref)
            else:
                result[ref] = OwnerMatch(reason="no_owner_reference")
        asked.sort(key=lambda ref: (isinstance(ref, str), ref))
        rows = self._by_function(asked) if self.owner is not None and self.owner.find else self._by_lookups(asked)
        for ref in asked:
            result[ref] = match = _match(rows.get(ref, ()))
            if match.owner is not None:
                self._found[ref] = match
        return result

    def one(self, ref: object) -> OwnerMatch:
        """The match for one reference; no query when it was found before."""
        return self.find([ref])[normalise_refs(ref)]

    def by_key(self, keys: Iterable[str]) -> dict[str, Any]:
        """Owners by their primary key, given as text; those that are not here are left out."""
        if self.owner is None:
            return {}
        model, wanted = self.owner.model_class, []
        for key in dict.fromkeys(keys):
            try:
                wanted.append(model._meta.pk.to_python(key))
            except (ValidationError, ValueError):
                continue
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), CHUNK):
            rows = model._base_manager.filter(pk__in=wanted[start : start + CHUNK])
            found |= {str(row.pk): row for row in rows.order_by()}
        return found

    def forget(self, ref: object) -> None:
        """Ask anew next time, after a row vanished under us."""
        self._found.pop(normalise_refs(ref), None)

    def _by_lookups(self, refs: Sequence[Ref]) -> dict[Ref, Sequence[Any]]:
        """All owners that fit, by the first key of the chain that has any."""
        if self.owner is None or not refs:
            return {}
        manager = self.owner.model_class._base_manager
        answers: dict[Ref, Sequence[Any]] = {}
        left = list(refs)
        for place, match in self.owner.steps:
            if match not in self._lookups:
                self._lookups[match] = lookup_of(self.owner.model_class, match)
            values = {ref: _value(ref, place) for ref in left}
            rows = self._lookups[match].rows(manager, sorted(set(values.values()) - {""}))
            answers |= {ref: rows[value] for ref, value in values.items() if value in rows}
            left = [ref for ref in left if ref not in answers]
            if not left:
                break
        return answers

    def _by_function(self, refs: Sequence[Ref]) -> dict[Ref, Sequence[Any]]:
        assert self.owner is not None and self.owner.find is not None
        answers: dict[Ref, Sequence[Any]] = {}
        for start in range(0, len(refs), CHUNK):
            portion = refs[start : start + CHUNK]
            asked = {ref: self._parted(ref) for ref in portion}
            said = self.owner.find(list(dict.fromkeys(asked.values())))
            for ref in portion:
                given = said.get(asked[ref])
                rows = [given] if isinstance(given, Model) else list(given or ())
                answers[ref] = list({row.pk: row for row in rows}.values())
        return answers

    def _parted(self, ref: Ref) -> Ref:
        """As `Owner.find` takes it: one text, where there are several fields, is the first one's."""
        more = len(self.owner.fields) - 1 if self.owner is not None else 0
        return (ref, *[""] * more) if isinstance(ref, str) and more else ref


def _value(ref: Ref, place: int) -> str:
    """A reference's part; one text without parts (typed by a person, or of an older ledger) may be any of them."""
    if isinstance(ref, str):
        return ref
    return ref[place] if place < len(ref) else ""


def _match(rows: Sequence[Any]) -> OwnerMatch:
    if len(rows) == 1:
        return OwnerMatch(owner=rows[0])
    if rows:
        return OwnerMatch(reason="ambiguous", candidates=tuple(sorted(row.pk for row in rows)))
    return OwnerMatch(reason="owner_missing")


__all__ = ["CHUNK", "Find", "Owner", "OwnerFinder", "OwnerMatch", "Ref", "first_of", "normalise_ref", "normalise_refs"]
