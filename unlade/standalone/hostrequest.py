"""What a pull over the API is asked for, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlade.errors import UnladeError
from unlade.standalone.targets import is_url, state_of

if TYPE_CHECKING:
    from unlade.dryrun import Forecast
    from unlade.standalone.ledgerlines import Standing

KEY = "{table}/{record}/{field}{ext}"


@dataclass(frozen=True, slots=True)
class Request:
    """A pull as the command line asks for it. Sizes in bytes; "" and None: not said."""

    to: str
    url: str = ""
    database: str = ""
    layouts: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    key: str = ""
    state: Path | None = None
    thumbnails: tuple[int, int] | None = None
    allowance: str = ""
    reset: str = ""
    limit: int | None = None
    max_bytes: int | None = None
    max_time: timedelta | None = None
    concurrency: int | None = None
    retry_failed: bool = False
    changed: bool = False
    wait: bool = False
    dry_run: bool = False

    @property
    def folder(self) -> Path:
        """The state folder."""
        return self.state or state_of(self.to)

    def settings(self) -> dict[str, str]:
        """What the command line says, by the names of settings."""
        given = {
            "FILEMAKER_URL": self.url,
            "FILEMAKER_DATABASE": self.database,
            "UNLADE_ALLOWANCE": self.allowance,
            "UNLADE_ALLOWANCE_RESET": self.reset,
            "UNLADE_STORE": self.to
            if is_url(self.to) or self.to.startswith("file:")
            else Path(self.to).absolute().as_uri(),
        }
        return {name: value for name, value in given.items() if value}


@dataclass
class HostPulled:
    """How a pull over the API ended: its runs by layout, and how far all is now."""

    standing: Standing
    outcome: str = "done"
    exit_code: int = 0
    error: UnladeError | None = None
    retry_at: datetime | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    forecasts: dict[str, Forecast] = field(default_factory=dict)
    seconds: float = 0.0

    def of_all_runs(self, *names: str) -> int:
        """A figure of CONTRACT A4's objects, summed: `of_all_runs("bytes", "api")`."""
        total = 0
        for run in self.runs:
            value: Any = run
            for name in names:
                value = value[name]
            total += int(value)
        return total

    def as_json(self) -> dict[str, Any]:
        kinds = ("imported", "empty", "quarantined", "failed", "skipped")
        return {
            "outcome": self.outcome,
            "reason": str(self.error) if self.error else None,
            **self.standing.as_json(),
            "this_run": {kind: self.of_all_runs("this_run", kind) for kind in kinds},
            "bytes": {kind: self.of_all_runs("bytes", kind) for kind in ("api", "container", "headers", "kept")},
            "requests": self.of_all_runs("requests"),
            "logins": self.of_all_runs("logins"),
            "seconds": round(self.seconds, 3),
            "retry_at": self.retry_at.isoformat() if self.retry_at else None,
            "layouts": {shown(run["source"]): run for run in self.runs},
            **({"dry_run": {name: one.as_json() for name, one in self.forecasts.items()}} if self.forecasts else {}),
            "exit": self.exit_code,
        }


def shown(name: str) -> str:
    """The layout of an import, by the import's name."""
    what, _, layout = name.partition(" ")
    return f"{layout} (global)" if what == "pull-globals" else layout
