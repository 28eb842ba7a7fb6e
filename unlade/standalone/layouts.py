"""A pull over the Data API, declared on the fly: a layout's container fields, each filled value an item of its own.

The engine is the same as for a project's declarations. What differs: the record id is the identity, and global fields,
which every record shows, are read once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from unlade.cargo import ContainerRef, Count, Page, SourceRecord
from unlade.errors import RecordGone
from unlade.filemaker.source import DataApiSource
from unlade.hostline import ApiLine
from unlade.importer import ContainerImport, Thumbnail
from unlade.options import RunOptions
from unlade.rigging import Rigging
from unlade.roads import Line
from unlade.source import Download
from unlade.standalone.layoutfields import GLOBAL, Asked


class LayoutImport(ContainerImport):
    """The fields of one layout that belong to records. Not declared under a name: only a pull makes one."""

    each = True

    def __init__(self, asked: Asked, key: str, thumbnail: Thumbnail | None, *, globals_only: bool = False) -> None:
        fields = [one for one in asked.fields if one.is_global is globals_only]
        # On the instance: a class with a name would count as declared by the project.
        vars(self).update(
            name=_name(asked.layout, globals_only),
            layout=asked.layout,
            containers=tuple(text for one in fields for text in one.spellings),
            key=key,
            thumbnail=thumbnail,
        )
        self.asked, self.globals_only = asked, globals_only

    def identity_of(self, record: SourceRecord) -> str:
        """The record id."""
        return record.record_id

    def fields_needed(self) -> list[str]:
        """Nothing but the containers."""
        return list(dict.fromkeys(one.name for one in self.asked.fields if one.is_global is self.globals_only))

    def key_values(self, record: SourceRecord) -> Mapping[str, str]:
        """The layout stands where a pull from a file has the table."""
        return {"table": self.layout}


def imports_of(asked: Sequence[Asked], key: str, thumbnail: Thumbnail | None) -> list[LayoutImport]:
    """What is to be run, in order: each layout's records, then its globals."""
    made = [
        LayoutImport(one, key, thumbnail, globals_only=globals_only) for one in asked for globals_only in (False, True)
    ]
    return [one for one in made if one.containers]


def open_layout(importer: ContainerImport, rig: Rigging, options: RunOptions) -> Line:
    """The line to a layout's records, or to its global values."""
    line = ApiLine(importer, rig, options)
    if isinstance(importer, LayoutImport) and importer.globals_only:
        line.source = GlobalsSource(line.source)  # type: ignore[assignment]
    return line


class GlobalsSource:
    """A layout's global values as one record called `global`, read from whichever record comes first."""

    def __init__(self, source: DataApiSource) -> None:
        self._source, self.road = source, source.road

    def count(self) -> Count:
        """One, or none where the layout shows no record that could tell them."""
        return Count(min(1, self._source.count().found))

    def page(self, offset: int, limit: int) -> Page:
        """See `Source.page`."""
        page = self._source.page(1, 1)
        records = tuple(_as_global(record) for record in page.records[:1])
        return Page(offset, records if offset == 1 else (), Count(len(records)))

    def read(self, record_id: str) -> SourceRecord:
        """See `Source.read`."""
        for record in self._source.page(1, 1).records:
            return _as_global(record)
        raise RecordGone(f"Layout {self._source.layout} shows no record any more that could tell its global values.")

    def download(
        self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0
    ) -> AbstractContextManager[Download]:
        """See `Source.download`."""
        return self._source.download(record, ref, resume_at=resume_at)

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()


def _as_global(record: SourceRecord) -> SourceRecord:
    # The modification id is the record's own and says nothing of globals.
    return replace(record, record_id=GLOBAL, mod_id="0")


def _name(layout: str, globals_only: bool) -> str:
    """The import's name in the ledger and in the store: the same in every run, and never too long."""
    what = "pull-globals" if globals_only else "pull"
    return f"{what} {layout}" if len(layout) < 70 else f"{what} {layout[:50]} {_short(layout)}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
