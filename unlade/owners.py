"""Who a file belongs to: from the source's owner reference to one row of the project, or to a reason why not.

Ids are compared without case, braces and surrounding white space. Two rows that fit are never guessed between
(LESSONS 9; CONTRACT B3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.functions import Trim, Upper

#: Rows asked for in one query; below SQLite's limit of variables.
CHUNK = 400


def normalise_ref(value: object) -> str:
    """The form in which owner references are compared: trimmed, braces off, upper case."""
    text = str(value if value is not None else "").strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    return text.upper()


@dataclass(frozen=True, slots=True)
class OwnerMatch:
    """What a reference came to: exactly one owner, none, or several that fit.

    `reason` is "" with an owner, else `no_owner_reference`, `owner_missing` or `ambiguous`; `candidates` are the
    primary keys that fit when there are several.
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
        }.get(self.reason, "")


@dataclass(frozen=True)
class Owner:
    """Declares whom the files of an import belong to.

    `field` is the source's field with the owner's id, `model` the project's model (or its label `app.Model`), `match`
    the model field that holds the same id; it should be indexed on its upper-case form.
    """

    field: str
    model: type[Model] | str
    match: str = "filemaker_id"

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model) if isinstance(self.model, str) else self.model


@dataclass
class OwnerFinder:
    """Finds owners for many references with one query per `CHUNK`, and remembers those it found.

    What was not found is asked again at the next call: owners arrive while an import runs.
    """

    owner: Owner | None
    _found: dict[str, OwnerMatch] = field(default_factory=dict)

    def find(self, refs: Iterable[object]) -> dict[str, OwnerMatch]:
        """A match for each distinct normalised reference."""
        wanted = {normalise_ref(ref) for ref in refs}
        result = {ref: self._found[ref] for ref in wanted if ref in self._found}
        missing = sorted(ref for ref in wanted - result.keys() if ref)
        if "" in wanted:
            result[""] = OwnerMatch(reason="no_owner_reference")
        for start in range(0, len(missing), CHUNK):
            result |= self._ask(missing[start : start + CHUNK])
        return result

    def one(self, ref: object) -> OwnerMatch:
        """The match for one reference; no query when it was found before."""
        return self.find([ref])[normalise_ref(ref)]

    def forget(self, ref: object) -> None:
        """Ask anew next time, after a row vanished under us."""
        self._found.pop(normalise_ref(ref), None)

    def _ask(self, refs: list[str]) -> dict[str, OwnerMatch]:
        if self.owner is None:
            return {ref: OwnerMatch(reason="no_owner_reference") for ref in refs}
        manager = self.owner.model_class._base_manager
        spelt = refs + [f"{{{ref}}}" for ref in refs]
        rows = manager.annotate(_ref=Upper(Trim(self.owner.match))).filter(_ref__in=spelt)
        by_ref: dict[str, list[Any]] = {ref: [] for ref in refs}
        for row in rows:
            by_ref[normalise_ref(getattr(row, "_ref"))].append(row)  # noqa: B009 - an annotation, unknown to types
        answers = {}
        for ref, owners in by_ref.items():
            if len(owners) == 1:
                answers[ref] = self._found[ref] = OwnerMatch(owner=owners[0])
            elif owners:
                answers[ref] = OwnerMatch(reason="ambiguous", candidates=tuple(sorted(row.pk for row in owners)))
            else:
                answers[ref] = OwnerMatch(reason="owner_missing")
        return answers
