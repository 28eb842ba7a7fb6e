"""Does everything arrive from a host that falls over after every 60 downloads, and is it left alone meanwhile?

Set-up: 2,000 JPEGs of 50 to 130 KB in protected mode, 5 ms before every answer; after every 60 downloads the host's web
layer answers all downloads with 502 for 90 s. All times are scaled 1:60 (90 s are 1.5 s here, the breaker's pauses of
1, 5, 30 and 120 minutes are 1, 5, 30 and 120 s). Files go into an S3 server on this machine. Three ways:
- scheduled: the import is started again and again, each time when the last run said that it may;
- with --wait: one run that sleeps through the pauses;
- the plain script beside it (bench/plain_script.py), five tries with a fixed pause of 10 s (scaled too), run once and,
  as its owner would, a second time.

Targets for unlade: all 2,000 images arrive; once the breaker has opened at most one request a pause is answered 502;
before that at most its threshold and the permits in flight; container bytes beyond what is kept are below 1 %. Why:
this is what happened to the clinic, and every 502 and every wasted megabyte was paid for by somebody.

How the host's log is read: answers 502 that lie closer together than half of the first pause are one burst. A burst is
a fresh breakdown when a download that began after the one before came through; any other is a trial after a pause.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import dataset
from bench.figures import Figure, at_most, exactly, told
from bench.measure import run as run_process
from bench.stage import ROOT, Host, Project, finished_at, scratch, serving
from tests.servers import S3Server, start_seaweed

IMAGES = 2000
PERMITS = 4
THRESHOLD = 3  # UNLADE_BREAKER_THRESHOLD's default
FIRST_PAUSE = 1.0
SETTINGS = {"UNLADE_COOLDOWNS": "1s,5s,30s,120s,1440s"}
FAULTS = [{"on": "container", "nth": {"every": 60}, "for_seconds": 1.5, "do": {"status": 502, "body": "html"}}]
#: A schedule gives up at some time; far above what is needed.
MOST_RUNS = 300


def run(scale: float) -> list[Figure]:
    images = max(130, int(IMAGES * scale))
    figures: list[Figure] = []
    with scratch() as folder:
        dataset.clinic(folder / "data", images, 50_000, 130_000)
        server = start_seaweed(folder / "weed")
        try:
            stage = _Stage(folder, server, images)
            figures += stage.unlade("scheduled", wait=False)
            figures += stage.unlade("with --wait", wait=True)
            figures += stage.plain()
        finally:
            server.stop()
    return figures


@dataclass(frozen=True)
class Bursts:
    """Answers 502 in groups: `fresh` while all was well before, `trials` after a pause."""

    fresh: list[int]
    trials: list[int]


def bursts(log: Sequence[Mapping[str, Any]]) -> Bursts:
    """Group a host's answers 502 (see above)."""
    half = timedelta(seconds=FIRST_PAUSE / 2)
    found = Bursts([], [])
    last: datetime | None = None
    good_since = fresh = True
    for entry in sorted(log, key=finished_at):
        if entry["status"] != 502:
            begun = datetime.fromisoformat(entry["time"])
            good_since |= _complete(entry) and (last is None or begun > last)
            continue
        now = finished_at(entry)
        if last is not None and now - last <= half:
            (found.fresh if fresh else found.trials)[-1] += 1
        else:
            fresh = good_since
            (found.fresh if fresh else found.trials).append(1)
        good_since, last = False, now
    return found


@dataclass(frozen=True)
class _Stage:
    folder: Path
    server: S3Server
    images: int

    def unlade(self, title: str, *, wait: bool) -> list[Figure]:
        """The import against the storm, and the host's view of it."""
        name = "wait" if wait else "scheduled"
        with self._host() as host:
            settings = {"UNLADE_STORE": self.server.url(name), **self.server.env, **SETTINGS}
            project = Project(self.folder / name, host, settings)
            project.prepare(self.folder / "data")
            began, runs = time.monotonic(), 0
            said: dict[str, Any] = {}
            words = ["--concurrency", str(PERMITS), *(["--wait"] if wait else [])]
            while runs < MOST_RUNS:
                _, said = project.import_images(*words)
                runs += 1
                if said["exit"] == 75 and said["retry_at"]:
                    _sleep_until(said["retry_at"])
                elif not said["totals"]["failed"]:
                    break
                elif "--retry-failed" not in words:
                    words.append("--retry-failed")  # the pauses of single items are not scaled
            seconds = time.monotonic() - began
            log = host.log()
        bad, sent, kept = bursts(log), _sent(log), _kept(log)
        return [
            exactly(f"{title}: imported", said["totals"]["imported"], self.images, "images"),
            at_most(f"{title}: answers 502 in one pause, at most", max(bad.trials, default=0), 1),
            at_most(f"{title}: answers 502 before it opened, at most", max(bad.fresh, default=0), THRESHOLD + PERMITS),
            at_most(f"{title}: container bytes wasted", 100 * (sent - kept) / kept, 1, "%"),
            told(f"{title}: answers 502 in all", sum(bad.fresh) + sum(bad.trials)),
            told(f"{title}: breakdowns of the host", len(bad.fresh)),
            told(f"{title}: runs", runs),
            told(f"{title}: time (scaled), pauses included", seconds, "s"),
        ]

    def plain(self) -> list[Figure]:
        """The plain script, twice; every file that is not in its bucket at the end is missing."""
        figures = []
        with self._host() as host:
            given = host.settings
            command = [sys.executable, str(ROOT / "bench" / "plain_script.py"), given["url"], given["database"]]
            command += [given["account"], given["password"], "API_Images", self.server.bucket]
            command += ["--pause", f"{10 / 60:.3f}", "--endpoint", self.server.endpoint]
            environ = {**Project(self.folder, host).environ, **self.server.env, "AWS_DEFAULT_REGION": "us-east-1"}
            seen = 0
            for turn in ("plain script", "plain script, second run"):
                measured = run_process(command, environ, self.folder)
                if measured.exit_code:
                    raise RuntimeError(f"the plain script failed:\n{measured.err[-2000:]}")
                log = host.log()
                new, seen = log[seen:], len(log)
                arrived = len({entry["recordId"] for entry in log if _complete(entry)})
                sent, kept = _sent(log), _kept(log)
                figures += [
                    told(f"{turn}: files missing at its end", self.images - arrived),
                    told(f"{turn}: answers 502", sum(entry["status"] == 502 for entry in new)),
                    told(f"{turn}: answers 401 (its link was used up)", sum(entry["status"] == 401 for entry in new)),
                    told(f"{turn}: container bytes wasted until then", 100 * (sent - kept) / kept, "%"),
                    told(f"{turn}: time (scaled)", measured.wall, "s"),
                ]
        return figures

    @contextmanager
    def _host(self) -> Iterator[Host]:
        faults = self.folder / "faults.json"
        faults.write_text(json.dumps(FAULTS))
        options = ("--streaming", "protected", "--latency", "5ms", "--faults", str(faults))
        with serving(self.folder / "data", *options) as host:
            yield host


def _complete(entry: Mapping[str, Any]) -> bool:
    return bool(entry["kind"] == "container" and entry["complete"])


def _sent(log: Sequence[Mapping[str, Any]]) -> int:
    """Container bytes that the host sent, bad answers included."""
    return sum(entry["body"] for entry in log if entry["kind"] == "container")


def _kept(log: Sequence[Mapping[str, Any]]) -> int:
    """Container bytes that were worth sending: each file once."""
    return sum({entry["recordId"]: entry["body"] for entry in log if _complete(entry)}.values())


def _sleep_until(moment: str) -> None:
    """Wait as a scheduler does."""
    time.sleep(max(0.0, (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()))
