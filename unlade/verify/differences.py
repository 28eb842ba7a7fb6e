"""What a check can find, in words, and what to type for it. One table for text, JSON and reports."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from unlade.report.advice import MANAGE, existing, import_command
from unlade.store.opening import local_path


class Weight(StrEnum):
    """How grave: only differences make the check fail."""

    DIFFERENCE = "difference"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding: what is so, and what to do about it."""

    weight: Weight
    sentence: str
    remedy: str


_D, _W, _N = Weight.DIFFERENCE, Weight.WARNING, Weight.NOTE

_FETCH = "Have it fetched anew, or give the file if you have it:"
_ROW = "Have its row written anew from the record and the stored file; without FileMaker, from the ledger:"

KINDS: dict[str, Kind] = {
    "object_missing": Kind(_D, "The file is not in the store.", _FETCH),
    "object_size": Kind(_D, "The file in the store has another size than was stored.", _FETCH),
    "object_damaged": Kind(_D, "The file in the store has other bytes than were stored.", _FETCH),
    "object_unreadable": Kind(_D, "The file is in the store and cannot be read.", _FETCH),
    "row_missing": Kind(_D, "The row is not in the database.", _ROW),
    "row_key": Kind(_D, "The row points to another file.", _ROW),
    "row_digest": Kind(_D, "The row says another sha256 than the file was stored with.", _ROW),
    "row_owner": Kind(
        _D,
        "The row belongs to somebody else than the record says.",
        "Have the link made anew as the record says, or accept it if a person moved it on purpose:",
    ),
    "owner_lost": Kind(_D, "The row has no owner any more.", "Link it again once the owner is here:"),
    "stranger": Kind(
        _D, "An object among the files is none of this import's.", "Find out whose it is, then take it away:"
    ),
    "orphan": Kind(
        _D,
        "An object says that it is this import's, and the ledger does not know its record.",
        "Run the import: it meets the record again. If it was deleted in FileMaker, take the object away:",
    ),
    "record_missing": Kind(_D, "The record's row is not in the database.", "The next run writes it again:"),
    "record_id": Kind(
        _D, "The record's row has another FileMaker id.", "See which of them is right; a run makes what is missing:"
    ),
    "thumbnail_missing": Kind(_W, "The thumbnail is not in the store.", "Have it made anew:"),
    "spare_missing": Kind(
        _W, "The damaged better copy that lay beside a lesser one is not in the store.", "Nothing needs it."
    ),
    "spare_damaged": Kind(
        _W,
        "The damaged better copy that lies beside a lesser one has other bytes than were stored.",
        "Nothing needs it.",
    ),
    "linked_by_hand": Kind(
        _W, "The row has an owner that the ledger does not know of.", "If a person linked it on purpose, say so:"
    ),
    "row_day": Kind(
        _W,
        "The row is filed under another day than the record says.",
        "Have its row written anew, or accept it if a person moved it on purpose:",
    ),
    "older_version": Kind(
        _N, "An older version, or a damaged copy that was set aside, of a file that is here.", "Nothing: it is kept."
    ),
    "unrecorded": Kind(_N, "A file is stored, and its record is not settled yet.", "The next run takes it up:"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `key` is the object's, `row` the primary key of the project's row."""

    kind: str
    source: str
    record_id: str = ""
    slot: str = ""
    key: str = ""
    row: str = ""
    detail: str = ""
    url: str = ""  #: of the store, for findings about an object that no item holds

    @property
    def weight(self) -> Weight:
        """How grave it is."""
        return KINDS[self.kind].weight

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type, complete."""
        resolve = f"{MANAGE} filemaker_resolve {self.source} {shlex.quote(self.record_id)}"
        if self.slot:
            resolve += f" --field {shlex.quote(self.slot)}"
        again, run = f"{resolve} --again", import_command(self.source)
        if self.kind.startswith("object_"):
            return (f"{again} && {run}", f"{resolve} --file PATH")
        if self.kind in ("row_missing", "row_key", "row_digest"):
            return (f"{again} && {run}", f"{resolve} --row")
        if self.kind in ("row_owner", "row_day"):
            return (f"{resolve} --row", f'{resolve} --accept "moved by hand"')
        return {
            "owner_lost": (existing("relink_filemaker", self.source) or f"{resolve} --row",),
            "linked_by_hand": (f'{resolve} --accept "linked by hand"',),
            "thumbnail_missing": (f"{resolve} --row",),
            "stranger": _removal(self.url, self.key),
            "record_missing": (run,),
            "record_id": (f"{MANAGE} filemaker_trace {shlex.quote(self.record_id)} --source {self.source}", run),
            "orphan": (run, *_removal(self.url, self.key)),
            "unrecorded": (run,),
        }.get(self.kind, ())

    def as_json(self) -> dict[str, Any]:
        """JSON types; `type` is what to type."""
        kind = KINDS[self.kind]
        return {
            "kind": self.kind,
            "weight": str(kind.weight),
            "record": self.record_id or None,
            "field": self.slot or None,
            "key": self.key or None,
            "row": self.row or None,
            "sentence": kind.sentence,
            "detail": self.detail or None,
            "remedy": kind.remedy,
            "type": list(self.commands),
        }


def _removal(url: str, key: str) -> tuple[str, ...]:
    """How an object is removed by hand, by the kind of store; nothing of unlade's removes what is not its own."""
    scheme = url.partition("://")[0]
    whole = f"{url.rstrip('/')}/{key}"
    if scheme == "file":
        return (f"rm {shlex.quote(str(local_path(url) / key))}",)
    return {"s3": (f"aws s3 rm {shlex.quote(whole)}",), "gs": (f"gcloud storage rm {shlex.quote(whole)}",)}.get(
        scheme, ()
    )
