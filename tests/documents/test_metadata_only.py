"""Documents that lie in the store already get the rows that an import would have given them."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

import pytest

from clinic.documents.management.commands.import_filemaker_documents_metadata_only import Command
from clinic.documents.models import Document
from fmsim import clinic
from tests.documents.pier import PierMaker
from tests.voyage.harness import add_patients

PLAIN = ("id", "id_Contact", "Category", "Name of file", "date", "Description")


@pytest.mark.slow
def test_rows_for_what_is_there(pier: PierMaker, tmp_path: Path) -> None:
    data, truth = clinic.build(images=0, documents=8), clinic.truth(images=0, documents=8)
    metadata = tmp_path / "documents.csv"
    with metadata.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(PLAIN)
        writer.writerows([row.values[name] for name in PLAIN] for row in data.tables["Documents"])
    with pier(data) as here:
        add_patients(data)
        folder = tmp_path / "store" / "uploads"
        folder.mkdir(parents=True)
        for row in data.tables["Documents"]:
            value = row.values["file"]
            path = folder / f"{row.values['id']}{PurePosixPath(value.name).suffix}"
            path.write_bytes(b"".join(value.blob.chunks()))
        listed = ("--prefix", "uploads", "--metadata", str(metadata))
        code, told = here.command(Command, *listed, "--no-thumbnails")
        assert (code, told["totals"]["imported"], Document.objects.exclude(sha256="").count()) == (0, 8, 0)
        code, told = here.command(Command, *listed)
        assert (code, told["this_run"]["imported"], told["read"]["read"]) == (0, 0, 8)
        for identity, fate in truth.items():
            document = Document.objects.select_related("owner").get(filemaker_id=identity)
            assert (document.sha256, document.size, document.mime_type) == (fate.sha256, fate.size, fate.mime_type)
            assert document.owner and document.owner.filemaker_id == fate.owner
            assert document.document_date and document.document_date.isoformat() == fate.date
            assert document.key.startswith("uploads/")
            assert bool(document.pages) == (fate.mime_type == "application/pdf")
            drawn = fate.mime_type in ("application/pdf", "image/jpeg")
            assert bool(document.thumbnail_key) == drawn, fate.mime_type
        assert here.sim.stats()["requests"]["session"] == 0
