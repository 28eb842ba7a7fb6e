"""What a run was asked to do (CONTRACT A2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from unlade.errors import UsageError


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of one run. Sizes in bytes; None where there is no limit."""

    limit: int | None = None  #: items for which a download is started
    pilot: int | None = None  #: items of a sample that differs as much as a listing shows
    batch_size: int = 100  #: records per request
    concurrency: int = 4  #: downloads at once, at the most
    max_bytes: int | None = None
    max_time: timedelta | None = None
    retry_failed: bool = False
    dry_run: bool = False
    wait: bool = False
    write_marker: bool = False
    quiet_hours: str = ""  #: `08:00-18:00`; "" as set
    order: str = ""  #: `host`, `newest first` or `owners first`; "" as declared

    only: tuple[str, ...] = ()  #: record ids or identities; () for all
    expect: int | None = None  #: records that FileMaker Pro shows with full access
    changed: bool = False  #: also look for edited records
    refetch_changed: bool = False  #: and fetch their files again
    final: bool = False  #: the pass on the day of the switch
    from_path: str = ""  #: another source than the Data API: an export folder or file, or a database file
    beside: tuple[str, ...] = ()  #: further files of the same solution
    metadata: str = ""  #: a metadata file beside the folder's files
    date_order: str = ""  #: `mdy`, `dmy` or `ymd`, for dates that read two ways
    columns: tuple[str, ...] = ()  #: names of a metadata file's columns, when it has no header
    encoding: str = ""  #: of a metadata file, when it cannot be told
    match: str = ""  #: by what files of a folder belong to rows: `record`, `id`, `path` or `md5`; "" by all of them
    max_rate: int | None = None  #: bytes a second that are taken from a folder, on average
    read_objects: bool = False  #: of listed files: read those whose MD5 the listing does not tell
    no_thumbnails: bool = False  #: of a folder's files: store and record now, decode later
    report: str = ""  #: where to write what was matched and what was not
    yes: bool = False  #: every question is answered with yes

    def __post_init__(self) -> None:
        for name in ("batch_size", "concurrency"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be 1 or more")
        if self.max_rate is not None and self.max_rate < 1:
            raise UsageError("--max-rate must be more than nothing")
        if self.limit is not None and self.limit < 0:
            raise UsageError("--limit must be 0 or more")
        if self.pilot is not None:
            self._check_pilot(self.pilot)
        if self.max_time is not None and self.max_time <= timedelta(0):
            raise UsageError("--max-time must be more than nothing")

    def _check_pilot(self, number: int) -> None:
        if number < 1:
            raise UsageError("--pilot must be 1 or more")
        choosing = ("limit", "only", "changed", "final", "retry_failed", "dry_run")
        beside = [name for name in choosing if getattr(self, name) not in (None, (), False)]
        if beside:
            raise UsageError(
                f"--pilot and --{beside[0].replace('_', '-')} do not go together: a pilot chooses its items by itself",
                remedy="Leave one of them out.",
            )

    def to_json(self) -> dict[str, Any]:
        """For the ledger; durations in seconds."""
        values = asdict(self)
        values["max_time"] = self.max_time.total_seconds() if self.max_time else None
        return values
