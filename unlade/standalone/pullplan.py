"""What a pull over the API was asked for, kept beside its ledger, so that the same command goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlade.errors import UsageError
from unlade.standalone.layoutfields import Asked, ContainerField
from unlade.standalone.manifest import replace_file

PLAN = "pull.json"


@dataclass
class Plan:
    """A pull: from which database, by which key, which layouts, and which of their fields are being pulled.

    `known` are all container fields of each layout, `chosen` names of those that are pulled, by layout.
    """

    url: str
    database: str
    key: str
    known: dict[str, list[ContainerField]] = field(default_factory=dict)
    chosen: dict[str, list[str]] = field(default_factory=dict)

    @property
    def asked(self) -> list[Asked]:
        """The layouts with the fields that are pulled."""
        return [
            Asked(layout, tuple(one for one in self.known[layout] if one.name in names))
            for layout, names in self.chosen.items()
        ]

    def widen(self, asked: Sequence[Asked]) -> list[str]:
        """Pull these fields too; what was begun is gone on with. Returns the layouts that have to be listed anew."""
        anew = []
        for one in asked:
            have = self.chosen.get(one.layout)
            more = [field.name for field in one.fields if field.name not in (have or [])]
            if have is not None and more:
                anew.append(one.layout)
            self.chosen[one.layout] = [*(have or []), *more]
        return anew

    def save(self, folder: Path) -> None:
        """Write it into the state folder, whole or not at all."""
        data = {
            "url": self.url,
            "database": self.database,
            "key": self.key,
            "known": {layout: [one.as_json() for one in fields] for layout, fields in self.known.items()},
            "chosen": self.chosen,
        }
        replace_file(folder / PLAN, [json.dumps(data, ensure_ascii=False, indent=1).encode() + b"\n"])


def load_plan(folder: Path) -> Plan | None:
    """The plan in a state folder, None when there is none. Raises `UsageError` for one that cannot be read."""
    path = folder / PLAN
    if not path.is_file():
        return None
    try:
        data: Mapping[str, Any] = json.loads(path.read_bytes())
        known = {layout: [ContainerField(**one) for one in fields] for layout, fields in data["known"].items()}
        return Plan(data["url"], data["database"], data["key"], known, dict(data["chosen"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{path} is damaged",
            remedy="Name another --state: what is in the target is found there and not fetched again.",
        ) from None
