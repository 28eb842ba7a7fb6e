"""What a simulated host serves: plain values that the built-in clinic makes and the folder reader fills (CONTRACT A5)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Blob(Protocol):
    """Bytes of one file, made or read only when somebody asks: a data set of any size costs little memory."""

    @property
    def size(self) -> int:
        """Bytes."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from `start` on; the same at every call."""


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A file on disk."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(start)
            while block := file.read(256 * 1024):
                yield block


@dataclass(frozen=True, slots=True)
class BytesBlob:
    """Bytes in memory."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield self.data[start:]


@dataclass(frozen=True, slots=True)
class GeneratedBlob:
    """Bytes out of a seed, up to any size, kept nowhere."""

    size: int
    seed: int = 0

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        block = random.Random(self.seed).randbytes(1 << 20)
        for number in range(start >> 20, (self.size + (1 << 20) - 1) >> 20):
            piece = number.to_bytes(8, "big") + block[8:]  # no two blocks of a file are the same
            yield piece[max(0, start - (number << 20)) : min(1 << 20, self.size - (number << 20))]


@dataclass(frozen=True, slots=True)
class ContainerValue:
    """One filled container: a file, a link that answers 404 (`missing`), or a text that points elsewhere (`reference`)."""

    blob: Blob | None = None
    name: str = ""
    content_type: str = "application/octet-stream"
    missing: bool = False
    reference: str | None = None


@dataclass(slots=True)
class Field:
    """A field as `fieldMetaData` describes it. `result`: text, number, date, time, timeStamp or container."""

    name: str
    result: str = "text"
    type: str = "normal"
    is_global: bool = False
    max_repeat: int = 1
    more: dict[str, Any] = field(default_factory=dict)  #: further fieldMetaData members, as given


@dataclass(slots=True)
class Layout:
    name: str
    table: str
    fields: list[Field]
    portals: dict[str, list[Field]] = field(default_factory=dict)
    folder: str = ""  #: the folder that a listing of layouts shows it in


@dataclass(slots=True)
class Record:
    """A row of a table. `values` maps a field name (`photo(2)` for a repetition) to text, a number, "" or a ContainerValue.

    Dates are texts in US form, as FileMaker's Data API sends them by default.
    """

    record_id: str
    mod_id: str
    values: dict[str, Any]
    portals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    name: str
    password: str
    privileges: frozenset[str] = frozenset({"fmrest"})
    hides: dict[str, frozenset[str]] = field(default_factory=dict)  #: table -> recordIds that this account does not see


@dataclass(slots=True)
class Script:
    """A script that a request may name. It does nothing but answer: `result` None echoes the parameter."""

    name: str
    result: str | None = None
    error: str = "0"
    folder: str = ""


@dataclass(slots=True)
class DataSet:
    database: str
    accounts: list[Account]
    layouts: list[Layout]
    tables: dict[str, list[Record]]
    product_name: str = "FileMaker Data API Engine"
    product_version: str = "21.1.1.41"
    scripts: list[Script] = field(default_factory=list)
