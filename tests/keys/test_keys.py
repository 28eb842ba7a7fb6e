"""Keys: what they look like, that two items never share one, that every file system takes them."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unlade import keys

PATTERN = "patients/filemaker-import/images/{owner}/{date}/{identity}{ext}"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ALLOWED = set(string.ascii_letters + string.digits + "._-%~")

text = st.text(min_size=1, max_size=40).filter(lambda value: keys.normalise_id(value) != "")
awkward = st.one_of(
    text,
    st.sampled_from(
        [".", "..", "con", "Aux.x", "a.jpg", "a.thumb", "no-owner", "no-identity", "no", "~1", "%2E", "a/b"]
    ),
)
dates = st.none() | st.dates().map(lambda day: day.isoformat())
extensions = st.sampled_from(["", ".jpg", ".x", ".heic"])
patterns = st.sampled_from(
    [
        PATTERN,
        "{identity}{ext}",
        "a/{owner}_{identity}{ext}",
        "{owner}-{date}-{identity}{ext}",
        "{date}.{owner}/{identity}",
    ]
)


def values(owner: str | None, date: str | None, identity: str | None) -> dict[str, str | None]:
    return {"owner": owner, "date": date, "identity": identity}


def test_the_clinics_key_is_what_the_contract_says() -> None:
    key = keys.render(PATTERN, values(f" {{{UUID}}} ", "2016-10-18", UUID), ".jpg")
    assert key == f"patients/filemaker-import/images/{UUID.upper()}/2016-10-18/{UUID.upper()}.jpg"


def test_missing_values_have_names() -> None:
    assert (
        keys.render("{owner}/{date}/{category}/{identity}{ext}", values(None, " ", "7"), "")
        == "no-owner/no-date/no-category/7"
    )


@pytest.mark.parametrize(
    ("identity", "segment"),
    [
        ("a b", "a%20b.jpg"), ("ä", "%C3%A4.jpg"), ("a/b", "a%2Fb.jpg"), ("a~b", "a%7Eb.jpg"), ("50%", "50%25.jpg"), ("a:b", "a%3Ab.jpg"),
        ("1.5", "1.5.jpg"), ("nul", "%6Eul.jpg"), (".hidden", "%2Ehidden.jpg"), ("x.thumb", "x%2Ethumb.jpg"), ("no-identity", "%6Eo-identity.jpg"),
    ],
)  # fmt: skip
def test_other_characters_are_percent_encoded(identity: str, segment: str) -> None:
    assert keys.render("{identity}{ext}", values(None, None, identity), ".jpg") == segment


def test_a_long_value_is_cut_and_keeps_its_extension() -> None:
    one, two = (keys.render("{identity}{ext}", values(None, None, "ä" * 300 + tail), ".jpeg") for tail in "ab")
    assert one != two
    for key in (one, two, keys.variant_key(one, "123456789012345"), keys.thumbnail_key(two)):
        assert len(key) <= keys.MAX_SEGMENT
        assert key.endswith((".jpeg", ".thumb.jpg"))


def test_a_date_that_is_not_iso_is_refused() -> None:
    with pytest.raises(ValueError, match="ISO"):
        keys.render(PATTERN, values("1", "10/18/2016", "2"), ".jpg")


def test_what_is_derived_from_a_key() -> None:
    key = "a.b/7.jpg"
    assert keys.stem_of(key) == "a.b/7" and keys.extension_of(key) == ".jpg" and keys.folder_of(key) == "a.b"
    assert keys.extension_of("a.b/7") == "" and keys.stem_of("a.b/7") == "a.b/7"
    assert keys.thumbnail_key(key) == "a.b/7.thumb.jpg"
    assert keys.thumbnail_key(key, ".png") == "a.b/7.thumb.png"
    assert keys.variant_key(key, "12") == "a.b/7~12.jpg"
    assert keys.damaged_key(key, 0) == "a.b/7~damaged-0.jpg"
    assert keys.damaged_key(key, 1, ".html") == "a.b/7~damaged-1.html"
    assert keys.journal_key(key) == ".unlade/journal/a.b/7.jpg.json"
    assert keys.run_mark_key("images", 12) == ".unlade/images/run-12"
    assert keys.run_mark_key("journal", 1) == ".unlade/%6Aournal/run-1"


def test_what_counts_as_cargo() -> None:
    assert keys.is_cargo("a/7.jpg") and keys.is_cargo("a/7~12.jpg")
    assert not keys.is_cargo("a/7.thumb.jpg") and not keys.is_cargo(".unlade/journal/a/7.jpg.json")


@pytest.mark.parametrize(
    "pattern",
    ["", "/a/{identity}", "a//{identity}", "{identity", "{nothing}/{identity}", "a/{owner}{ext}", "{ext}{identity}", "{owner}{identity}{ext}",
     "{owner}x{identity}{ext}", "a b/{identity}", ".unlade/{identity}", "con/{identity}", "a./{identity}", "ä/{identity}", "{identity}.thumb{ext}", "x/{identity}{ext}/y", "{owner}.{identity}{ext}"],
)  # fmt: skip
def test_bad_patterns_are_named(pattern: str) -> None:
    assert keys.check_pattern(pattern)


def test_good_patterns_pass() -> None:
    for pattern in (PATTERN, "{identity}{ext}", "docs/{category}/{clinic}_{identity}{ext}"):
        assert keys.check_pattern(pattern, extra=["clinic"]) == []


@given(patterns, awkward, dates, awkward, extensions)
@example(PATTERN, "..", None, "a.jpg", "")
def test_keys_are_safe_on_every_system(
    pattern: str, owner: str, date: str | None, identity: str, extension: str
) -> None:
    key = keys.render(pattern, values(owner, date, identity), extension)
    for segment in key.split("/"):
        assert set(segment) <= ALLOWED
        assert 0 < len(segment) <= keys.MAX_SEGMENT
        assert not segment.startswith(".") and not segment.endswith(".")
        assert segment.split(".")[0].lower() not in {
            "con",
            "prn",
            "aux",
            "nul",
            *(f"{name}{n}" for name in ("com", "lpt") for n in range(10)),
        }
    assert not keys.is_thumbnail(key) and keys.is_cargo(key)


@given(patterns, st.none() | awkward, dates, awkward, extensions)
def test_a_key_can_be_read_back(
    pattern: str, owner: str | None, date: str | None, identity: str, extension: str
) -> None:
    given_values = values(owner, date, identity)
    found = keys.read_back(pattern, keys.render(pattern, given_values, extension))
    if found is None:  # a part was too long
        assert max(len(owner or ""), len(identity)) > 12
        return
    for name, value in found.items():
        if name == "ext":
            assert value == extension
        else:
            raw = given_values[name]
            wanted = (keys.normalise_id(raw) if name != "date" else raw) if raw is not None else None
            assert value == wanted


Item = tuple[str | None, str | None, str, str]
item = st.tuples(st.none() | awkward, dates, awkward, extensions)


@given(patterns.filter(lambda p: "{owner}" in p and "{date}" in p), item, item)
@example("a/{owner}_{identity}{ext}", ("no", None, "owner_1", ".jpg"), (None, None, "1", ".jpg"))
@example("{owner}-{date}-{identity}{ext}", ("no", None, "owner-1", ".jpg"), (None, None, "1", ".jpg"))
def test_two_items_never_share_a_key(pattern: str, left: Item, right: Item) -> None:
    one, two = (
        keys.render(pattern, values(owner, date, identity), extension)
        for owner, date, identity, extension in (left, right)
    )
    first, second = (tuple(keys.normalise_id(v) if v else None for v in each[:3]) for each in (left, right))
    if first != second:
        assert one != two


@given(awkward, extensions)
def test_the_stems_of_an_item_begin_all_its_keys(identity: str, extension: str) -> None:
    item = values("1", None, identity)
    stems = keys.stems(PATTERN, item)
    key = keys.render(PATTERN, item, extension)
    for each in (key, keys.variant_key(key, "12"), keys.thumbnail_key(key), keys.damaged_key(key, 1, ".html")):
        assert any(each == stem or each.startswith((stem + ".", stem + "~")) for stem in stems)


@given(awkward, awkward)
def test_encode_segment_is_injective(one: str, two: str) -> None:
    assert (keys.encode_segment(one, 60) == keys.encode_segment(two, 60)) == (one == two)
    assert len(keys.encode_segment(one, 60)) <= 60
