"""A script that came back from FileMaker: what counts as another script, and what does not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from unlade.desktop.script import compare_scripts, make_bundle, plan_export
from unlade.errors import SourceError

PLAN: dict[str, Any] = {"layout": "API", "identity": "id", "containers": ["full", "small"], "table": "Images"}
BUNDLE = make_bundle(plan_export("images", **PLAN))
FIELDS = make_bundle(plan_export("images", **PLAN, variant="export-field"))
XML = BUNDLE.script_xml


def what(copied: str, generated: str = XML) -> list[str]:
    return [str(difference) for difference in compare_scripts(generated, copied).differences]


def flat(xml: str) -> str:
    """As FileMaker itself writes: one line, paired tags."""
    paired = re.sub(r"<(\w+)([^>]*)/>", r"<\1\2></\1>", xml)
    return re.sub(r">\s*\n\s*<", "><", paired)


@pytest.mark.parametrize(
    "copied",
    [
        XML,
        BUNDLE.steps_xml,
        flat(XML),
        XML.replace("\n", "\r\n"),
        XML.replace("<>", "≠").replace(">=", "≥"),
        re.sub(r"<Step ", '<Step unknown="1" ', XML),
        XML.replace('<Set state="True"/>', '<Set state="True"/><DisableStepCollapsed state="False"/>'),
        XML.replace('    <FlushType value="Always"/>\n', ""),
        re.sub(r' *<Step enable="True" id="89" name="# .comment."(/>|>.*?</Step>)\n', "", XML, flags=re.DOTALL),
        XML.replace("$n + 1", "$n  +\r 1"),
        XML.replace('name="Set Variable"', 'name="Variable setzen"'),
    ],
    ids=[
        "same",
        "steps",
        "flat",
        "crlf",
        "operators",
        "attributes",
        "newer",
        "older",
        "comments",
        "blanks",
        "language",
    ],
)
def test_the_same_script(copied: str) -> None:
    assert what(copied) == []


def test_ids_that_filemaker_found_do_not_count() -> None:
    assert what(FIELDS.script_xml.replace('id="0" name="full"', 'id="17" name="full"'), FIELDS.script_xml) == []


@pytest.mark.parametrize(
    ("pattern", "replacement", "expected"),
    [
        (r"<Name>\$rid</Name>", "", "Set Variable: Name is gone"),
        (r"\$found = 0", "/* $found = 0 */", "commented its calculation out"),
        (r"Get \( RecordID \)", "Get ( RecordNumber )", "its calculation is another"),
        (r'<Step enable="True" id="23"', '<Step enable="False" id="23"', "Show All Records: is switched off"),
        (r'  <Step enable="True" id="21" name="Unsort Records"/>\n', "", "Unsort Records: is missing"),
        (r'runFullAccess="True"', 'runFullAccess="False"', "full access"),
        (
            r'state="True"/>\n(\s*)<DataSourceType value="2"',
            r'state="True"/>\n\1<DataSourceType value="1"',
            "DataSourceType@value is '1'",
        ),
        (r"<UniversalPathList>\$full", "<UniversalPathList>$path", "is '$path'"),
        (r"(<fmxmlsnippet.*\n.*<Script[^>]*>)", r'\1<Step enable="True" id="90" name="Halt Script"/>', "one step more"),
    ],
)
def test_another_script(pattern: str, replacement: str, expected: str) -> None:
    changed = re.sub(pattern, replacement, XML)
    assert changed != XML
    found = what(changed)
    assert any(expected in line for line in found), found


def test_a_lost_field_is_told() -> None:
    lost = FIELDS.script_xml.replace('id="0" name="small"', 'id="0" name=""')
    assert any("Field@name" in line for line in what(lost, FIELDS.script_xml))


def test_an_unknown_step_in_place_of_ours() -> None:
    found = what(XML.replace('id="197" name="Delete File"', 'id="0" name="&lt;unknown&gt;"'))
    assert any("Delete File: is missing" in line for line in found)
    assert any("<unknown>" in line for line in found)


def test_options_that_filemaker_added_are_notes() -> None:
    comparison = compare_scripts(XML, XML.replace('<Set state="False"/>', '<Set state="False"/><New state="True"/>'))
    assert comparison.same
    assert comparison.notes == ("Allow User Abort: FileMaker added New@state = True",)


def test_the_right_one_of_several_scripts() -> None:
    other = '<Script includeInMenu="True" id="2" name="Other"><Step enable="True" id="90" name="Halt Script"/></Script>'
    assert what(XML.replace("</fmxmlsnippet>", other + "</fmxmlsnippet>")) == []
    with pytest.raises(SourceError, match="2 scripts"):
        what(XML.replace("unlade export images", "renamed").replace("</fmxmlsnippet>", other + "</fmxmlsnippet>"))


@pytest.mark.parametrize(
    "copied", ["", "no xml", "<a/>", '<!DOCTYPE a [<!ENTITY b "c">]><fmxmlsnippet/>', XML[: len(XML) // 2]]
)
def test_what_is_no_snippet(copied: str) -> None:
    with pytest.raises(SourceError):
        what(copied)
