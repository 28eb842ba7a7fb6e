"""Generated files: the streaming and the naive reader agree, whatever is in them and however their pages lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fmp12 import naive, writer
from tests.fmp12.test_samples import as_naive
from unlade.fmp12 import State, open_file

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.builds(
        lambda text, times: text * times,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
        st.integers(50, 400),
    ),
)
KINDS = st.sampled_from(["text", "number", "date", "time", "timestamp", "container"])
STREAMS = st.sampled_from([b"JPEG", b"PNGf", b"FILE", b"PDF ", b"BMPf", b"SIZE", b"DPI_", b"FNAM", b"MAIN"])
BYTES = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=9), st.integers(100, 1500)),
)


@st.composite
def tables(draw, number: int) -> writer.TableSpec:
    ids = draw(st.lists(st.integers(1, 20000), unique=True, max_size=5))
    fields = [
        writer.FieldSpec(
            one, f"field {place}", draw(KINDS), draw(st.integers(1, 3)), draw(st.booleans()), draw(st.integers(1, 300))
        )
        for place, one in enumerate(sorted(ids), 1)
    ]
    objects = [
        writer.ObjectSpec(key, draw(st.dictionaries(STREAMS, BYTES, max_size=4)))
        for key in sorted(draw(st.sets(st.integers(1, 40000), max_size=4)))
    ]
    numbers = sorted(draw(st.sets(st.one_of(st.integers(1, 200), st.integers(1, 100000)), max_size=12)))
    return writer.TableSpec(
        number,
        f"table {number}",
        fields,
        [writer.RecordSpec(n, draw(values(fields, objects)), draw(st.integers(0, 70000))) for n in numbers],
        draw(values([field for field in fields if field.is_global], objects)),
        objects,
    )


@st.composite
def values(draw, fields: list, objects: list) -> dict:
    found: dict = {}
    for field in fields:
        for repetition in draw(st.sets(st.integers(1, field.repetitions), max_size=2)):
            if field.type != "container":
                cell = draw(st.one_of(TEXT, st.builds(writer.Styled, TEXT)))
            elif objects:
                cell = writer.Ref(draw(st.sampled_from(objects)).key)
            else:
                cell = draw(st.sampled_from([writer.Ref(7), writer.Styled("file:x.jpg\rimage:/y.jpg")]))
            found[(field.id, repetition)] = cell
    return found


@st.composite
def specs(draw) -> writer.FileSpec:
    numbers = sorted(draw(st.sets(st.integers(129, 300), min_size=1, max_size=3)))
    return writer.FileSpec(
        [draw(tables(number)) for number in numbers],
        kind=draw(st.sampled_from(["fmp12", "fp7"])),
        order=draw(st.integers(0, 2)),
        manner=draw(st.integers(0, 2)),
        layout=writer.Layout(
            draw(st.one_of(st.none(), st.integers(0, 99))),
            draw(st.integers(0, 2)),
            draw(st.integers(2, 40)),
            draw(st.sampled_from([1300, 2500, 4076])),
        ),
    )


def check(path: Path, spec: writer.FileSpec) -> None:
    path.write_bytes(writer.build(spec))
    expected = naive.read(path)
    for salvage in (False, True):
        with open_file(path, salvage=salvage) as database:
            assert as_naive(database) == {
                name: {"records": one["records"], "globals": one["globals"]} for name, one in expected.items()
            }
            proof = database.proof()
            assert proof.size_fits and proof.chain_is_index and proof.keys_in_order and proof.all_leaves_in_chain
            assert proof.records == sum(len(one["records"]) for one in expected.values())
            assert not any("list" in fault for fault in proof.faults)
            for table in database.tables:
                twins = expected[table.name]["objects"]
                assert [thing.key for thing in database.objects(table)] == list(twins)
                for thing in database.objects(table):
                    for stream in thing.streams:
                        with database.open_object(table, thing, stream=stream.type) as opened:
                            assert b"".join(opened.chunks()) == twins[thing.key]["streams"][stream.type.encode()]
                            assert opened.state is State.VERIFIED
            if salvage:
                report = database.salvage_report()
                assert report is not None
                assert not report.pages and not report.holes and not report.records and not report.lost_records


# The text of a container that is no reference is compared as it is; everything else is in `check`.
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(spec=specs())
def test_both_readers_agree(tmp_path_factory: pytest.TempPathFactory, spec: writer.FileSpec) -> None:
    check(tmp_path_factory.mktemp("made") / "a.fmp12", spec)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(spec=specs())
def test_both_readers_agree_on_many(tmp_path_factory: pytest.TempPathFactory, spec: writer.FileSpec) -> None:
    check(tmp_path_factory.getbasetemp() / "many.fmp12", spec)
