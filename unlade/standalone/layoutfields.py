"""Container fields as layouts show them, and which of them a pull over the Data API means. Free of Django."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unlade import keys
from unlade.errors import UsageError
from unlade.filemaker.metadata import Layout

GLOBAL = "global"  #: in the place of a record id (CONTRACT A4)


@dataclass(frozen=True, slots=True)
class ContainerField:
    """A container field as a layout shows it, with its repetitions from `first` to `last`."""

    name: str
    is_global: bool = False
    first: int = 1
    last: int = 1

    @property
    def is_related(self) -> bool:
        """Whether it is another table's field, which the layout shows through a relation."""
        return "::" in self.name

    @property
    def spellings(self) -> tuple[str, ...]:
        """`name`, `name(2)`, ... as the Data API writes them."""
        return tuple(self.name if n == 1 else f"{self.name}({n})" for n in range(self.first, self.last + 1))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def container_fields(layout: Layout) -> list[ContainerField]:
    """The container fields of a layout, related ones too."""
    return [
        ContainerField(one.name, one.is_global, one.repetition_start, max(one.repetition_start, one.repetition_end))
        for one in layout.containers()
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A layout with those of its container fields that are meant."""

    layout: str
    fields: tuple[ContainerField, ...]

    def value_of(self, spelling: str) -> tuple[str, int]:
        """Field and repetition of a spelling; a field may itself be called `photo(2)`."""
        for one in self.fields:
            for number, text in enumerate(one.spellings, one.first):
                if text == spelling:
                    return one.name, number
        return spelling, 1


def choose_fields(known: Mapping[str, Sequence[ContainerField]], names: Sequence[str]) -> list[Asked]:
    """The fields meant by `FIELD` or `LAYOUT.FIELD`, in any case; without names all but related ones.

    Raises `UsageError` that lists the fields there are.
    """
    wanted: set[tuple[str, str]] = set()
    for name in names:
        found = {
            (layout, one.name)
            for layout, fields in known.items()
            for one in fields
            if name.casefold() in (one.name.casefold(), f"{layout}.{one.name}".casefold())
        }
        if not found:
            have = ", ".join(f"{layout}.{one.name}" for layout, fields in known.items() for one in fields)
            raise UsageError(
                f"{name} is no container field of {', '.join(known)}.",
                remedy=f"There are {have}." if have else "Put the container fields on the layout.",
            )
        wanted |= found
    asked = []
    for layout, fields in known.items():
        chosen = [one for one in fields if ((layout, one.name) in wanted if names else not one.is_related)]
        asked.append(Asked(layout, tuple(chosen)))
    return asked


def check_api_key(pattern: str, asked: Sequence[Asked]) -> None:
    """Refuse a pattern by which two values could get one key. Raises `UsageError`."""
    errors = keys.check_pattern(pattern, ("table",))
    if any(f"{{{name}}}" in pattern for name in ("identity", "owner", "date", "category")):
        errors.append("{table}, {record}, {field} and {ext} are what a layout has")
    if "{name}" in pattern:
        errors = ["{name} is known only once a file was fetched, and keys must be known before"]
    spellings = [len(one.fields) + sum(field.last - field.first for field in one.fields) for one in asked]
    if sum(count > 0 for count in spellings) > 1 and "{table}" not in pattern:
        errors.append("it needs {table}: several layouts are pulled")
    if "{record}" not in pattern:
        errors.append("it needs {record}")
    if any(count > 1 for count in spellings) and "{field}" not in pattern:
        errors.append("it needs {field}: several container fields or repetitions are pulled")
    if errors:
        raise UsageError(
            f"--key {pattern}: {'; '.join(errors)}", remedy="The usual one is {table}/{record}/{field}{ext}"
        )
