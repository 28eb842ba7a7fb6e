"""What is to become of each record of a page, before anything is written: for runs and dry runs alike.

A fixed number of queries a page: items, identities, the project's rows, one for each link. Records of one identity are
one item, whatever road they came by (CONTRACT B5).
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
from unlade.records.reading import FIELDS, Matches, Reading, check_fields, find_links, read
from unlade.states import ItemState

S = ItemState

WRITE, FAIL, LEAVE, SAME, PASS = "write", "fail", "leave out", "same", "pass"


@dataclass(slots=True)
class Verdict:
    """One record, its item if it has one, and what is to be done.

    `action`: WRITE its row (`row` is None where there is none yet), FAIL it for `reason`, LEAVE it out by the
    declaration's word, SAME: as it was; PASS: `--only` names others. `edited`: the source has it otherwise than when
    its item was settled.
    """

    record: SourceRecord
    item: Item | None
    identity: str  #: as it is compared
    action: str = SAME
    reason: str = ""
    detail: str = ""
    row: Any = None
    edited: bool = False
    reading: Reading = field(default_factory=Reading)

    @property
    def settles(self) -> bool:
        """Whether something is to be written down."""
        return self.action in (WRITE, FAIL, LEAVE)


#: Who holds an identity: a token, and the record's id for a person.
Holders = dict[str, tuple[str, str]]


class Judge:
    """Judges pages of one import. `source` is None where the ledger knows nothing of it yet."""

    def __init__(
        self, importer: RecordImport, source: Source | None, options: RunOptions, road: str = Road.API
    ) -> None:
        self.importer, self.source, self.options, self.road = importer, source, options, road
        self._only = frozenset(options.only) | {normalise_ref(word) for word in options.only}
        self._longest = getattr(importer.model_field(importer.match), "max_length", None) or 255
        self._joined: dict[int, str] = {}  #: items of other roads, and the record that was met for them

    def page(self, records: Sequence[SourceRecord]) -> list[Verdict]:
        """A verdict for each record. Raises `FieldMissing`."""
        if records:
            check_fields(self.importer, records, self.road)
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

    def _known(self, identities: dict[str, str]) -> tuple[dict[str, Item], Holders]:
        """The items of these records, and which record holds an identity; one that is gone or failed holds none."""
        if self.source is None:
            return {}, {}
        mine = self.source.items.filter(road=self.road, record_id__in=list(identities))
        items = {item.record_id: item for item in mine}
        alike = list(self.source.items.filter(identity_key__in=set(identities.values()) - {""}).order_by("-pk"))
        self._join(items, alike, identities)
        if nameless := [record_id for record_id, identity in identities.items() if not identity]:
            # Nobody is written for them: what one road lists under an id, the other need not list once more.
            others = self.source.items.filter(record_id__in=nameless, identity_key="", reason="no_identity")
            for item in others.exclude(road=self.road):
                items.setdefault(item.record_id, item)
        holders = {
            item.identity_key: (_token(item, ""), item.record_id)
            for item in alike
            if item.gone_at is None and item.state not in (S.FAILED, S.ACCEPTED)
        }
        return items, holders

    def _join(self, items: dict[str, Item], alike: list[Item], identities: dict[str, str]) -> None:
        """Find the items that another road brought, by their identity: for the first record that has it."""
        others: dict[str, list[Item]] = {}
        for item in sorted(alike, key=lambda item: (item.gone_at is not None, item.state == S.FAILED, item.pk)):
            others.setdefault(item.identity_key, []).append(item)
        taken = {item.pk for item in items.values()}
        for record_id, identity in identities.items():
            for item in others.get(identity, ()) if record_id not in items else ():
                if item.pk in taken or not self._is_one(item, record_id):
                    continue
                if self._joined.setdefault(item.pk, record_id) == record_id:
                    items[record_id] = item
                    taken.add(item.pk)
                    break

    def _is_one(self, item: Item, record_id: str) -> bool:
        """Another road's ids mean nothing here; an export that tells record ids and one that does not speak of one."""
        if item.road != self.road:
            return True
        ids = (item.record_id, record_id)
        return sum(text.startswith("id=") for text in ids) == 1 and any(text.isdigit() for text in ids)

    def _one(self, verdict: Verdict, holders: Holders, rows: dict[str, OwnerMatch], matches: Matches) -> Verdict:
        record, item, identity = verdict.record, verdict.item, verdict.identity
        by_hand = item is not None and item.state == S.ACCEPTED and item.accepted_by != self.importer.name
        me = (_token(item, record.record_id), record.record_id)
        if self._only and not self._only & {record.record_id, identity}:
            verdict.action = PASS
        elif by_hand:
            pass
        elif not self.importer.wants(record):
            verdict.action = SAME if item is not None and item.state == S.ACCEPTED else LEAVE
        else:
            verdict.reading = read(self.importer, record, matches, self.road)
            verdict.edited = item is not None and self._edited(item, record, verdict.reading)
            self._settle(verdict, holders.setdefault(identity, me) if identity else me, me, rows)
        return verdict

    def _settle(
        self, verdict: Verdict, holder: tuple[str, str], me: tuple[str, str], rows: dict[str, OwnerMatch]
    ) -> None:
        identity = verdict.identity
        if not identity:
            self._fail(verdict, "no_identity", "")
        elif len(identity) > self._longest:
            self._fail(verdict, "no_identity", "its identity is longer than the column that keeps it")
        elif holder[0] != me[0]:
            self._fail(verdict, "duplicate_identity", f"record {holder[1]} has the same identity")
        elif rows[identity].reason == "ambiguous":
            self._fail(verdict, "ambiguous", rows[identity].detail)
        else:
            verdict.row = rows[identity].owner
            self._write_if_new(verdict)

    def _edited(self, item: Item, record: SourceRecord, reading: Reading) -> bool:
        """By the modification id where both have one of this road's; rows of portals have none that counts, and what
        another road or a text file says is compared itself."""
        counted = item.road == self.road and item.mod_id != "" and record.mod_id != ""
        if counted and item.mod_id != record.mod_id:
            return True
        parts = set(reading.digests)
        if counted and self.road != Road.FOLDER:
            parts = {name for name in parts if name.startswith("portal ")}
        optional = {name for name in parts if name not in item.digests and name.startswith("all by ")}
        return any(item.digests.get(name) != reading.digests[name] for name in parts - optional)

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
        verdict.reading = Reading(digests=verdict.reading.digests)  # nothing of it is written

    def takes_ids(self, verdict: Verdict) -> bool:
        """Whether an item that stays as it is learns this road's ids, or what it was written from, all the same."""
        item, digests = verdict.item, verdict.reading.digests
        if item is None or verdict.action != SAME or item.state not in (S.IMPORTED, S.UNLINKED):
            return False
        if self.road == Road.API and (item.road != self.road or item.mod_id != verdict.record.mod_id):
            return True
        # An item of an earlier version knows no digests; its modification id says that it is as it was.
        return item.road == self.road and FIELDS in digests and FIELDS not in item.digests


def _token(item: Item | None, record_id: str) -> str:
    """Who may hold an identity; ids of different roads are not mixed up."""
    return f"new {record_id}" if item is None else f"item {item.pk}"
