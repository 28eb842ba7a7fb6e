"""What a host says of itself and of its layouts (FILEMAKER.md 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from unlade.errors import FieldMissing, ProtocolError
from unlade.filemaker.api import Api
from unlade.filemaker.errors import Reply, refusal

_REPETITION = re.compile(r"(.+)\((\d+)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ProductInfo:
    """The Data API engine. `major` is 0 where the version cannot be read."""

    name: str
    version: str
    date_format: str = ""

    @property
    def major(self) -> int:
        """The server generation: 19, 20, ... FileMaker Cloud counts it in the second place (2.19.3.2)."""
        numbers = [int(part) for part in re.findall(r"\d+", self.version)[:2]]
        if numbers and numbers[0] == 2 and len(numbers) > 1:
            return numbers[1]
        return numbers[0] if numbers else 0


@dataclass(frozen=True, slots=True)
class LayoutField:
    """A field as a layout shows it. `result` is text, number, date, time, timeStamp or container."""

    name: str
    result: str
    type: str = "normal"
    is_global: bool = False
    max_repeat: int = 1
    repetition_start: int = 1
    repetition_end: int = 1
    auto_enter: bool = False

    @property
    def is_container(self) -> bool:
        return self.result == "container"


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a layout, and those of its portals by the portal's name."""

    name: str
    fields: tuple[LayoutField, ...]
    portals: Mapping[str, tuple[LayoutField, ...]] = field(default_factory=dict)

    def find(self, spelling: str) -> LayoutField | None:
        """The field that `spelling` names, a repetition as `photo(2)`; None if it is not on the layout."""
        by_name = {entry.name: entry for entry in self.fields}
        if spelling in by_name:
            return by_name[spelling]
        match = _REPETITION.match(spelling)
        return by_name.get(match[1]) if match else None

    def containers(self) -> tuple[LayoutField, ...]:
        return tuple(entry for entry in self.fields if entry.is_container)


def base_name(spelling: str) -> tuple[str, int]:
    """`photo(2)` -> (`photo`, 2); `photo` -> (`photo`, 1)."""
    match = _REPETITION.match(spelling)
    return (match[1], int(match[2])) if match else (spelling, 1)


def product_info(api: Api, *, probe: bool = False) -> ProductInfo:
    """Ask the host which it is; needs no account. As a `probe` it is asked once and no more."""
    what, path = "Asking the host for its version", f"{api.config.api}/productInfo"
    reply = api.probe(path, expected=500) if probe else api.get_public(path, what, expected=500)
    info = _need(reply, what).get("productInfo")
    if not isinstance(info, dict):
        raise ProtocolError(f"{what}: the answer has no productInfo", status=reply.status)
    return ProductInfo(str(info.get("name", "")), str(info.get("version", "")), str(info.get("dateFormat", "")))


def layout_names(api: Api) -> list[str]:
    """Every layout that this account sees, out of its folders, in the file's order."""
    what = f"Reading the layouts of database {api.config.database}"
    reply = api.get("/layouts", what, expected=20_000)
    return list(_unfold(_need(reply, what).get("layouts")))


def _unfold(entries: Any) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        if entry.get("isFolder") in (True, "true"):
            yield from _unfold(entry.get("folderLayoutNames"))
        elif entry.get("name") not in (None, "", "-"):
            yield str(entry["name"])


def layout_of(api: Api, name: str) -> Layout:
    """The fields of layout `name`. Raises `LayoutMissing`."""
    what = f"Reading the fields of layout {name}"
    reply = api.get(f"/layouts/{quote(name, safe='')}", what, expected=50_000)
    response = _need(reply, what)
    if not isinstance(response.get("fieldMetaData"), list):
        raise ProtocolError(f"{what}: the answer has no fieldMetaData", status=reply.status)
    portals = response.get("portalMetaData")
    return Layout(
        name,
        _fields(response["fieldMetaData"]),
        {str(key): _fields(value) for key, value in portals.items()} if isinstance(portals, dict) else {},
    )


def _fields(entries: Any) -> tuple[LayoutField, ...]:
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(
        LayoutField(
            name=str(entry.get("name", "")),
            result=str(entry.get("result", "text")),
            type=str(entry.get("type", "normal")),
            is_global=entry.get("global") in (True, "true"),
            max_repeat=_int(entry.get("maxRepeat")),
            repetition_start=_int(entry.get("repetitionStart")),
            repetition_end=_int(entry.get("repetitionEnd")),
            auto_enter=entry.get("autoEnter") in (True, "true"),
        )
        for entry in known
    )


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 1


def _need(reply: Reply, what: str) -> dict[str, Any]:
    if not reply.ok:
        raise refusal(reply, what)
    return reply.response


def check_containers(layout: Layout, declared: tuple[str, ...]) -> None:
    """Raise `FieldMissing` when a declared container is not on the layout or is none."""
    for spelling in declared:
        entry = layout.find(spelling)
        if entry is None:
            raise FieldMissing(
                f"Field {spelling} is not on layout {layout.name}",
                remedy="Put it on the layout, or correct its name in the declaration.",
            )
        if not entry.is_container:
            raise FieldMissing(
                f"Field {spelling} on layout {layout.name} is a {entry.result} field, not a container",
                remedy="Name a container field in the declaration.",
            )
