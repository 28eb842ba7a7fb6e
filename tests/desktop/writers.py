"""Writes text exports as FileMaker does: returns as vertical tabs, repetitions behind group separators."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

Cell = str | list[str]


def joined(cell: Cell) -> str:
    text = "\x1d".join(cell) if isinstance(cell, list) else cell
    return text.replace("\n", "\x0b")


def tab(rows: list[list[Cell]], end: str = "\r") -> str:
    return "".join("\t".join(joined(cell).replace("\t", " ") for cell in row) + end for row in rows)


def quoted(rows: list[list[Cell]], end: str = "\r", between: str = ",") -> str:
    lines = (between.join('"' + joined(cell).replace('"', '""') + '"' for cell in row) for row in rows)
    return "".join(line + end for line in lines)


def fmpxml(
    fields: list[tuple[str, str]],
    rows: list[tuple[str, str, list[Cell]]],
    *,
    dates: str = "M/d/yyyy",
    times: str = "h:mm:ss a",
    error: str = "0",
    found: int | None = None,
    empty: str = "<DATA></DATA>",
    prolog: str = "",
) -> str:
    metadata = "".join(
        f'<FIELD EMPTYOK="YES" MAXREPEAT="1" NAME={quoteattr(name)} TYPE="{kind}"/>' for name, kind in fields
    )
    body = ""
    for record, modification, cells in rows:
        columns = ""
        for cell in cells:
            parts = cell if isinstance(cell, list) else [cell]
            columns += "<COL>" + ("".join(f"<DATA>{escape(p)}</DATA>" if p else empty for p in parts)) + "</COL>"
        body += f'<ROW MODID="{modification}" RECORDID="{record}">{columns}</ROW>'
    return (
        f'<?xml version="1.0" encoding="UTF-8" ?>{prolog}<FMPXMLRESULT xmlns="http://www.filemaker.com/fmpxmlresult">'
        f'<ERRORCODE>{error}</ERRORCODE><PRODUCT BUILD="1" NAME="FileMaker" VERSION="ProAdvanced 19"/>'
        f'<DATABASE DATEFORMAT="{dates}" LAYOUT="" NAME="x.fmp12" RECORDS="{len(rows)}" TIMEFORMAT="{times}"/>'
        f'<METADATA>{metadata}</METADATA><RESULTSET FOUND="{len(rows) if found is None else found}">{body}</RESULTSET>'
        "</FMPXMLRESULT>"
    )
