"""What the generated script is asked to export: plain values, checked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from unlade.errors import UsageError

Variant = Literal["data-file", "export-field"]

#: `photo(2)`: a repetition, as declarations spell it.
_REPETITION = re.compile(r"(?P<name>.+)\((?P<number>[1-9]\d{0,3})\)", re.DOTALL)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")

#: Lines after which a manifest part is closed and the next one opened.
LINES_A_PART = 1000
#: `Write to Data File` takes 64 MB at most; decimal, to stay clear of the limit (DESKTOP.md 0.2).
LARGEST_WRITE = 64_000_000


@dataclass(frozen=True, slots=True)
class ContainerField:
    """One container value of a record: `name` may be qualified (`Photos::image`), repetitions count from 1."""

    name: str
    repetition: int = 1

    @classmethod
    def parse(cls, spelt: str) -> ContainerField:
        """From `photo` or `photo(2)`."""
        match = _REPETITION.fullmatch(spelt)
        return cls(match["name"], int(match["number"])) if match else cls(spelt)

    @property
    def spelt(self) -> str:
        """As declarations spell it."""
        return self.name if self.repetition == 1 else f"{self.name}({self.repetition})"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Everything the generator needs; the same plan always gives the same bytes.

    Field names as FileMaker has them, "" for none. `table` is the table occurrence of the layout; "" lets the script
    ask FileMaker (not possible with `export-field`). `all_fields`: every container instead of the best one.
    `field_ids` by container name, for `export-field`. `for_version` is the oldest FileMaker that will run the script.
    """

    name: str
    layout: str
    identity: str
    containers: tuple[ContainerField, ...]
    owner: str = ""
    date: str = ""
    category: str = ""
    original_name: str = ""
    extras: tuple[str, ...] = ()
    all_fields: bool = False
    variant: Variant = "data-file"
    table: str = ""
    field_ids: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    for_version: int = 19

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.name):
            raise UsageError(f"{self.name!r} cannot name a folder: use letters, digits, - and _, 60 at most")
        if not self.layout or not self.identity or not self.containers:
            raise UsageError("an export needs a layout, an identity field and at least one container field")
        if len(set(self.containers)) != len(self.containers):
            raise UsageError("a container field is named twice")
        for text in (self.layout, self.table, *self.fields, *(c.name for c in self.containers)):
            if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
                raise UsageError(f"{text!r} holds a control character; FileMaker names have none")
        self._check_variant()

    def _check_variant(self) -> None:
        if self.variant == "data-file" and self.for_version < 19:
            raise UsageError(
                "the data-file script needs FileMaker 19 or newer",
                remedy="Use --variant export-field for older versions.",
            )
        unqualified = [c.name for c in self.containers if "::" not in c.name]
        if self.variant == "export-field" and not self.table and unqualified:
            raise UsageError(
                "the export-field script must name the table occurrence of the layout",
                remedy="Give it with --table; FileMaker shows it in Layout mode under Layouts > Layout Setup, "
                '"Show records from".',
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are no containers, each once."""
        named = (self.identity, self.owner, self.date, self.category, self.original_name, *self.extras)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def writes_manifest(self) -> bool:
        """Whether the script can write a manifest itself.

        The steps for it came with FileMaker 18, attributes of a container in a variable with 19 (DESKTOP.md 2.3).
        """
        return self.for_version >= 19

    @property
    def script_name(self) -> str:
        """How the script is called in Script Workspace."""
        tail = "" if self.variant == "data-file" else " (Export Field Contents)"
        return f"unlade export {self.name}{tail}"


def plan_export(
    name: str,
    *,
    layout: str,
    identity: str,
    containers: Sequence[str],
    owner: str = "",
    date: str = "",
    category: str = "",
    original_name: str = "",
    extras: Sequence[str] = (),
    all_fields: bool = False,
    variant: Variant = "data-file",
    table: str = "",
    field_ids: Mapping[str, int] | None = None,
    for_version: int = 19,
) -> ExportPlan:
    """An `ExportPlan` from a declaration's plain values; containers as declared, best first, `photo(2)` allowed.

    Raises `UsageError` for what cannot work.
    """
    return ExportPlan(
        name=name,
        layout=layout,
        identity=identity,
        containers=tuple(ContainerField.parse(spelt) for spelt in containers),
        owner=owner,
        date=date,
        category=category,
        original_name=original_name,
        extras=tuple(extras),
        all_fields=all_fields,
        variant=variant,
        table=table,
        field_ids=MappingProxyType(dict(field_ids or {})),
        for_version=for_version,
    )
