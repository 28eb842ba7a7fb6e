"""Changes under the reader's feet keep the data believable."""

from __future__ import annotations

import hashlib
import io
import uuid

import pytest
from PIL import Image

from fmsim import BytesBlob, ContainerValue, Record
from fmsim.mutations import Altered, apply
from fmsim.tables import Table


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (24, 16), (90, 120, 40)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_other_bytes_are_the_same_picture(kind: str) -> None:
    data = encoded(kind)
    fresh = Altered(BytesBlob(data), b"note")
    got = b"".join(fresh.chunks())
    assert got != data and len(got) == fresh.size
    for start in (0, 1, 2, 10, len(data), len(got)):
        assert b"".join(fresh.chunks(start)) == got[start:]
    with Image.open(io.BytesIO(got)) as picture:
        assert picture.size == (24, 16)
        picture.load()


def rows(count: int, **values: object) -> Table:
    made = [
        Record(str(n), "1", {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(n))).upper(), **values})
        for n in range(1, count + 1)
    ]
    return Table("T", made)


def test_copies_have_identities_of_their_own_in_the_same_spelling() -> None:
    table = rows(3, owner="X")
    apply(table, {"add": 5}, seed=1)
    identities = [row.values["id"] for row in table.rows]
    assert len(set(identities)) == 8
    assert all(identity == identity.upper() and uuid.UUID(identity) for identity in identities)
    assert [row.record_id for row in table.rows] == [str(n) for n in range(1, 9)]
    assert {row.values["owner"] for row in table.rows} == {"X"}


def test_declared_digests_and_sizes_follow_the_bytes() -> None:
    data = encoded("JPEG")
    photo = ContainerValue(BytesBlob(data), "a.jpg", "image/jpeg")
    table = rows(1, photo=photo, md5=hashlib.md5(data).hexdigest().upper(), size=len(data), other="x")
    apply(table, {"replace": 1}, seed=1)
    values = table.rows[0].values
    fresh = b"".join(values["photo"].blob.chunks())
    assert values["md5"] == hashlib.md5(fresh).hexdigest().upper()
    assert (values["size"], values["other"]) == (len(fresh), "x")
    assert table.rows[0].mod_id == "2"


def test_touched_and_replaced_rows_are_the_next_ones_each_time() -> None:
    table = rows(6)
    apply(table, {"delete": 1, "touch": 2, "replace": 1}, seed=1)
    assert {row.record_id: row.mod_id for row in table.rows} == {"2": "2", "3": "2", "4": "2", "5": "1", "6": "1"}
    apply(table, {"touch": 9}, seed=1)
    assert {row.record_id: row.mod_id for row in table.rows} == {"2": "2", "3": "2", "4": "2", "5": "2", "6": "2"}
