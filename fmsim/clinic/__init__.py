"""The built-in clinic: a data set of real encodings, the same for the same seed, and the truth about it.

    from fmsim import clinic
    data = clinic.build(images=24)               # what a simulated host serves
    truth = clinic.truth(images=24)              # what a perfect importer ends with, by identity

Nobody in it was ever born; every picture is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from fmsim.clinic.documents import document_records
from fmsim.clinic.images import image_records
from fmsim.clinic.plan import Fate
from fmsim.clinic.tables import clinic_records, fat_values, layouts, patient_records
from fmsim.dataset import Account, DataSet, Record

__all__ = ["DATABASE", "READER", "WRITER", "Expected", "build", "truth"]

DATABASE = "Clinic"
READER = Account("unlade", "pier-7-crate-42", frozenset({"fmrest"}))
WRITER = Account("unlade-writer", "pier-7-crate-43", frozenset({"fmrest", "write"}))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a perfect importer ends with for one record, once every patient of the data set is known to it.

    `state` is one of CONTRACT B1 (without any patient, `imported` is `unlinked` instead). `sha256` and `size` are of
    the bytes that must be stored, `field` is where they lay; all three are None for `empty` and `failed`. `owner` is
    normalised, None where the record names nobody. `mime_type` and `extension` are by content; None for zero bytes.
    `spares` are the better fields whose damaged bytes a lesser copy stands in for (CONTRACT B2). `case` and `traits`
    tell why the record is in the set.
    """

    table: str
    record_id: str
    state: str
    field: str | None
    sha256: str | None
    size: int | None
    owner: str | None
    date: str | None
    mime_type: str | None
    extension: str | None
    reason: str | None
    spares: tuple[str, ...]
    original_name: str
    case: str
    traits: frozenset[str]

    @property
    def lesser_copy(self) -> bool:
        return bool(self.spares)


def _check(images: int, documents: int, patients: int) -> None:
    if min(images, documents, patients) < 0:
        raise ValueError("the number of images, documents or patients cannot be negative")


def build(*, images: int = 24, documents: int = 0, patients: int = 12, seed: int = 1) -> DataSet:
    """A fresh data set; its records may be edited without touching another. Raises `ValueError` for negative numbers."""
    _check(images, documents, patients)
    shared = fat_values(seed) if images else {}
    image_rows: list[Record] = []
    for record, _ in image_records(images, patients, seed):
        record.values.update(shared)
        image_rows.append(record)
    tables = {
        "Images": image_rows,
        "Documents": [record for record, _ in document_records(documents, patients, seed)],
        "Patients": patient_records(patients, seed),
        "Clinics": clinic_records(seed),
    }
    return DataSet(DATABASE, [READER, WRITER], layouts(), tables)


def truth(*, images: int = 24, documents: int = 0, patients: int = 12, seed: int = 1) -> dict[str, Expected]:
    """What must become of every image and document, by normalised identity (upper case, no braces), in the host's order."""
    _check(images, documents, patients)

    def fates() -> Iterator[Fate]:
        yield from (fate for _, fate in image_records(images, patients, seed))
        yield from (fate for _, fate in document_records(documents, patients, seed))

    return {fate.identity: _expected(fate) for fate in fates()}


def _expected(fate: Fate) -> Expected:
    digest = None
    if fate.blob is not None:
        state = hashlib.sha256()
        for block in fate.blob.chunks():
            state.update(block)
        digest = state.hexdigest()
    return Expected(
        table=fate.table,
        record_id=fate.record_id,
        state=fate.state,
        field=fate.taken,
        sha256=digest,
        size=fate.blob.size if fate.blob is not None else None,
        owner=fate.owner,
        date=fate.date,
        mime_type=fate.mime_type,
        extension=fate.extension,
        reason=fate.reason,
        spares=fate.spares,
        original_name=fate.original_name,
        case=fate.case,
        traits=fate.traits,
    )
