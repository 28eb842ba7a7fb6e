"""The open items of one import as tasks for a person: which record, what is wrong, what to do, what to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from unlade.importer import ContainerImport
from unlade.ledger.models import Item
from unlade.report.advice import MANAGE, existing, import_command
from unlade.report.reasons import reason, remedy
from unlade.states import ItemState

S = ItemState

#: Reasons that only another way out helps: the source gives no file for this record however often it is asked.
_NO_RETRY = frozenset({"duplicate_identity", "no_identity"})

#: What FileMaker's find mode takes for an operator; a backslash before it makes it a plain character.
_OPERATORS = re.compile(r'([\\@*#?!=<>≤≥"~…/{}])')


@dataclass(frozen=True, slots=True)
class Task:
    """One open item. `person`: somebody must act; otherwise a later run heals it, at `due` or when its owner comes.

    `find` is the identity as it is typed into a FileMaker find; "" when the record has none.
    """

    source: str
    record_id: str
    slot: str
    identity: str
    find: str
    owner_ref: str
    field: str
    state: str
    reason: str
    sentence: str
    detail: str
    tries: int
    person: bool
    due: datetime | None
    remedy: str
    commands: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON types; `type` is what to type."""
        return {
            "record": self.record_id,
            "slot": self.slot or None,
            "identity": self.identity or None,
            "find": self.find or None,
            "owner": self.owner_ref or None,
            "field": self.field or None,
            "state": self.state,
            "reason": self.reason,
            "sentence": self.sentence,
            "detail": self.detail or None,
            "attempts": self.tries,
            "needs_person": self.person,
            "next_try_at": self.due.isoformat() if self.due else None,
            "remedy": self.remedy,
            "type": list(self.commands),
        }


def find_text(identity: str) -> str:
    """`==` and the identity, for a find in that field: the whole field and nothing else (FileMaker's find operators)."""
    return "==" + _OPERATORS.sub(r"\\\1", identity) if identity else ""


def open_items(importer: ContainerImport, *, waiting_for_owner: bool = False) -> QuerySet[Item]:
    """Items that are not settled well: failed, quarantined, unlinked for a reason that needs a person.

    With `waiting_for_owner` those too whose owner has not come yet.
    """
    unlinked = Q(state=S.UNLINKED)
    if not waiting_for_owner:
        unlinked &= ~Q(reason="owner_missing")
    wanted = Q(state__in=[S.FAILED, S.QUARANTINED]) | unlinked
    items = Item.objects.filter(wanted, source__name=importer.name, gone_at=None).select_related("source")
    return items.order_by("state", "reason", "pk")


def waiting_for_owner(importer: ContainerImport) -> int:
    """How many files wait for an owner that has not come yet."""
    return Item.objects.filter(
        source__name=importer.name, state=S.UNLINKED, reason="owner_missing", gone_at=None
    ).count()


def tasks(importer: ContainerImport, *, waiting_for_owner: bool = False) -> Iterator[Task]:
    """A task for each open item, those of one reason together; memory does not depend on how many there are."""
    for item in open_items(importer, waiting_for_owner=waiting_for_owner).iterator(chunk_size=500):
        yield task_of(item)


def task_of(item: Item) -> Task:
    """The task that an open item is."""
    source = item.source.name
    code = item.reason or ("damaged" if item.state == S.QUARANTINED else "error")
    person = bool(item.final) if item.state == S.FAILED else code != "owner_missing"
    resolve = f"{MANAGE} filemaker_resolve {source} {shlex.quote(item.record_id)}"
    if item.slot:
        resolve += f" --field {shlex.quote(item.slot)}"
    what, commands = _what_to_do(item, code, person, resolve)
    return Task(
        source=source,
        record_id=item.record_id,
        slot=item.slot,
        identity=item.identity,
        find=find_text(item.identity),
        owner_ref=item.owner_ref,
        field=item.field or item.slot or next((str(entry.get("field", "")) for entry in item.attempts), ""),
        state=item.state,
        reason=code,
        sentence=reason(code).sentence,
        detail=item.detail,
        tries=item.tries,
        person=person,
        due=item.next_try_at,
        remedy=what,
        commands=commands,
    )


def _what_to_do(item: Item, code: str, person: bool, resolve: str) -> tuple[str, tuple[str, ...]]:
    source = item.source.name
    accept = f'{resolve} --accept "REASON"'
    relink = existing("relink_filemaker", source)
    if item.state == S.UNLINKED:
        if code == "row_missing":
            what = "Have its row written anew, or accept it if it was deleted on purpose:"
            return what, (f"{resolve} --row", accept)
        return remedy(code, import_command(source)), (*filter(None, [relink]), accept)
    if not person:
        return "Nothing: the first run that finds it due tries it again.", (import_command(source),)
    if code in _NO_RETRY:
        return remedy(code, import_command(source)), (accept,)
    again = f"{resolve} --again && {import_command(source)}"
    what = (
        reason(code).remedy.replace("`{again}`", "the first command below").replace("{again}", import_command(source))
    )
    return what, (again, f"{resolve} --file PATH", accept)
