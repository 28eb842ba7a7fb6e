"""The simulator's clinic as a database file: every import of it ends as the truth says, and as it does over the API."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from fmsim import clinic
from tests.documents.conftest import pier
from tests.documents.pier import PierMaker
from tests.fmp12.clinic import as_clinic
from tests.voyage.harness import add_patients
from unlade.against import compare
from unlade.fileroad import open_database
from unlade.importer import get_import
from unlade.options import RunOptions

__all__ = ["pier"]


@pytest.mark.slow
def test_images_and_documents_as_the_truth_says(pier: PierMaker, tmp_path: Path) -> None:
    size = {"images": 80, "documents": 40}
    data, truth = clinic.build(**size), clinic.truth(**size)
    path = as_clinic(data, tmp_path / "Clinic.fmp12")
    with pier(data) as here:
        add_patients(data)
        for name, table in (("images", "Images"), ("documents", "Documents")):
            told = here.run(name, from_path=str(path), yes=True)
            expected = Counter(fate.state for fate in truth.values() if fate.table == table)
            assert told["totals"] | expected == told["totals"], (name, expected, told["totals"])
            assert (told["found"], told["totals"]["pending"]) == (size[name], 0)
            over_api = here.run(name)
            assert over_api["totals"] == told["totals"]
            importer = get_import(name)
            file = open_database(path, importer, RunOptions(yes=True))
            found = compare(importer, here.store, file)
            file.close()
            assert found.findings == []
            assert (found.empty, found.without) == (told["totals"]["empty"], told["totals"]["failed"])
            assert found.same + found.empty + found.without == size[name]
        assert here.sim.stats()["downloads"] == {}
