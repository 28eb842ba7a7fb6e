"""The survey as one self-contained page, readable by its owner alone. It names tables and fields, and holds no values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape

from unlade.standalone.survey import FieldSurvey, Survey
from unlade.units import format_size

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.warn { border-left: 4px solid #c80; padding-left: .7rem } .dim { opacity: .65 }
"""


def survey_page(found: Survey, advice: list[str]) -> str:
    """The page. `advice` are sentences for the person."""
    return "".join(_parts(found, advice))


def _parts(found: Survey, advice: list[str]) -> Iterator[str]:
    header = found.database.header
    name = escape(found.database.path.name)
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<h1>{name}</h1><p>{escape(header.kind)}"
    if header.programs:
        yield f", written by {escape(', '.join(header.programs))}"
    yield f"; {escape(header.locale.language_name)}, dates are {header.locale.date_order}.</p>"
    yield f"<p>{escape(found.proof.line() if found.lost is None else found.lost.line())}</p>"
    for sentence in (*header.warnings, *advice):
        yield f'<p class="warn">{escape(sentence)}</p>'
    yield "<h2>Container fields</h2>"
    yield from _containers(found)
    yield "<h2>Tables</h2>"
    yield from _tables(found)
    yield "</html>\n"


def _containers(found: Survey) -> Iterator[str]:
    yield '<table><tr><th>Table<th>Field<th class="n">Filled<th class="n">Bytes<th>Where<th>Types</tr>'
    total = size = 0
    for table in found.tables:
        for one in table.containers:
            total, size = total + one.filled, size + one.bytes
            yield _row(table.table.name, one)
    yield f'<tr><th>All<th><th class="n">{total:,}<th class="n">{format_size(size)}<th><th></tr></table>'


def _row(table: str, one: FieldSurvey) -> str:
    more = ' <span class="dim">global</span>' if one.column.is_global else ""
    if one.column.repetitions > 1:
        more += f' <span class="dim">{one.column.repetitions} repetitions</span>'
    return (
        f'<tr><td>{escape(table)}<td>{escape(one.column.name)}{more}<td class="n">{one.filled:,}'
        f'<td class="n">{format_size(one.bytes)}<td>{_counts(one.where)}<td>{_counts(one.types)}</tr>'
    )


def _tables(found: Survey) -> Iterator[str]:
    yield '<table><tr><th>Table<th class="n">Records<th class="n">Fields<th>Names</tr>'
    for table in found.tables:
        names = ", ".join(field.name for field in table.table.fields)
        yield (
            f'<tr><td>{escape(table.table.name)}<td class="n">{table.records:,}'
            f'<td class="n">{len(table.table.fields):,}<td class="dim">{escape(names)}</tr>'
        )
    yield "</table>"


def _counts(counts: Counter[str]) -> str:
    return escape(", ".join(f"{name} {number:,}" for name, number in counts.most_common()))
