"""What a benchmark finds: figures, each with the target it is held against, if it has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number (or a short text). `ok` is None where there is no target: then the figure only informs."""

    what: str
    value: float | int | str
    unit: str = ""
    target: str = ""
    ok: bool | None = None

    @property
    def shown(self) -> str:
        """The value as a person reads it: three or four digits."""
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, int):
            text = f"{self.value:,}"
        elif abs(self.value) >= 100:
            text = f"{self.value:,.0f}"
        elif abs(self.value) >= 10:
            text = f"{self.value:.1f}"
        elif abs(self.value) >= 1:
            text = f"{self.value:.2f}"
        else:
            text = f"{self.value:.3g}"
        return f"{text} {self.unit}".strip()

    @property
    def verdict(self) -> str:
        return {True: "PASS", False: "MISS", None: ""}[self.ok]

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "value": self.value, "unit": self.unit, "target": self.target, "ok": self.ok}


def told(what: str, value: float | int | str, unit: str = "") -> Figure:
    """A figure without a target."""
    return Figure(what, value, unit)


def at_least(what: str, value: float, bound: float, unit: str = "") -> Figure:
    """A figure that must not be below `bound`."""
    return Figure(what, value, unit, f">= {bound:g}", value >= bound)


def at_most(what: str, value: float, bound: float, unit: str = "") -> Figure:
    """A figure that must not be above `bound`."""
    return Figure(what, value, unit, f"<= {bound:g}", value <= bound)


def exactly(what: str, value: int | str, wanted: int | str, unit: str = "") -> Figure:
    """A figure that must be just so."""
    target = f"{wanted:,}" if isinstance(wanted, int) else wanted
    return Figure(what, value, unit, f"= {target}", value == wanted)
