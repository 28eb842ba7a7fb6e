"""One benchmark's figures with what belongs to them: when, how long, how busy the machine was besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.figures import Figure


@dataclass(frozen=True, slots=True)
class Report:
    """`began` is wall time, `others` the share of the machine's CPU that strangers used meanwhile, from 0 to 1."""

    name: str
    scale: float
    began: float
    seconds: float
    figures: Sequence[Figure]
    others: float

    @property
    def ok(self) -> bool:
        """No target was missed."""
        return all(figure.ok is not False for figure in self.figures)

    @property
    def measured(self) -> bool:
        """There are figures of it, whether they please or not."""
        return not any(figure.what == "could not be measured" for figure in self.figures)

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d")

    @property
    def title(self) -> str:
        scale = "" if self.scale == 1 else f", {self.scale:g} of the work"
        return f"{self.name}: {self.seconds:.0f} s{scale}; others used {100 * self.others:.0f} % of the machine"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.ok,
            "scale": self.scale,
            "began": datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 2),
            "others": round(self.others, 3),
            "figures": [figure.as_json() for figure in self.figures],
        }
