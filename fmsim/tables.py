"""The rows as they are now: a working copy of the data set, so that a reset can bring the start back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fmsim.dataset import Account, DataSet, Layout, Record


class Table:
    """Rows in creation order, found by record id. Rows are replaced or given new `values`, never changed inside."""

    def __init__(self, name: str, rows: Iterable[Record]) -> None:
        self.name = name
        self.rows = [Record(row.record_id, row.mod_id, row.values, row.portals) for row in rows]
        self._by_id = {row.record_id: row for row in self.rows}
        self._last_id = max((_as_int(row.record_id) for row in self.rows), default=0)
        self.settled: set[str] = set()  #: rows that a fault plan has touched already

    def get(self, record_id: str) -> Record | None:
        return self._by_id.get(record_id)

    def add(self, values: dict[str, Any], portals: dict[str, list[dict[str, Any]]] | None = None) -> Record:
        """A new row at the end with the next record id."""
        self._last_id += 1
        row = Record(str(self._last_id), "0", values, portals or {})
        self.rows.append(row)
        self._by_id[row.record_id] = row
        return row

    def remove(self, row: Record) -> None:
        self.rows.remove(row)
        del self._by_id[row.record_id]

    def change(self, row: Record, values: dict[str, Any]) -> None:
        """Sets some values; the modification id goes up by one."""
        row.values = {**row.values, **values}
        row.mod_id = str(_as_int(row.mod_id) + 1)

    def lowest(self) -> list[Record]:
        return sorted(self.rows, key=lambda row: _as_int(row.record_id))


def _as_int(text: str) -> int:
    return int(text) if text.isdigit() else 0


class Tables:
    """All tables of a data set, and who sees what of them."""

    def __init__(self, data: DataSet, hidden: int = 0) -> None:
        self._data, self._hidden = data, hidden
        self.layouts: dict[str, Layout] = {layout.name: layout for layout in data.layouts}
        self.reset()

    def reset(self) -> None:
        names = {layout.table for layout in self._data.layouts} | set(self._data.tables)
        self._tables = {name: Table(name, self._data.tables.get(name, ())) for name in names}
        self._tail = {
            name: frozenset(row.record_id for row in table.rows[-self._hidden :]) if self._hidden else frozenset()
            for name, table in self._tables.items()
        }

    def of(self, layout: Layout) -> Table:
        return self._tables[layout.table]

    def named(self, name: str) -> Table:
        return self._tables[name]

    def first(self) -> Table:
        return self._tables[self._data.layouts[0].table]

    def hidden(self, table: Table, account: Account) -> frozenset[str]:
        """Record ids that this account does not see."""
        return self._tail[table.name] | account.hides.get(table.name, frozenset())

    def visible(self, table: Table, account: Account) -> list[Record]:
        """The rows that this account sees, in creation order; not to be changed."""
        hidden = self.hidden(table, account)
        return [row for row in table.rows if row.record_id not in hidden] if hidden else table.rows
