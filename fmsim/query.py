"""What a listing or a find asks for, from query parameters or from a JSON body (FILEMAKER.md 2.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fmsim.errors import HostError
from fmsim.render import PORTAL_LIMIT, Wish

SCRIPT_STEPS = (".prerequest", ".presort", "")


@dataclass(slots=True)
class Query:
    """Paging, order, output and scripts of one request."""

    offset: int = 1
    limit: int = 100
    sort: list[tuple[str, bool]] = field(default_factory=list)  #: field, descending
    wish: Wish = field(default_factory=Wish)
    response_layout: str | None = None
    date_code: str = "0"
    scripts: list[tuple[str, str, str]] = field(default_factory=list)  #: step suffix, name, parameter


def read(given: Mapping[str, Any], underscore: str, bad_code: int) -> Query:
    """Reads parameters.

    Args:
        given: query parameters or the members of a body.
        underscore: `_` for GET, nothing for a body.
        bad_code: FileMaker's code for what cannot be used.

    Raises:
        HostError: `bad_code`, or 960.
    """
    query = Query()
    query.offset = _count(given.get(f"{underscore}offset", 1), bad_code)
    query.limit = _count(given.get(f"{underscore}limit", 100), bad_code)
    query.sort = [_sort_entry(entry) for entry in _listed(given.get(f"{underscore}sort"))]
    query.response_layout = given.get("layout.response") or None
    query.date_code = str(given.get("dateformats", "0"))
    if query.date_code not in ("0", "1", "2"):
        raise HostError(bad_code)
    if "portal" in given:
        query.wish.portals = [str(name) for name in _listed(given["portal"])]
    for key, value in given.items():
        for what, position in ((f"{underscore}offset.", 0), (f"{underscore}limit.", 1)):
            if key.startswith(what):
                paging = list(query.wish.paging.get(key[len(what) :], (1, PORTAL_LIMIT)))
                paging[position] = _count(value, bad_code)
                query.wish.paging[key[len(what) :]] = (paging[0], paging[1])
    for step in SCRIPT_STEPS:
        if name := given.get(f"script{step}"):
            query.scripts.append((step, str(name), str(given.get(f"script{step}.param", ""))))
    return query


def _count(value: Any, bad_code: int) -> int:
    if isinstance(value, bool) or not str(value).strip().isdigit() or int(value) < 1:
        raise HostError(bad_code)
    return int(value)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            value = json.loads(value)
        except ValueError:
            raise HostError(960) from None
    if value is None:
        return []
    if not isinstance(value, list):
        raise HostError(960)
    return value


def _sort_entry(entry: Any) -> tuple[str, bool]:
    if not isinstance(entry, dict) or not isinstance(entry.get("fieldName"), str):
        raise HostError(960)
    return entry["fieldName"], str(entry.get("sortOrder", "ascend")).lower().startswith("desc")
