"""Items by what a person calls them: record id or identity, one by one or from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unlade.errors import UsageError
from unlade.ledger.models import Item
from unlade.owners import normalise_ref


def ids_of(words: Iterable[str]) -> list[str]:
    """The ids in `17`, `17,18` and `@FILE` (one or more a line), in order, each once. Raises `UsageError`."""
    found: list[str] = []
    for word in words:
        if word.startswith("@"):
            try:
                text = Path(word[1:]).read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{word[1:]} cannot be read: {type(error).__name__}") from None
            found += [part.strip() for line in text.splitlines() for part in line.split(",")]
        else:
            found += [part.strip() for part in word.split(",")]
    ids = list(dict.fromkeys(part for part in found if part))
    if not ids:
        raise UsageError("no id is given", remedy="Give record ids or identities: 17, 17,18 or @FILE.")
    return ids


def find_item(source: str, text: str, field: str = "") -> Item:
    """The one item of `source` with this record id, else with this identity; `field` where a record has several.

    Raises `UsageError` when there is none, or more than one.
    """
    items = Item.objects.filter(source__name=source).select_related("source")
    if field:
        items = items.filter(slot=field)
    for wanted in (items.filter(record_id=text), items.filter(identity_key=normalise_ref(text)[:255])):
        found = list(wanted.order_by("pk")[:6])
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"{_exact(item)}{f' --field {item.slot}' if item.slot else ''}" for item in found)
            raise UsageError(f"{source}: more than one item goes by {text}", remedy=f"Say which: {names}.")
    raise UsageError(
        f"{source}: no item has the record id or identity {text}",
        remedy="filemaker_worklist and filemaker_trace show the ids there are.",
    )


def _exact(item: Item) -> str:
    """The identity; roads may give different records one record id (CONTRACT B5)."""
    return item.identity or f"record {item.record_id}"
