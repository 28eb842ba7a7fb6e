"""Compares a script copied back from FileMaker with what was generated: by meaning, never by bytes.

FileMaker has two ways to write a snippet, adds options of newer versions, puts in the ids it found and respells
operators; none of that counts. What counts is what it drops without a word: a step, a variable's name, a field, a
calculation that it commented out because a name in it is unknown. Source: DESKTOP.md 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from xml.etree import ElementTree

from unlade.errors import SourceError

_COMMENT = 89
#: Written by some versions only, or without a meaning for what a script does.
_OPTIONAL = frozenset({"DisableStepCollapsed", "FlushType", "Animation", "ESSForceCommit"})
#: FileMaker binds names to ids of its own; the names are compared.
_BOUND = frozenset({"Field", "Layout", "Script"})
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\s+', re.DOTALL)
_OPERATORS = str.maketrans({"≠": "<>", "≤": "<=", "≥": ">="})


@dataclass(frozen=True, slots=True)
class Difference:
    """`step` counts in the generated script from 1, comments included; 0 for the script itself."""

    step: int
    name: str
    what: str

    def __str__(self) -> str:
        where = f"step {self.step}, {self.name}: " if self.step else ""
        return where + self.what


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` change what the script does; `notes` are options that FileMaker added."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether both scripts mean the same."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class _Parsed:
    number: int
    id: str
    name: str
    enabled: bool
    facts: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        """What pairs a step with its counterpart: its kind, and the variable or path it is about."""
        marks = [value for path, value in self.facts if path.endswith(("/Name", "/UniversalPathList"))]
        return self.id, marks[0] if marks else ""


def compare_scripts(generated: str, copied: str) -> Comparison:
    """Compare two fmxmlsnippets, whole scripts or steps only.

    Raises `SourceError` when one of them is no snippet, or when `copied` holds several scripts of which none has the
    generated one's name.
    """
    wanted_root, found_root = _parse(generated, "the generated script"), _parse(copied, "the copied script")
    wanted_script = wanted_root.find(".//Script")
    name = wanted_script.get("name", "") if wanted_script is not None else ""
    found_script = _pick(found_root, name)
    differences: list[Difference] = []
    notes: list[str] = []
    if found_script is not None and found_script.get("runFullAccess") != "True":
        differences.append(Difference(0, "", 'the script does not run "with full access privileges"; switch it on'))
    wanted = list(_steps(wanted_root if wanted_script is None else wanted_script))
    found = list(_steps(found_root if found_script is None else found_script))
    for mine, theirs in _pairs(wanted, found):
        differences += _differ(mine, theirs, notes)
    return Comparison(tuple(differences), tuple(dict.fromkeys(notes)))


def _parse(text: str, what: str) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceError(f"{what} declares entities; a FileMaker snippet never does")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")))
    except ElementTree.ParseError as error:
        line, column = error.position
        raise SourceError(f"{what} is no XML: it breaks off in line {line}, column {column}") from None
    if root.tag != "fmxmlsnippet":
        raise SourceError(f"{what} is no FileMaker snippet: it begins with <{root.tag}>")
    return root


def _pick(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    scripts = list(root.iter("Script"))
    scripts = [script for script in scripts if script.find("Step") is not None or not root.findall("Step")]
    scripts = [script for script in scripts if script in list(root) or script.find("Step") is not None]
    if len(scripts) <= 1:
        return scripts[0] if scripts else None
    named = [script for script in scripts if script.get("name") == name]
    if len(named) != 1:
        raise SourceError(f"{len(scripts)} scripts were copied", remedy="Copy the exported one alone.")
    return named[0]


def _steps(root: ElementTree.Element) -> Iterator[_Parsed]:
    for number, step in enumerate(root.findall("Step"), 1):
        kind = step.get("id", "")
        if kind == str(_COMMENT):
            continue
        facts = tuple(fact for child in step for fact in _facts(child, ""))
        yield _Parsed(number, kind, step.get("name", ""), step.get("enable", "True") == "True", facts)


def _facts(element: ElementTree.Element, above: str) -> Iterator[tuple[str, str]]:
    """The step's meaning as (path, value): attributes and texts, what is empty left out."""
    if element.tag in _OPTIONAL:
        return
    path = f"{above}/{element.tag}"
    for name, value in element.attrib.items():
        if not (element.tag in _BOUND and name == "id"):
            yield f"{path}@{name}", value
    text = (element.text or "").strip() if len(element) else (element.text or "")
    if element.tag == "Calculation":
        yield path, _formula(text)
    elif text.strip():
        yield path, text.strip()
    for child in element:
        yield from _facts(child, path)


def _formula(text: str) -> str:
    """A calculation without what has no meaning: blanks and line ends outside of texts, spelling of operators."""
    pieces, last = [], 0
    for match in _TOKEN.finditer(text):
        pieces.append(text[last : match.start()].translate(_OPERATORS))
        if match[0].startswith('"'):
            pieces.append(match[0])
        last = match.end()
    return "".join([*pieces, text[last:].translate(_OPERATORS)])


def _pairs(wanted: Sequence[_Parsed], found: Sequence[_Parsed]) -> Iterator[tuple[_Parsed | None, _Parsed | None]]:
    matcher = SequenceMatcher(None, [s.key for s in wanted], [s.key for s in found], autojunk=False)
    for _, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        mine, theirs = list(wanted[a_from:a_to]), list(found[b_from:b_to])
        while mine or theirs:
            if mine and theirs and mine[0].id == theirs[0].id:
                yield mine.pop(0), theirs.pop(0)
            elif theirs and (not mine or all(s.id != theirs[0].id for s in mine)):
                yield None, theirs.pop(0)
            else:
                yield mine.pop(0), None


def _differ(mine: _Parsed | None, theirs: _Parsed | None, notes: list[str]) -> Iterator[Difference]:
    if theirs is None:
        assert mine is not None
        yield Difference(mine.number, mine.name, "is missing")
        return
    if mine is None:
        yield Difference(0, "", f"there is one step more, number {theirs.number}: {theirs.name}")
        return
    if not theirs.enabled:
        yield Difference(mine.number, mine.name, "is switched off")
    have = _numbered(theirs.facts)
    for (path, value), place in zip(mine.facts, _numbered_paths(mine.facts), strict=True):
        other = have.pop(place, None)
        if other != value:
            yield Difference(mine.number, mine.name, _what(path, value, other))
    notes.extend(f"{theirs.name}: FileMaker added {place[0].lstrip('/')} = {value}" for place, value in have.items())


def _numbered_paths(facts: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """Paths can repeat within a step; their order counts."""
    seen: dict[str, int] = {}
    places = []
    for path, _ in facts:
        seen[path] = seen.get(path, 0) + 1
        places.append((path, seen[path]))
    return places


def _numbered(facts: Sequence[tuple[str, str]]) -> dict[tuple[str, int], str]:
    return {place: value for place, (_, value) in zip(_numbered_paths(facts), facts, strict=True)}


def _what(path: str, wanted: str, found: str | None) -> str:
    thing = path.lstrip("/")
    if thing.endswith("Calculation"):
        if found is None:
            return "its calculation is gone"
        if found.startswith("/*"):
            return "FileMaker commented its calculation out: this file does not know a name or function in it"
        return f"its calculation is another: {_around(wanted, found)}"
    if found is None:
        return f"{thing} is gone; it was {wanted!r}"
    return f"{thing} is {found!r}; it was {wanted!r}"


def _around(wanted: str, found: str) -> str:
    """Both texts around their first difference."""
    at = next((i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), min(len(wanted), len(found)))
    start = max(at - 15, 0)
    return f"...{found[start : at + 30]!r} where ...{wanted[start : at + 30]!r} was generated"
