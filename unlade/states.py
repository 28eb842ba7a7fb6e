"""States of items and runs, the allowed arrows, and one sentence per arrow.

The ledger refuses an arrow that does not stand here, so a bug cannot move an item where no reader expects it.
Source: CONTRACT B1.
"""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    PENDING = "pending"
    IMPORTED = "imported"
    EMPTY = "empty"
    UNLINKED = "unlinked"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    ACCEPTED = "accepted"


class RunOutcome(StrEnum):
    RUNNING = "running"
    DONE = "done"
    LIMIT = "limit"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DIED = "died"  #: its process ended without a word; the next run found it so


S = ItemState

#: (from, to) -> why an item may go there.
ARROWS: dict[tuple[ItemState, ItemState], str] = {
    (S.PENDING, S.PENDING): "A try was broken off (interrupt, resting host, full limit): nothing is decided.",
    (S.PENDING, S.IMPORTED): "Its file is stored, its row is written and its owner is linked.",
    (S.PENDING, S.EMPTY): "Every declared container of the record is empty.",
    (S.PENDING, S.UNLINKED): "Its file is stored and has a row, but the owner is not here or not certain.",
    (S.PENDING, S.QUARANTINED): "Its best bytes are stored, but they are damaged or not a file.",
    (S.PENDING, S.FAILED): "The file could not be had; the reason says whether it will be tried again.",
    (S.PENDING, S.ACCEPTED): "A person closed it before it was settled.",
    (S.FAILED, S.FAILED): "Another try ended the same way.",
    (S.FAILED, S.PENDING): "A person, or its own schedule, asked for another try.",
    (S.FAILED, S.IMPORTED): "A later try brought the file.",
    (S.FAILED, S.EMPTY): "The record was emptied in FileMaker since.",
    (S.FAILED, S.UNLINKED): "A later try brought the file; the owner is still missing.",
    (S.FAILED, S.QUARANTINED): "A later try brought bytes, but they are damaged.",
    (S.FAILED, S.ACCEPTED): "A person accepted that this file is not to be had.",
    (S.UNLINKED, S.IMPORTED): "The owner arrived and was linked.",
    (S.UNLINKED, S.UNLINKED): "Looked at again; the owner is still missing.",
    (S.UNLINKED, S.QUARANTINED): "A check found the stored bytes damaged.",
    (S.UNLINKED, S.ACCEPTED): "A person accepted that it has no owner.",
    (S.IMPORTED, S.UNLINKED): "Its owner was deleted or the link was taken back.",
    (S.IMPORTED, S.IMPORTED): "Its row was refreshed from an edited record.",
    (S.IMPORTED, S.QUARANTINED): "A check found the stored bytes damaged.",
    (S.QUARANTINED, S.QUARANTINED): "Looked at again; the bytes are still damaged.",
    (S.QUARANTINED, S.IMPORTED): "A good file took the damaged one's place.",
    (S.QUARANTINED, S.UNLINKED): "A good file took the damaged one's place; the owner is still missing.",
    (S.QUARANTINED, S.PENDING): "A person, or an edit in FileMaker, asked for another try.",
    (S.QUARANTINED, S.ACCEPTED): "A person accepted the damaged file as the best there is.",
    (S.EMPTY, S.EMPTY): "Looked at again; still empty.",
    (S.EMPTY, S.PENDING): "The record was filled in FileMaker since.",
    (S.EMPTY, S.IMPORTED): "The record was filled in FileMaker since, and its file is here.",
    (S.EMPTY, S.ACCEPTED): "A person closed it.",
    (S.ACCEPTED, S.PENDING): "A person opened it again.",
    (S.IMPORTED, S.ACCEPTED): "A person accepted that its row says something else than the source.",
    (S.ACCEPTED, S.IMPORTED): "A person opened it again; it is as it was.",
    (S.ACCEPTED, S.FAILED): "A person opened it again; it is as it was.",
    (S.ACCEPTED, S.UNLINKED): "A person opened it again; it is as it was.",
    (S.ACCEPTED, S.QUARANTINED): "A person opened it again; it is as it was.",
    (S.ACCEPTED, S.EMPTY): "A person opened it again; it is as it was.",
    (S.IMPORTED, S.FAILED): "A check found its object or row wrong, and a person asked for another try.",
    (S.UNLINKED, S.FAILED): "A check found its object or row wrong, and a person asked for another try.",
    (S.QUARANTINED, S.FAILED): "A check found its object or row wrong, and a person asked for another try.",
}

#: States in which nothing is left to do by itself.
SETTLED = frozenset({S.IMPORTED, S.EMPTY, S.UNLINKED, S.QUARANTINED, S.ACCEPTED})

#: States that have a stored object and a row.
STORED = frozenset({S.IMPORTED, S.UNLINKED, S.QUARANTINED})


def check_arrow(old: str, new: str) -> None:
    """Raise `ValueError` when an item may not go from `old` to `new`."""
    if (ItemState(old), ItemState(new)) not in ARROWS:
        raise ValueError(f"an item cannot go from {old} to {new}")
