"""What pages showed lately is known without a query, and no more of it is kept than is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from unlade.cargo import RefStatus
from unlade.desktop import catalogue as room
from unlade.desktop.catalogue import Catalogue, FileRef

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def filled(records: int) -> Catalogue:
    found = Catalogue()
    for number in range(1, records + 1):
        place = found.add_row(record_id=str(number), mod_id="1", identity=f"ID-{number}", owner="O", values={})
        assert place is not None
        found.add_ref(place, FileRef("photo", RefStatus.FILE, f"{number}.jpg", None, number, "m", "s", "", "path"))
        if number % 2:
            found.add_ref(place, FileRef("scan", RefStatus.FILE, trouble="file_missing"))
    return found


def test_a_page_and_a_query_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PAGED", 5)
    catalogue = filled(12)
    queried = {(str(n), field): catalogue.ref(str(n), field) for n in range(1, 13) for field in ("photo", "scan")}
    assert queried["2", "scan"] is None
    assert catalogue._paged == {}
    for offset in range(1, 13, 3):
        records = catalogue.page(offset, 3, NOW)
        assert len(catalogue._paged) <= 5
        for record in records:
            for field in ("photo", "scan"):
                known = catalogue.ref(record.record_id, field)
                expected = queried[record.record_id, field]
                assert (known is None) == (expected is None)
                if known is not None and expected is not None:
                    for name in ("field", "status", "path", "name", "size", "md5", "sha256", "trouble", "how"):
                        assert getattr(known, name) == getattr(expected, name)
    assert ("12", "photo") in catalogue._paged and ("1", "photo") not in catalogue._paged
    catalogue.close()
