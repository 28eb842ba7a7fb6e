"""The store proves itself: a probe object under the real prefix is written, read, listed and removed.

Each step is a line of the report with the cause and what to do. Nothing else is touched.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import StoreBusy, StoreError, StoreRefused

if TYPE_CHECKING:
    from unlade.store.base import Store

Level = Literal["ok", "warning", "error"]

_BODY = b"unlade writes this to see whether the store works, and removes it again.\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    level: Level
    detail: str
    remedy: str = ""


@dataclass(slots=True)
class ProbeReport:
    """What a probe found. `encryption` and `public` are None where the store does not tell."""

    url: str
    findings: list[Finding] = field(default_factory=list)
    conditional: bool = True
    metadata: bool = True
    encryption: str | None = None
    public: bool | None = None
    error: StoreError | None = None

    @property
    def ok(self) -> bool:
        """Whether a run may start; warnings allow it."""
        return self.error is None

    def check(self) -> None:
        """Raise what stands in the way of a run: `StoreRefused`, `StoreBusy` or `StoreError`."""
        if self.error is not None:
            raise self.error

    def add(self, name: str, level: Level, detail: str, remedy: str = "") -> None:
        """Note one line; the first error is what `check` raises."""
        self.findings.append(Finding(name, level, detail, remedy))
        if level == "error" and self.error is None:
            self.error = StoreRefused(detail, remedy=remedy)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A store's error inside is a line of the report."""
        try:
            yield
        except StoreError as error:
            self.error = self.error or error
            self.add(name, "error", str(error), error.remedy)


def run_probe(store: Store) -> ProbeReport:
    """Probe `store`; see `Store.probe`. Never raises a `StoreError`: it is in the report."""
    report = ProbeReport(store.url)
    key = f"{keys.OWN_FOLDER}/probe-{secrets.token_hex(8)}"
    facts = Facts("probe", "1", "1", "pröbe ~ 1", 0, "0" * 64, "probe")
    with report.step("write"):
        store._write(key, _BODY, "text/plain", facts, overwrite=False)
        report.add("write", "ok", f"An object can be written under {store.url}.")
    if not report.ok:
        return report
    try:
        _look(store, key, facts, report)
    finally:
        with report.step("remove"):
            store.delete(key)
            if store.head(key) is not None:
                raise StoreError(f"{key} is still there after it was removed.")
            report.add("remove", "ok", "It can be removed again.")
    return report


def _look(store: Store, key: str, facts: Facts, report: ProbeReport) -> None:
    with report.step("read"):
        with store.open(key) as chunks:
            if b"".join(chunks) != _BODY:
                raise StoreError(f"{key} came back with other bytes than were written.")
        report.add("read", "ok", "It reads back as it was written.")
    with report.step("metadata"):
        _metadata(store, key, facts, report)
    with report.step("list"):
        if not any(info.key == key for info in store.list(keys.OWN_FOLDER)):
            raise StoreError(f"{key} was written, and a listing does not show it.")
        report.add("list", "ok", "A listing shows it.")
    with report.step("conditional write"):
        _conditional(store, key, facts, report)
    with report.step("encryption"):
        _encryption(store, key, report)
    with report.step("private"):
        report.public = store.is_public(key)
        if report.public:
            report.add(
                "private",
                "error",
                f"Anybody can read what is stored under {store.url}, without signing in.",
                "Block public access to the bucket (on AWS: Block Public Access), or close the folder to others.",
            )
        elif report.public is False:
            report.add("private", "ok", "It cannot be read without signing in.")


def _metadata(store: Store, key: str, facts: Facts, report: ProbeReport) -> None:
    info = store.head(key)
    if info is None:
        raise StoreError(f"{key} was written, and the store says that it is not there.")
    report.metadata = info.facts == facts
    if report.metadata:
        report.add("metadata", "ok", "It keeps what we note about it.")
    else:
        report.add(
            "metadata", "warning", "The store keeps no metadata; facts go to the journal below .unlade/ instead."
        )
    store.learn_metadata(report.metadata)


def _conditional(store: Store, key: str, facts: Facts, report: ProbeReport) -> None:
    if store.conditional and store._write(key, _BODY, "text/plain", facts, overwrite=False):
        store.conditional = False
    report.conditional = store.conditional
    if report.conditional:
        report.add("conditional write", "ok", "What is there cannot be overwritten by mistake.")
    else:
        report.add(
            "conditional write",
            "warning",
            "The store overwrites where it was asked not to; unlade looks at each key before it writes instead.",
            "Let only one machine import into this prefix at a time.",
        )


def _encryption(store: Store, key: str, report: ProbeReport) -> None:
    report.encryption = store.encryption_of(key)
    if report.encryption is None:
        report.add("encryption", "ok", "Encryption at rest is a matter of the disk; the store does not tell.")
    elif report.encryption:
        report.add("encryption", "ok", f"It is encrypted at rest ({report.encryption}).")
    else:
        report.add(
            "encryption",
            "warning",
            "The store does not say that it encrypts objects at rest.",
            "Switch on the bucket's default encryption, or see that its disks are encrypted.",
        )


__all__ = ["Finding", "ProbeReport", "StoreBusy", "run_probe"]
