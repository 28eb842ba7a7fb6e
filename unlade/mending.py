"""What to type for the findings of a comparison with a database file: the file itself mends most of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from unlade.report.advice import MANAGE, existing, import_command

_FETCH = "Have its file taken anew, from the database file:"
_RUN = "Import from the file; what is here already is not touched:"


class Mending(NamedTuple):
    """One kind of finding: how many findings it has, a sentence, and the commands for the first of them."""

    many: int
    sentence: str
    commands: tuple[str, ...]


def mendings(source: str, found: Iterable[tuple[str, str, str]], files: Sequence[Path]) -> list[Mending]:
    """What to type for `found`: kinds of `against.KINDS` with record id and slot; notes ask for nothing."""
    run = " ".join([import_command(source), *(f"--from {shlex.quote(str(path))}" for path in files)])
    grouped: dict[str, list[tuple[str, str]]] = {}
    for kind, record_id, slot in found:
        group = _GROUPS.get(kind)
        if group:
            grouped.setdefault(group, []).append((record_id, slot))
    made = []
    for group, items in grouped.items():
        record_id, slot = items[0]
        resolve = f"{MANAGE} filemaker_resolve {source} {shlex.quote(record_id)}"
        resolve += f" --field {shlex.quote(slot)}" if slot else ""
        again, row = f"{resolve} --again", f"{resolve} --row"
        sentence, commands = {
            "fetch": (_FETCH, (f"{again} && {run}",)),
            "better": (
                "Look at both. What is quarantined takes the file's bytes by the first of these; where a lesser copy "
                "stands, pull the better one (unlade pull) and give it:",
                (f"{again} && {run}", f"{resolve} --file PATH"),
            ),
            "row": ("Have its row written anew:", (row,)),
            "moved": (
                "Have its row written as the record says, or accept it if a person moved it on purpose:",
                (row, f'{resolve} --accept "moved by hand"'),
            ),
            "link": ("Link it to its owner:", (existing("relink_filemaker", source) or row,)),
            "run": (_RUN, (run,)),
        }[group]
        made.append(Mending(len(items), sentence, commands))
    return made


_GROUPS = {
    "object_missing": "fetch",
    "object_differs": "fetch",
    "different": "better",
    "better_in_file": "better",
    "row_missing": "row",
    "row_key": "row",
    "row_owner": "moved",
    "row_day": "moved",
    "row_unlinked": "link",
    "not_imported": "run",
    "not_stored": "run",
    "left_out": "run",
}
