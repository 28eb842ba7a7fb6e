"""The first 24 documents: each kind opens as what it is, and the damaged one does not."""

from __future__ import annotations

import email
import io
import zipfile
from collections import Counter

import pypdfium2
import pytest

from fmsim import clinic
from fmsim.dataset import DataSet
from tests.fmsim_clinic.conftest import identity, opened, read

Truth = dict[str, clinic.Expected]


def opens(data: bytes, mime_type: str) -> bool:
    if mime_type == "application/pdf":
        with pypdfium2.PdfDocument(data) as paper:
            return len(paper) >= 1 and paper[0].render(scale=0.2).to_pil().width > 50
    if mime_type.startswith("application/vnd"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None and "word/document.xml" in archive.namelist()
    if mime_type == "message/rfc822":
        return bool(email.message_from_bytes(data)["Subject"])
    if mime_type == "application/rtf":
        return data.startswith(b"{\\rtf1") and data.count(b"{") == data.count(b"}")
    return bool(data.decode()) if mime_type == "text/plain" else opened(data).width > 100


def test_each_kind_opens_as_what_it_is(demo: DataSet, demo_truth: Truth) -> None:
    kinds = Counter()
    for row in demo.tables["Documents"]:
        expected = demo_truth[identity(row)]
        if expected.state in ("imported", "unlinked"):
            assert expected.mime_type
            assert opens(read(row.values["file"].blob), expected.mime_type)
            kinds[expected.mime_type] += 1
    assert len(kinds) == 6


def test_the_damaged_one_is_refused(demo: DataSet, demo_truth: Truth) -> None:
    damaged = [row for row in demo.tables["Documents"] if demo_truth[identity(row)].state == "quarantined"]
    assert len(damaged) == 1
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(read(damaged[0].values["file"].blob))


def test_special_cases(demo: DataSet, demo_truth: Truth) -> None:
    papers = [expected for expected in demo_truth.values() if expected.table == "Documents"]
    assert len(papers) == len(demo.tables["Documents"]) == 24
    assert {"imported", "unlinked", "quarantined", "failed", "empty"} == {expected.state for expected in papers}
    disguised = next(expected for expected in papers if "wrong_extension" in expected.traits)
    assert disguised.original_name.endswith(".doc")
    assert disguised.mime_type == "application/rtf"


def test_portraits_are_pictures(demo: DataSet) -> None:
    portraits = [row.values["portrait"] for row in demo.tables["Patients"]]
    assert sum(bool(value) for value in portraits) == 4
    assert all(opened(read(value.blob)).size == (300, 360) for value in portraits if value)
