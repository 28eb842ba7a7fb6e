"""Which limits hold: what was set with `filemaker_allowance` goes before the settings `UNLADE_ALLOWANCE...`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from unlade.errors import SettingsError
from unlade.ledger.models import AllowanceSetting
from unlade.settings import Settings
from unlade.units import format_size

#: Origin of what the ledger holds.
LEDGER = "filemaker_allowance"

#: What can be set, and the setting that holds otherwise.
NAMES = {
    "annual": "UNLADE_ALLOWANCE",
    "reset": "UNLADE_ALLOWANCE_RESET",
    "reserve": "UNLADE_ALLOWANCE_RESERVE",
    "month": "UNLADE_MAX_BYTES_MONTH",
    "day": "UNLADE_MAX_BYTES_DAY",
    "hour": "UNLADE_MAX_BYTES_HOUR",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One value that holds and where it came from; `passed_over` is a setting's text that says something else."""

    name: str
    value: Any
    origin: str
    passed_over: str = ""

    @property
    def shown(self) -> str:
        """The value for a person."""
        if self.value is None:
            return "none"
        if self.name == "reset":
            return str(self.value)
        if self.name == "reserve":
            return f"{float(self.value) * 100:g} %"
        return format_size(self.value)


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that limits wire bytes. Sizes in bytes, None where there is no limit; `reserve` a share of the year."""

    annual: Term
    reset: Term
    reserve: Term
    month: Term
    day: Term
    hour: Term

    def __iter__(self) -> Iterator[Term]:
        return iter((self.annual, self.reset, self.reserve, self.month, self.day, self.hour))

    def conflicts(self) -> tuple[str, ...]:
        """A sentence for each setting that does not hold because the ledger says something else."""
        return tuple(
            f"{NAMES[term.name]}={term.passed_over} does not hold: `filemaker_allowance set` said {term.shown}. "
            f"`filemaker_allowance unset {term.name}` goes back to the setting."
            for term in self
            if term.passed_over
        )


def terms_of(settings: Settings, stored: AllowanceSetting | None) -> Terms:
    """What holds. Raises `SettingsError` for a setting that cannot be read and is not passed over."""
    origins = {resolved.setting.name: resolved for resolved in settings.all()}

    def term(name: str) -> Term:
        setting = NAMES[name]
        kept = getattr(stored, name) if stored is not None else None
        resolved = origins[setting]
        if kept is None or kept == "":
            return Term(name, settings[setting], resolved.origin)
        differs = resolved.origin != "default" and not _same(settings, setting, kept)
        return Term(name, kept, LEDGER, resolved.text if differs else "")

    return Terms(**{name: term(name) for name in NAMES})


def _same(settings: Settings, setting: str, kept: Any) -> bool:
    try:
        value = settings[setting]
    except SettingsError:
        return False
    if setting == "UNLADE_ALLOWANCE_RESERVE":
        return Decimal(str(value)) == Decimal(str(kept))
    return bool(value == kept)
