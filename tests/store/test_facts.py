"""Facts as metadata: ASCII, under 2 KB, and the same when they come back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import Facts
from unlade.store.facts import Sidecar, from_metadata, from_sidecar, same_item, to_metadata, to_sidecar

short = st.text(max_size=20)
facts = st.builds(
    Facts,
    short,
    short,
    short,
    short,
    st.integers(0, 30),
    st.just("ab" * 32),
    st.sampled_from(["imported", "quarantined"]),
    short,
)


@given(facts.filter(lambda f: f.source and f.identity))
def test_facts_come_back(given_facts: Facts) -> None:
    for hyphens in (True, False):
        assert from_metadata(to_metadata(given_facts, hyphens=hyphens)) == given_facts
    sidecar = Sidecar("a/ä.jpg", 7, "image/jpeg", given_facts, 99)
    assert from_sidecar(to_sidecar(sidecar)) == sidecar


@given(st.lists(st.text(alphabet="aä€😀~%\n", max_size=3000), min_size=5, max_size=5))
def test_metadata_is_ascii_and_under_2_kb(texts: list[str]) -> None:
    source, record, mod, identity, slot = texts
    metadata = to_metadata(Facts(source, record, mod, identity, 3, "ab" * 32, "imported", slot))
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 2000
    assert all(value.isascii() and value.isprintable() for value in metadata.values())


@given(st.text(alphabet="aä~", min_size=1, max_size=600), st.text(alphabet="aä~", min_size=1, max_size=600))
def test_an_item_is_told_from_another_however_long_its_identity(one: str, two: str) -> None:
    wanted = [Facts("images", "1", "1", identity, 0, "ab" * 32, "imported") for identity in (one, two)]
    stored = from_metadata(to_metadata(wanted[0]))
    assert stored is not None
    assert same_item(stored, wanted[0])
    assert same_item(stored, wanted[1]) == (one == two)


def test_an_id_is_the_same_however_it_is_spelt() -> None:
    upper, lower, braces = (
        Facts("images", "1", "1", identity, 0, "ab" * 32, "imported")
        for identity in (
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e} ",
        )
    )
    assert same_item(upper, lower) and same_item(lower, upper) and same_item(braces, lower)
    assert not same_item(upper, replace(upper, identity="a")) and not same_item(
        replace(upper, identity="A"), replace(upper, identity="a")
    )


def test_what_is_not_ours_has_no_facts() -> None:
    assert from_metadata({}) is None
    assert from_metadata({"Content-Type": "image/jpeg", "identity": "1"}) is None
    assert (
        from_metadata({"unlade-source": "a", "unlade-identity": "b", "unlade-sha256": "c", "unlade-field": "x"}) is None
    )
    for data in (b"", b"{}", b"[]", b"null", b"\xff", b'{"facts": {}, "content_type": "", "size": 1, "key": ""}'):
        assert from_sidecar(data) is None
