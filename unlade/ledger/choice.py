"""Whose an item is: a person's choice goes before the source's word, whatever is imported or linked later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unlade.ledger.events import REASSIGNED
from unlade.ledger.models import Event, Item
from unlade.owners import CHUNK, OwnerFinder, OwnerMatch, Ref, normalise_refs


def whose(finder: OwnerFinder, pairs: Iterable[tuple[Item, Ref]]) -> list[OwnerMatch]:
    """The owner of each of these items, given with what the source says of it now; in bulk queries.

    An owner that a person chose is known by its primary key, and when it was deleted and made anew (LESSONS 10) by
    the id that it had.
    """
    pairs = list(pairs)
    chosen = [item for item, _ in pairs if item.owner_row]
    here = finder.by_key(item.owner_row for item in chosen) if chosen else {}
    lost = [item for item in chosen if item.owner_row not in here]
    anew = _made_anew(finder, lost) if lost else {}
    matches = finder.find(ref for item, ref in pairs if not item.owner_row)
    found = []
    for item, ref in pairs:
        if not item.owner_row:
            found.append(matches[normalise_refs(ref)])
        elif item.owner_row in here:
            found.append(OwnerMatch(owner=here[item.owner_row]))
        else:
            found.append(anew.get(item.pk, OwnerMatch(reason="chosen_missing")))
    return found


def _made_anew(finder: OwnerFinder, items: Sequence[Item]) -> dict[int, OwnerMatch]:
    """Who has the ids now that chosen owners had; by the items' primary keys."""
    refs: dict[int, str] = {}
    pks = [item.pk for item in items if item.pk is not None]
    for start in range(0, len(pks), CHUNK):
        events = Event.objects.filter(item__in=pks[start : start + CHUNK], what=REASSIGNED).order_by("at", "pk")
        refs |= {pk: str(detail.get("to_id", "")) for pk, detail in events.values_list("item", "detail")}
    matches = finder.find(ref for ref in refs.values() if ref)
    found = {pk: matches[normalise_refs(ref)] for pk, ref in refs.items() if ref}
    return {pk: match for pk, match in found.items() if match.owner is not None}


__all__ = ["whose"]
