"""The Data API as a source."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from fmsim import Simulator
from tests.conformance.source import SourceConformance, Stock, expected, stock_data
from tests.voyage.harness import FIELDS
from unlade.filemaker import DataApiSource
from unlade.filemaker.config import FileMakerConfig


class TestDataApiSource(SourceConformance):
    @pytest.fixture
    def stock(self) -> Iterator[Stock]:
        data = stock_data()
        with Simulator(data) as sim:
            config = FileMakerConfig(sim.url, sim.database, sim.account, sim.password)
            with closing(DataApiSource(config, layout="API_Images", containers=FIELDS)) as source:
                yield Stock(source, expected(data))
