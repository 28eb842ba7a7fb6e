"""What joining asks of a declaration, and its fields by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from unlade.desktop.read import Value

Match = Literal["", "record", "id", "path", "md5"]


class Declares(Protocol):
    """What is asked of a declaration (`unlade.importer.ContainerImport` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def containers(self) -> Sequence[str]: ...
    @property
    def owner(self) -> Any: ...
    @property
    def taken_on(self) -> Any: ...
    @property
    def category(self) -> str: ...
    @property
    def original_name(self) -> str: ...
    @property
    def digest_field(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Fields:
    """The declared fields by role, "" for none."""

    identity: str
    owner: str
    date: str
    md5: str
    containers: tuple[str, ...]
    wanted: tuple[str, ...]  #: every declared field that is no container

    @classmethod
    def of(cls, importer: Declares) -> Fields:
        """From a declaration."""
        owner = str(importer.owner.fields[0]) if importer.owner else ""
        day = str(importer.taken_on.field) if importer.taken_on else ""
        names = (importer.identity, owner, day, importer.category, importer.original_name, importer.digest_field)
        wanted = tuple(dict.fromkeys(name for name in names if name))
        return cls(importer.identity, owner, day, importer.digest_field, tuple(importer.containers), wanted)


def text_of(value: Value) -> str:
    """A value as one text; repetitions stand in lines."""
    return value if isinstance(value, str) else "\n".join(value)
