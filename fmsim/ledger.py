"""What the simulator counts and remembers: `GET /-/stats` and `GET /-/log` (CONTRACT A5)."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KINDS = ("session", "metadata", "records", "find", "record", "edit", "container")


@dataclass(slots=True)
class Entry:
    """One request and what became of it."""

    number: int
    time: float
    method: str
    target: str  #: path and query, session tokens masked
    kind: str
    record_id: str | None = None
    field: str | None = None
    hop: int | None = None
    session: int | None = None
    account: str = ""
    bearer: bool = False
    cookie: bool = False
    first: bool = True  #: counts as a request of its kind (a download's second hop does not)
    status: int | None = None
    code: int = 0
    head: int = 0
    body: int = 0
    started: float = 0.0  #: on a clock that only measures
    seconds: float | None = None
    complete: bool = False
    faults: list[int] = dataclasses.field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "n": self.number,
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds"),
            "method": self.method,
            "path": self.target,
            "kind": self.kind,
            "status": self.status,
            "code": self.code,
            "head": self.head,
            "body": self.body,
            "seconds": None if self.seconds is None else round(self.seconds, 4),
            "complete": self.complete,
            "session": self.session,
            "recordId": self.record_id,
            "field": self.field,
            "hop": self.hop,
            "bearer": self.bearer,
            "cookie": self.cookie,
            "faults": self.faults,
        }

    def fmdapi_line(self) -> str:
        """As in the host's own fmdapi.log: the last column is the size of the response body (FILEMAKER.md 8)."""
        at = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " +0000"
        level = "ERROR" if self.code else "INFO"
        path = self.target.partition("?")[0]
        return "\t".join([at, str(self.code), level, "127.0.0.1", self.account, self.method, path, str(self.body)])


@dataclass(slots=True)
class Stats:
    """Counters since start or reset."""

    entries: list[Entry] = dataclasses.field(default_factory=list)
    requests: Counter[str] = dataclasses.field(default_factory=Counter)
    statuses: Counter[str] = dataclasses.field(default_factory=Counter)
    sizes: Counter[str] = dataclasses.field(default_factory=Counter)
    logins: int = 0
    logouts: int = 0
    writes: int = 0
    downloading: int = 0
    peak: int = 0
    downloads: dict[str, Counter[str]] = dataclasses.field(default_factory=dict)

    def arrive(self, entry: Entry) -> None:
        self.entries.append(entry)
        if entry.kind == "container":
            self.requests["container_hops"] += 1
        if entry.first:
            self.requests[entry.kind] += 1

    def enter_download(self) -> None:
        self.downloading += 1
        self.peak = max(self.peak, self.downloading)

    def leave_download(self) -> None:
        self.downloading -= 1

    def settle(self, entry: Entry) -> None:
        """Books what went out: bodies by kind, heads apart."""
        if entry.status is not None:
            self.statuses[str(entry.status)] += 1
        self.sizes["container" if entry.kind == "container" else "api"] += entry.body
        self.sizes["headers"] += entry.head
        if entry.complete and entry.record_id is not None and entry.field is not None:
            self.downloads.setdefault(entry.record_id, Counter())[entry.field] += 1

    def as_json(self, open_sessions: int) -> dict[str, Any]:
        return {
            "requests": {kind: self.requests[kind] for kind in (*KINDS, "container_hops")},
            "statuses": dict(sorted(self.statuses.items())),
            "bytes": {kind: self.sizes[kind] for kind in ("api", "container", "headers")},
            "logins": self.logins,
            "logouts": self.logouts,
            "open_sessions": open_sessions,
            "peak_concurrency": self.peak,
            "downloads": {record: dict(fields) for record, fields in self.downloads.items()},
            "writes": self.writes,
        }

    def log_text(self) -> str:
        return "".join(json.dumps(entry.as_json(), ensure_ascii=False) + "\n" for entry in self.entries)
