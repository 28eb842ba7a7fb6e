"""The generated script as text: FileMaker's grammar, names of any kind, the same bytes every time."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.desktop.formulas import Parser, unquote
from unlade.desktop.script import ContainerField, ExportPlan, make_bundle, plan_export
from unlade.desktop.script.formulas import quote
from unlade.errors import UsageError

#: Children of each step in their order, as DESKTOP.md 1.2 has them.
CHILDREN = {
    "6": ["LayoutDestination", "Layout"],
    "16": ["NoInteract", "Exit", "RowPageLocation"],
    "21": [],
    "23": [],
    "55": ["Pause"],
    "68": ["Restore", "Calculation"],
    "69": ["Restore"],
    "70": [],
    "71": ["Restore", "FlushType"],
    "72": ["Calculation"],
    "73": [],
    "79": [],
    "85": ["Set"],
    "86": ["Set"],
    "89": ["Text"],
    "103": ["Calculation"],
    "125": ["Restore", "Calculation"],
    "132": ["CreateDirectories", "AutoOpen", "CreateEmail", "UniversalPathList", "Field"],
    "141": ["Value", "Repetition", "Name"],
    "188": ["UniversalPathList", "Text", "Field"],
    "189": ["UniversalPathList", "Text", "Field"],
    "190": ["CreateDirectories", "UniversalPathList"],
    "191": ["UniversalPathList", "Text", "Field"],
    "192": ["AppendLineFeed", "DataSourceType", "Calculation", "Text", "Field"],
    "196": ["Calculation"],
    "197": ["UniversalPathList"],
}
#: Steps that can fail, but for going to the next record, whose error ends the loop.
FALLIBLE = {"6", "16", "21", "23", "55", "132", "188", "189", "190", "191", "192", "196", "197"}

names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)


def plan(**changes: Any) -> ExportPlan:
    base: dict[str, Any] = {
        "layout": "API_Images",
        "identity": "id",
        "containers": ["full", "small(2)"],
        "owner": "id_Contact",
        "date": "date",
        "table": "Images",
    }
    return plan_export("images", **(base | changes))


VARIANTS = [{}, {"all_fields": True}, {"variant": "export-field"}, {"variant": "export-field", "for_version": 15}]


def steps_of(xml: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(xml.encode("utf-8")).iter("Step"))


@pytest.mark.parametrize("changes", VARIANTS)
def test_every_step_has_the_shape_that_filemaker_pastes(changes: Any) -> None:
    for step in steps_of(make_bundle(plan(**changes)).script_xml):
        kind = step.get("id", "")
        tags = [child.tag for child in step]
        assert [tag for tag in CHILDREN[kind] if tag in tags] == tags
        assert set(CHILDREN[kind]) - set(tags) <= {"Text", "Exit"}
        assert list(step.attrib) == ["enable", "id", "name"]


@pytest.mark.parametrize("changes", VARIANTS)
def test_errors_are_read_right_behind_every_step_that_can_fail(changes: Any) -> None:
    steps = steps_of(make_bundle(plan(**changes)).script_xml)
    for step, following in pairwise(steps):
        if step.get("id") in FALLIBLE:
            assert following.findtext("Value/Calculation") == "Get ( LastError )", step.get("name")


@pytest.mark.parametrize("changes", VARIANTS)
def test_headless_and_changes_nothing(changes: Any) -> None:
    bundle = make_bundle(plan(**changes))
    kinds = {step.get("id") for step in steps_of(bundle.script_xml)}
    assert kinds <= set(CHILDREN), "no step but those known to read"
    assert {"85", "86"} <= kinds
    assert ElementTree.fromstring(bundle.script_xml.encode())[0].get("runFullAccess") == "True"


@pytest.mark.parametrize("changes", VARIANTS)
def test_every_formula_parses_and_every_block_closes(changes: Any) -> None:
    depth = 0
    for step in steps_of(make_bundle(plan(**changes)).script_xml):
        for calculation in step.iter("Calculation"):
            Parser(calculation.text or "").parse()
        depth += (step.get("id") in ("68", "71")) - (step.get("id") in ("70", "73"))
        assert depth >= 0
    assert depth == 0


def test_both_snippets_hold_the_same_steps() -> None:
    bundle = make_bundle(plan())
    whole, bare = (
        [ElementTree.canonicalize(ElementTree.tostring(step), strip_text=True) for step in steps_of(xml)]
        for xml in (bundle.script_xml, bundle.steps_xml)
    )
    assert whole == bare
    assert ElementTree.fromstring(bundle.steps_xml.encode())[0].tag == "Step"
    assert bundle.script_xml.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<fmxmlsnippet type="FMObjectList">\n')


def test_no_blanks_in_elements_that_hold_text() -> None:
    xml = make_bundle(plan()).script_xml
    assert not re.search(r"<(Name|Text|Field|UniversalPathList)>\s|\s</(Name|Text|Field|UniversalPathList)>", xml)
    assert "\t" not in xml and "\r" not in xml and "¶" not in xml


@settings(deadline=None)
@given(names, names, names)
def test_names_survive(layout: str, field: str, container: str) -> None:
    bundle = make_bundle(plan(layout=layout, identity=field, containers=[container], variant="export-field"))
    texts = {unquote(t) for xml in (bundle.script_xml, bundle.steps_xml) for t in _literals(xml)}
    assert layout in texts
    assert field in texts or f"::{field}" in texts
    bare = ContainerField.parse(container)
    reference = next(s for s in steps_of(bundle.script_xml) if s.get("id") == "132").find("Field")
    assert reference is not None
    table, _, name = bare.name.rpartition("::")
    assert (reference.get("table"), reference.get("name")) == (table or "Images", name)


def _literals(xml: str) -> list[str]:
    found = []
    for step in steps_of(xml):
        for calculation in step.iter("Calculation"):
            found += re.findall(r'"(?:\\.|[^"\\])*"', calculation.text or "", re.DOTALL)
    return found


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "x]]>y", "photo]", "Größe", "写真::画像", "back\\slash", "50 ¶", "a & <b>"]
)
def test_awkward_names(name: str) -> None:
    bundle = make_bundle(plan(containers=[name], category=name))
    assert name in {unquote(text).removeprefix("::") for text in _literals(bundle.script_xml)} | {
        unquote(text) for text in _literals(bundle.script_xml)
    }
    assert "]]]>" not in bundle.script_xml.replace("]]]]><![CDATA[>", "")


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_a_literal_reads_back(text: str) -> None:
    assert unquote(quote(text)) == text


@settings(deadline=None)
@given(st.permutations(["full", "small(2)", "x::y", "日本"]))
def test_the_same_plan_gives_the_same_bytes(containers: list[str]) -> None:
    one, two = (make_bundle(plan(containers=containers)).files() for _ in range(2))
    assert one == two
    assert [*one] == ["export.xml", "export-steps.xml", "export.txt", "export.md"]


def test_known_field_ids_are_used_and_unknown_ones_are_zero() -> None:
    bundle = make_bundle(plan(variant="export-field", field_ids={"full": 12}))
    fields = [s.find("Field") for s in steps_of(bundle.script_xml) if s.get("id") == "132"]
    assert [(f.get("id"), f.get("name"), f.get("repetition")) for f in fields if f is not None] == [
        ("12", "full", None),
        ("0", "small", "2"),
    ]


def test_the_text_for_a_person_is_indented_and_complete() -> None:
    bundle = make_bundle(plan())
    steps = bundle.text.splitlines()
    assert sum(line.strip() == "End Loop" for line in steps) == sum(line.strip().startswith("Loop [") for line in steps)
    assert "        If [ IsEmpty ( $manifestId ) ]" not in steps and "    If [ IsEmpty ( $manifestId ) ]" in steps
    for field in ("id", "id_Contact", "date", "full", "small"):
        assert field in bundle.text
    assert "small(2)" in bundle.instructions and "API_Images" in bundle.instructions


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": ""},
        {"containers": []},
        {"containers": ["a", "a"]},
        {"layout": "a\rb"},
        {"for_version": 18},
        {"variant": "export-field", "table": ""},
    ],
)
def test_what_cannot_work_is_refused(changes: Any) -> None:
    with pytest.raises(UsageError):
        plan(**changes)


def test_a_name_that_is_no_folder_is_refused() -> None:
    with pytest.raises(UsageError, match="folder"):
        plan_export("../x", layout="L", identity="id", containers=["a"])
