"""What is to become of each record of a page, before anything is written: for runs and dry runs alike.

A fixed number of queries a page: items, identities, the project's rows, one for each link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unlade.cargo import Road, SourceRecord
from unlade.ledger.models import Item, Source
from unlade.options import RunOptions
from unlade.owners import Owner, OwnerFinder, OwnerMatch, normalise_ref
from unlade.records.declaring import RecordImport
from unlade.records.reading import Matches, Reading, check_fields, find_links, read
from unlade.states import ItemState

S = ItemState

WRITE, FAIL, LEAVE, SAME, PASS = "write", "fail", "leave out", "same", "pass"


@dataclass(slots=True)
class Verdict:
    """One record, its item if it has one, and what is to be done.

    `action`: WRITE its row (`row` is None where there is none yet), FAIL it for `reason`, LEAVE it out by the
    declaration's word, SAME: as it was; PASS: `--only` names others.
    """

    record: SourceRecord
    item: Item | None
    identity: str  #: as it is compared
    action: str = SAME
    reason: str = ""
    detail: str = ""
    row: Any = None
    reading: Reading = field(default_factory=Reading)

    @property
    def edited(self) -> bool:
        return self.item is not None and self.item.mod_id != self.record.mod_id

    @property
    def settles(self) -> bool:
        """Whether something is to be written down."""
        return self.action in (WRITE, FAIL, LEAVE)


class Judge:
    """Judges pages of one import. `source` is None where the ledger knows nothing of it yet."""

    def __init__(self, importer: RecordImport, source: Source | None, options: RunOptions) -> None:
        self.importer, self.source, self.options = importer, source, options
        self._only = frozenset(options.only) | {normalise_ref(word) for word in options.only}
        self._longest = getattr(importer.model_field(importer.match), "max_length", None) or 255

    def page(self, records: Sequence[SourceRecord]) -> list[Verdict]:
        """A verdict for each record. Raises `FieldMissing`."""
        if records:
            check_fields(self.importer, records[0])
        identities = {record.record_id: normalise_ref(self.importer.identity_of(record)) for record in records}
        items, holders = self._known(identities)
        owner = Owner(self.importer.identity, self.importer.model, self.importer.match)
        rows = OwnerFinder(owner).find(identities.values())
        matches = find_links(self.importer, records)
        return [
            self._one(
                Verdict(record, items.get(record.record_id), identities[record.record_id]), holders, rows, matches
            )
            for record in records
        ]

    def _known(self, identities: dict[str, str]) -> tuple[dict[str, Item], dict[str, str]]:
        """The items of these records, and which record holds an identity; one that is gone or failed holds none."""
        if self.source is None:
            return {}, {}
        known = self.source.items.filter(road=Road.API)
        items = {item.record_id: item for item in known.filter(record_id__in=list(identities))}
        holding = known.filter(identity_key__in=set(identities.values()) - {""}, gone_at=None)
        holding = holding.exclude(state__in=[S.FAILED, S.ACCEPTED]).order_by("-pk")
        return items, dict(holding.values_list("identity_key", "record_id"))

    def _one(self, verdict: Verdict, holders: dict[str, str], rows: dict[str, OwnerMatch], matches: Matches) -> Verdict:
        record, item, identity = verdict.record, verdict.item, verdict.identity
        by_hand = item is not None and item.state == S.ACCEPTED and item.accepted_by != self.importer.name
        if self._only and not self._only & {record.record_id, identity}:
            verdict.action = PASS
        elif by_hand:
            pass
        elif not self.importer.wants(record):
            verdict.action = SAME if item is not None and item.state == S.ACCEPTED else LEAVE
        elif not identity:
            self._fail(verdict, "no_identity", "")
        elif len(identity) > self._longest:
            self._fail(verdict, "no_identity", "its identity is longer than the column that keeps it")
        elif (holder := holders.setdefault(identity, record.record_id)) != record.record_id:
            self._fail(verdict, "duplicate_identity", f"record {holder} has the same identity")
        elif rows[identity].reason == "ambiguous":
            self._fail(verdict, "ambiguous", rows[identity].detail)
        else:
            verdict.row = rows[identity].owner
            verdict.reading = read(self.importer, record, matches)
            self._write_if_new(verdict)
        return verdict

    def _write_if_new(self, verdict: Verdict) -> None:
        item, row = verdict.item, verdict.row
        links = {name: verdict.reading.values[name] for name in self.importer.links()}
        for name, owner in links.items():
            if owner is None and verdict.reading.open_links and not self.importer.model_field(name).null:
                self._fail(verdict, "owner_missing", "the record that it cannot be without is not here yet")
                return
        open_again = item is None or verdict.edited or item.state in (S.PENDING, S.FAILED, S.ACCEPTED)
        if open_again or row is None or self.options.refetch_changed:
            verdict.action = WRITE
        elif item is not None and item.state == S.UNLINKED:
            now = {name: owner.pk if owner is not None else None for name, owner in links.items()}
            if any(getattr(row, self.importer.model_field(name).attname) != pk for name, pk in now.items()):
                verdict.action = WRITE

    def _fail(self, verdict: Verdict, reason: str, detail: str) -> None:
        item = verdict.item
        known = item is not None and item.state == S.FAILED and item.reason == reason and not verdict.edited
        verdict.action = SAME if known else FAIL
        verdict.reason, verdict.detail = reason, detail
