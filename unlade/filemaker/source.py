"""The Data API as a `Source`: what the run loop sees of a FileMaker host."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from unlade.cargo import ContainerRef, Count, Page, Road, SourceRecord
from unlade.errors import SourceError, Unauthorised
from unlade.filemaker.api import Api
from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.containers import ContainerPolicy, Containers
from unlade.filemaker.exchange import HEAD, Exchange
from unlade.filemaker.metadata import Layout, ProductInfo, layout_names, layout_of, product_info
from unlade.filemaker.records import Records
from unlade.filemaker.session import Identity, Session
from unlade.filemaker.transport import Transport
from unlade.source import Download, FreeToll, Gate, OpenGate, Toll

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a sample page weighs. `fattest`: fields with their mean bytes of JSON per record, heaviest first."""

    records: int
    bytes_per_record: int
    fattest: tuple[tuple[str, int], ...]


class DataApiSource:
    """Records and containers of one layout over the Data API (`unlade.source.Source`). It cannot write.

    All methods may be called from any thread. `clock` gives aware UTC wall time, `sleep` takes seconds and may raise
    `Interrupted`. `containers` empty means all of the layout's. `page`, `read` and `download` pass `gate` and must not be
    called inside a download's context by the thread that holds it. Raises `SettingsError` for what cannot work.
    """

    road = Road.API

    def __init__(
        self,
        config: FileMakerConfig,
        *,
        layout: str,
        containers: Sequence[str] = (),
        toll: Toll | None = None,
        gate: Gate | None = None,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        portals: Sequence[str] = (),
        response_layout: str | None = None,
        sort: Sequence[tuple[str, str]] = (),
        identity: Identity | None = None,
    ) -> None:
        self.config = config
        self.layout = layout
        gate = gate or OpenGate()
        self._toll = toll or FreeToll()
        self._transport = Transport(config, clock=clock, monotonic=monotonic)
        exchange = Exchange(self._transport, self._toll, gate, clock)
        self.session = Session(config, exchange, clock, identity)
        self.api = Api(config, exchange, self.session, sleep=sleep, rng=rng or random.Random(), clock=clock)
        self._records = Records(
            self.api,
            layout,
            clock=clock,
            containers=containers,
            portals=portals,
            response_layout=response_layout,
            sort=sort,
        )
        self._containers = Containers(config, self._transport, self.session, gate, clock)

    # The seam (docstrings: unlade.source.Source)

    def count(self) -> Count:
        """How many records there are: one page of one record."""
        try:
            return self._records.count()
        except Unauthorised as error:
            raise _no_way_in(error) from None

    def page(self, offset: int, limit: int) -> Page:
        """A slice of the host's own order. Besides what `Source.page` names: `OwnNetworkDown`, `FieldMissing`."""
        try:
            return self._records.page(offset, limit)
        except Unauthorised as error:
            raise _no_way_in(error) from None

    def read(self, record_id: str) -> SourceRecord:
        """One record anew, with fresh links."""
        return self._records.one(record_id)

    def find(self, query: Sequence[Mapping[str, str]], *, offset: int = 1, limit: int = 100) -> Page:
        """Records that fit `query` (FILEMAKER.md 3); none is an empty page with a count of 0."""
        return self._records.find(query, offset=offset, limit=limit)

    def download(
        self, record: SourceRecord, ref: ContainerRef, *, resume_at: int = 0
    ) -> AbstractContextManager[Download]:
        """Open a container; a permit is held until the context is left."""
        return self._containers.open(record, ref, resume_at)

    def close(self) -> None:
        """Log out and let go of connections."""
        self.session.close()
        self._transport.close()

    # For the doctor, the breaker's probe and the survey

    def ping(self) -> ProductInfo:
        """The cheapest question there is, asked once; needs no account. Passes the gate as a probe."""
        return product_info(self.api, probe=True)

    def ensure_authenticated(self) -> None:
        """Sign in if that is not done. Raises `SignInRefused`, `PrivilegeMissing`, `SourceError`."""
        self.session.ensure_authenticated()

    def metadata(self) -> Layout:
        """The fields of the layout that records are read through (declared containers are checked)."""
        return self._records.shape().layout

    def layout_names(self) -> list[str]:
        """All layouts that the account sees."""
        return layout_names(self.api)

    def layout_fields(self, name: str) -> Layout:
        """The fields of any layout. Raises `LayoutMissing`."""
        return layout_of(self.api, name)

    def weigh(self, sample: int = 10) -> Weight:
        """Read `sample` records and say what they weigh in JSON, by field (bytes)."""
        self._records.shape()
        rows = self._records.raw_page(sample)
        sizes: dict[str, int] = {}
        for row in rows:
            for group in ("fieldData", "portalData"):
                values = row.get(group)
                for name, value in values.items() if isinstance(values, dict) else ():
                    sizes[name] = sizes.get(name, 0) + _json_size(name, value)
        number = max(1, len(rows))
        fattest = sorted(((name, size // number) for name, size in sizes.items()), key=lambda pair: -pair[1])
        return Weight(len(rows), sum(_json_size("", row) for row in rows) // number, tuple(fattest[:10]))

    @property
    def policies(self) -> Mapping[ContainerPolicy, int]:
        """How files were handed out until now, and how many downloads were so."""
        return dict(self._containers.seen)

    def policy(self, record: SourceRecord, ref: ContainerRef) -> ContainerPolicy:
        """How this host hands out containers. Stops at hop 1, or after the head in open mode; the link is spent."""
        booking = self._toll.reserve("probe", 2 * HEAD)
        return self._containers.policy(record, ref, booking.settle)


def _json_size(name: str, value: object) -> int:
    return len(json.dumps({name: value}, default=str, ensure_ascii=False).encode()) - 2


def _no_way_in(error: Unauthorised) -> SourceError:
    return SourceError(
        str(error),
        remedy="The host signs us in but does not accept its own session; ask who runs it to restart the Data API.",
        code=error.code,
        status=error.status,
    )
