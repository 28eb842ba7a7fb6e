"""The contact sheet's HTML: one file that asks nobody for anything. Strings in, strings out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape

from unlade.units import format_count, format_size

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #ffffff; --ink: #1d2327; --soft: #68727a; --line: #e2dfd8;
  --mat: #ecebe6; --imported: #1a7f4b; --unlinked: #9a6700; --quarantined: #8b3fb0; --failed: #c0362c; --other: #68727a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1d2226; --ink: #e6e9eb; --soft: #94a0a8;
  --line: #2c3338; --mat: #12161a; --imported: #4cc38a; --unlinked: #e2b341; --quarantined: #c98be8; --failed: #f0766b;
  --other: #94a0a8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 1400px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; padding-bottom: 18px; }
h1 { font-size: 24px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
.sub { margin: 0; color: var(--soft); }
.counts { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; padding: 0; list-style: none; }
.counts li { background: var(--card); border: 1px solid var(--line); border-radius: 999px; padding: 4px 12px; }
.counts b { font-variant-numeric: tabular-nums; }
.bar { display: flex; height: 6px; border-radius: 3px; overflow: hidden; margin-top: 16px; background: var(--line); }
.bar i { display: block; min-width: 3px; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden;
  display: flex; flex-direction: column; break-inside: avoid; }
.plate { height: 190px; background: var(--mat); display: grid; place-items: center; }
.plate img { max-width: calc(100% - 16px); max-height: 174px; display: block; border-radius: 3px; }
.plate span { color: var(--soft); text-align: center; padding: 0 16px; }
.plate strong { display: block; font-size: 26px; letter-spacing: 0.04em; font-weight: 600; }
figcaption { padding: 10px 12px 12px; display: grid; gap: 2px; }
.top { display: flex; justify-content: space-between; align-items: center; gap: 8px; }
.id { font-weight: 600; overflow-wrap: anywhere; }
.badge { font-size: 11px; font-weight: 600; border-radius: 999px; padding: 1px 8px; border: 1px solid currentColor;
  white-space: nowrap; }
.soft { color: var(--soft); font-size: 12.5px; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
footer { color: var(--soft); padding-top: 22px; padding-bottom: 36px; font-size: 12.5px; }
.imported { color: var(--imported); } .unlinked { color: var(--unlinked); } .quarantined { color: var(--quarantined); }
.failed { color: var(--failed); } .other { color: var(--other); }
i.imported, i.unlinked, i.quarantined, i.failed, i.other { background: currentColor; }
@media (max-width: 480px) { main { grid-template-columns: repeat(2, 1fr); gap: 10px; } header, main, footer { padding-left: 12px;
  padding-right: 12px; } .plate { height: 140px; } .plate img { max-height: 124px; } }
@media print { body { background: #fff; } main { grid-template-columns: repeat(5, 1fr); } }
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_COLOURED = ("imported", "unlinked", "quarantined", "failed")

_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp", b"GIF8": "image/gif"}


@dataclass(frozen=True, slots=True)
class Card:
    """One item on the sheet. Ids, never names. `why_blank` stands where there is no picture."""

    record_id: str
    state: str
    note: str = ""
    field: str = ""
    size: int | None = None
    kind: str = ""  #: JPG, PDF, ...
    pixels: tuple[int, int] | None = None
    day: date | None = None
    picture: bytes = b""
    why_blank: str = ""


def top(title: str, headline: str, made: str, totals: Mapping[str, int], shown: int) -> str:
    """Everything before the first card."""
    whole = sum(totals.values())
    shown_first = [*_COLOURED, *(state for state in totals if state not in _COLOURED)]
    chips = "".join(
        f'<li><b class="{_class(state)}">{format_count(totals[state])}</b> {escape(state)}</li>'
        for state in shown_first
        if totals.get(state)
    )
    bars = "".join(
        f'<i class="{state}" style="flex:0 0 {100 * totals.get(state, 0) / whole:.3f}%"></i>'
        for state in _COLOURED
        if whole and totals.get(state)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">
<title>{escape(title)}: contact sheet</title><style>{STYLE}</style></head>
<body><header><h1>{escape(headline)}</h1>
<p class="sub">Contact sheet of {escape(title)}, {format_count(shown)} shown, made {escape(made)}.
May show real people: for its owner's eyes alone.</p>
<div class="bar">{bars}</div><ul class="counts">{chips}</ul></header>
<main>
"""


def card(item: Card) -> str:
    """One card."""
    size = format_size(item.size) if item.size is not None else ""
    pixels = f"{item.pixels[0]}×{item.pixels[1]}" if item.pixels else ""
    details = [
        " · ".join(part for part in (item.kind, size, pixels) if part),
        " · ".join(part for part in (item.field, item.day.isoformat() if item.day else "no date") if part),
        item.note,
    ]
    lines = "".join(f'<div class="soft">{escape(line)}</div>' for line in details if line)
    return (
        f'<figure><div class="plate">{_plate(item)}</div><figcaption><div class="top">'
        f'<span class="id">{escape(item.record_id)}</span>'
        f'<span class="badge {_class(item.state)}">{escape(item.state)}</span></div>{lines}</figcaption></figure>\n'
    )


def bottom(left_out: int) -> str:
    """Everything after the last card."""
    more = f"{format_count(left_out)} more are not shown here. " if left_out else ""
    return f"</main><footer>{more}Numbers are the record ids of the source.</footer></body></html>\n"


def picture_type(data: bytes) -> str | None:
    """The MIME type of a thumbnail that a browser shows, None for anything else."""
    return next((mime for magic, mime in _PICTURES.items() if data.startswith(magic)), None)


def kind_of(key: str, mime_type: str) -> str:
    """`JPG`, `PDF`: the word that people know a type by; from the stored key, which has the sniffed extension."""
    name, dot, extension = key.rpartition("/")[2].rpartition(".")
    if name and dot and len(extension) <= 5:
        return extension.upper()
    return mime_type.rpartition("/")[2].partition(";")[0].partition("+")[0].upper()[:8]


def _plate(item: Card) -> str:
    mime = picture_type(item.picture)
    if mime:
        data = base64.b64encode(item.picture).decode("ascii")
        return f'<img alt="record {escape(item.record_id)}" loading="lazy" src="data:{mime};base64,{data}">'
    word = item.kind or "–"
    return f"<span><strong>{escape(word)}</strong>{escape(item.why_blank)}</span>"


def _class(state: str) -> str:
    return state if state in _COLOURED else "other"
