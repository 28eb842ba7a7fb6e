"""What the verbs that read a database file share: opening it with consent, naming fields, words for values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlade.consent import agree
from unlade.errors import UsageError
from unlade.fmp12 import DatabaseFile, Field, Table, open_file

Tick = Callable[[int, int, int], None]  #: how many are done, how many there are, bytes of this run


def no_tick(*_: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Given:
    """The database file as the command line names it."""

    path: Path
    yes: bool = False
    salvage: bool = False
    outside: tuple[Path, ...] = ()

    def open(self) -> DatabaseFile:
        """Open it and have a person agree. Raises `DatabaseFileError`, `UsageError`, `Interrupted`."""
        if not self.path.exists():
            raise UsageError(f"{self.path}: there is nothing there", remedy="Name a .fmp12 file.")
        database = open_file(self.path, salvage=self.salvage, outside=self.outside)
        try:
            agree(self.path, yes=self.yes)
        except BaseException:
            database.close()
            raise
        return database


@dataclass(frozen=True, slots=True)
class Chosen:
    """A table with those of its container fields that are meant."""

    table: Table
    fields: tuple[Field, ...]


def choose(database: DatabaseFile, names: Sequence[str]) -> list[Chosen]:
    """Tables and container fields by `TABLE.FIELD` or `TABLE`; all of them without names. Raises `UsageError`."""
    wanted: dict[str, dict[str, None]] = {}
    for name in names:
        table, field = _find(database, name)
        of_table = wanted.setdefault(table.name, {})
        of_table.update(dict.fromkeys([field.name] if field else [one.name for one in table.containers]))
    chosen = []
    for table in database.tables:
        fields = tuple(f for f in table.containers if not names or f.name in wanted.get(table.name, {}))
        if fields:
            chosen.append(Chosen(table, fields))
    return chosen


def _find(database: DatabaseFile, name: str) -> tuple[Table, Field | None]:
    folded = name.casefold()
    for table in database.tables:
        if folded == table.name.casefold() and table.containers:
            return table, None
        for field in table.containers:
            if folded == f"{table.name}.{field.name}".casefold():
                return table, field
    have = [f"{table.name}.{field.name}" for table in database.tables for field in table.containers]
    raise UsageError(
        f"{name} is no container field of {database.path.name}.",
        remedy=f"It has {', '.join(have[:40])}." if have else "It has no container fields at all.",
    )
