"""A survey as one self-contained page. It names tables and fields and holds no value; pictures only where asked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape

from unlade.survey.covering import Verdict, counted
from unlade.survey.file import Survey
from unlade.survey.text import counts, layouts_of, marks_of, said, sums
from unlade.survey.values import FieldFound, SurveyFound
from unlade.units import format_size

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #1d2327; --soft: #68727a; --line: #e2dfd8;
  --good: #1a7f4b; --warn: #9a6700; --mat: #ecebe6 }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1d2226; --ink: #e6e9eb; --soft: #94a0a8;
  --line: #2c3338; --good: #4cc38a; --warn: #e2b341; --mat: #12161a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 1200px; margin: 0 auto; padding: 28px 24px 40px }
h1 { font-size: 24px; line-height: 1.2; margin: 0 0 4px } h2 { font-size: 16px; margin: 30px 0 8px }
p { margin: 4px 0 } .soft { color: var(--soft) } .good { color: var(--good) } .warn { color: var(--warn) }
.note { border-left: 3px solid var(--warn); padding-left: 10px; margin: 8px 0 }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 7px 12px; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child > * { border-bottom: 0 } th { font-size: 12px; color: var(--soft); font-weight: 600; white-space: nowrap }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td { overflow-wrap: break-word } td.k { font-weight: 600 }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 16px 0 }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px }
.cards b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; line-height: 1.25 }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 14px }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden }
.plate { height: 170px; background: var(--mat); display: grid; place-items: center; color: var(--soft) }
.plate img { max-width: calc(100% - 16px); max-height: 154px; display: block; border-radius: 3px }
figcaption { padding: 8px 12px 10px; overflow-wrap: anywhere } code { font-size: 13px; overflow-wrap: anywhere }
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample: where it stands, what it is, its thumbnail (b"" where none can be made, `why` then says why)."""

    place: str
    what: str
    mime: str = ""
    data: bytes = b""
    why: str = ""


def head(title: str) -> str:
    """Everything before a page's own words: it asks nobody for anything, and no search engine may keep it."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<style>{STYLE}</style></head><body><main>\n"
    )


TAIL = "</main></body></html>\n"


def table(titles: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]], numbers: str = "") -> str:
    """A table; cells are HTML already, and without titles there is no head.

    `numbers` has a letter for each column: `n` for figures, `k` for keys.
    """
    kinds = numbers.ljust(len(titles), "-")[: len(titles)]

    def row(cells: Sequence[str], tag: str) -> str:
        marked = (f' class="{kind}"' if kind in "nk" and not (tag == "th" and kind == "k") else "" for kind in kinds)
        return "<tr>" + "".join(f"<{tag}{k}>{cell}</{tag}>" for k, cell in zip(marked, cells, strict=True)) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    top = row([escape(title) for title in titles], "th") if any(titles) else ""
    return f'<div class="wide"><table>{top}{body}</table></div>'


def survey_page(
    found: SurveyFound,
    verdicts: Sequence[Verdict],
    *,
    zone: tzinfo,
    judge: bool = True,
    files: Sequence[Survey] = (),
    pictures: Sequence[Picture] = (),
) -> str:
    """The page. `files` add all tables of a file; `judge` false leaves out who takes what."""
    return "".join(_parts(found, verdicts, zone, judge, files, pictures))


def _parts(
    found: SurveyFound,
    verdicts: Sequence[Verdict],
    zone: tzinfo,
    judge: bool,
    files: Sequence[Survey],
    pictures: Sequence[Picture],
) -> Iterator[str]:
    yield head(f"Survey of {found.place}")
    whole = "every record" if found.full else "a sample of the records"
    state = "" if found.complete else ' <span class="warn">It is not complete.</span>'
    yield f"<h1>{escape(found.place)}</h1>"
    yield f'<p class="soft">Survey of {found.at.astimezone(zone):%d %B %Y, %H:%M %Z}, {whole}.{state}</p>'
    for line in sums(found, verdicts, judge=judge):
        yield f"<p>{escape(line)}</p>"
    for note in found.notes:
        yield f'<p class="note">{escape(note)}</p>'
    yield "<h2>Container fields</h2>"
    yield _fields(found, verdicts, judge) if found.fields else "<p>There are none.</p>"
    if pictures:
        yield f"<h2>Samples</h2><p class='soft'>{len(pictures)} files. {PRIVATE}</p>" + _sheet(pictures)
    for one in files:
        yield f"<h2>All tables{f' of {escape(one.database.path.name)}' if len(files) > 1 else ''}</h2>"
        rows = [
            [escape(t.table.name), f"{t.records:,}", f"{len(t.table.fields):,}", _names(t.table.fields)]
            for t in one.tables
        ]
        yield table(("Table", "Records", "Fields", "Names"), rows, "knn-")
    yield TAIL


#: Stands over pictures.
PRIVATE = "They may show real people: for the owner's eyes alone."


def _names(fields: Sequence[object]) -> str:
    return f'<span class="soft">{escape(", ".join(str(getattr(field, "name", field)) for field in fields))}</span>'


def _fields(found: SurveyFound, verdicts: Sequence[Verdict], judge: bool) -> str:
    of_file = found.road == "file"
    titles = ["Table", "Container", "Filled records"]
    titles += ["Values", "Bytes", "Where", "Types"] if of_file else ["Layouts"]
    titles += ["Taken by"] if judge else []
    kinds = "k--nn---" if of_file else "k----"
    return table(titles, [_row(v, of_file, judge) for v in verdicts], kinds)


def _row(verdict: Verdict, of_file: bool, judge: bool) -> list[str]:
    one = verdict.found
    cells = [escape(one.table or "?"), _field(one), escape(counted(one))]
    if of_file:
        cells += [f"{one.values:,}", escape(format_size(one.bytes or 0)), escape(counts(one.where, 6))]
        cells.append(escape(counts(one.types, 8)))
    else:
        cells.append(escape(layouts_of(one)))
    if judge:
        style = {"covered": "good", "not covered": "warn"}.get(verdict.state, "soft")
        cells.append(f'<span class="{style}">{escape(said(verdict))}</span>')
    return cells


def _field(one: FieldFound) -> str:
    marks = " ".join(f'<span class="soft">{escape(word)}</span>' for word in marks_of(one))
    return f"{escape(one.field)} {marks}".strip()


def _sheet(pictures: Sequence[Picture]) -> str:
    return '<div class="sheet">' + "".join(_figure(one) for one in pictures) + "</div>"


def _figure(one: Picture) -> str:
    plate = escape(one.why or "no picture of this type")
    if one.data:
        data = base64.b64encode(one.data).decode("ascii")
        plate = f'<img alt="{escape(one.place)}" loading="lazy" src="data:{escape(one.mime)};base64,{data}">'
    return (
        f'<figure><div class="plate">{plate}</div><figcaption>{escape(one.place)}'
        f'<br><span class="soft">{escape(one.what)}</span></figcaption></figure>'
    )
