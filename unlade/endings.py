"""How runs end: the outcome and exit code of any, and what the last pass before FileMaker is switched off asks for."""

from __future__ import annotations

from unlade.errors import HostResting, Interrupted, LimitReached, NotFinal, NotNow, UnladeError
from unlade.ledger.books import Books
from unlade.states import ItemState, RunOutcome

S = ItemState


def check_final(books: Books) -> None:
    """Raise `NotFinal` unless nothing is new, edited or open: FileMaker may be switched off (CONTRACT B1)."""
    counts = books.counts()
    is_open = sum(counts[state] for state in (S.PENDING, S.FAILED, S.UNLINKED, S.QUARANTINED))
    found = {"new": books.new, "edited": books.edited, "open": is_open}
    if any(found.values()):
        said = ", ".join(f"{count:,} {what}" for what, count in found.items() if count)
        raise NotFinal(
            f"Not final yet: {said}.",
            remedy="Work the open ones off (filemaker_worklist), then make the pass again with nobody in FileMaker.",
        )


def outcome_of(error: UnladeError | None, books: Books) -> tuple[str, int]:
    """The run's outcome and exit code (CONTRACT A3)."""
    this_run = books.this_run()
    bad = this_run["failed"] + this_run["quarantined"]
    if error is None:
        return RunOutcome.DONE, 3 if bad else 0
    if isinstance(error, LimitReached):
        return RunOutcome.LIMIT, 3 if bad else 0
    if isinstance(error, (HostResting, NotNow)):
        return RunOutcome.PAUSED, error.exit_code
    if isinstance(error, Interrupted):
        return RunOutcome.INTERRUPTED, error.exit_code
    return RunOutcome.FAILED, error.exit_code
