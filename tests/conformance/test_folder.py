"""Export folders as a source: by our script, as a plain tree, flat beside a csv."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conformance.source import Expected, SourceConformance, Stock, expected, stock_data
from tests.folder.exports import as_csv, as_tree, by_script, flat
from unlade.desktop.source import open_folder
from unlade.importer import get_import
from unlade.options import RunOptions


class TestManifest(SourceConformance):
    @pytest.fixture
    def stock(self, tmp_path: Path) -> Iterator[Stock]:
        data = stock_data()
        folder = by_script(data, tmp_path, all_fields=True)
        with closing(open_folder(folder, get_import("images"), RunOptions())) as source:
            yield Stock(source, expected(data))


def in_first_field(data: list[Expected]) -> list[Expected]:
    """A tree and a flat folder have one file a record, and know only what names tell."""
    return [wanted for wanted in data if wanted.files]


class TestTree(SourceConformance):
    @pytest.fixture
    def stock(self, tmp_path: Path) -> Iterator[Stock]:
        data = stock_data()
        wanted = [
            Expected(each.identity, {name: each.fields[name] for name in ("id", "id_Contact")}, each.files)
            for each in in_first_field(expected(data, best_only=True))
        ]
        with closing(open_folder(as_tree(data, tmp_path), get_import("images"), RunOptions())) as source:
            yield Stock(source, wanted, containers=())


class TestFlatBesideCsv(SourceConformance):
    @pytest.fixture
    def stock(self, tmp_path: Path) -> Iterator[Stock]:
        data = stock_data()
        data.tables["Images"] = [row for row in data.tables["Images"] if row.values["image_Full"]]
        folder = flat(data, tmp_path / "export", by="id")
        options = RunOptions(metadata=str(as_csv(data, tmp_path / "records.csv")))
        with closing(open_folder(folder, get_import("images"), options)) as source:
            yield Stock(source, expected(data, best_only=True), containers=())
