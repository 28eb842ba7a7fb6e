"""Texts: HTML, JSON, XML, SVG, e-mail, cards, or plain; in UTF-8, UTF-16 or an eight-bit code page."""

from __future__ import annotations

import codecs
import json
import re

from unlade.media import filetypes as ft
from unlade.media.filetypes import FileType

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: Control characters that texts hold: tab, line ends, form feed, FileMaker's vertical tab and separators, escape, DOS end.
_TEXT_CONTROLS = frozenset(b"\t\n\x0b\x0c\r\x1a\x1b\x1c\x1d\x1e\x1f")
_UPPER_HALF = bytes(range(0x80, 0x100))
_CONTROLS = bytes(c for c in range(32) if c not in _TEXT_CONTROLS) + b"\x7f"

_HTML = re.compile(
    r"(?:<!--.{0,4000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|script|style|table|div|p|h1|br|center)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(r"<\?xml\b", re.IGNORECASE)
_ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_JSON_START = re.compile(r'\{\s*(?:"(?:[^"\\]|\\.){0,500}"\s*:|\})|\[\s*(?:["\[{\]]|-?\d|true\b|false\b|null\b)')
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,60}:[ \t]?")
_MAIL_HEADERS = frozenset(
    ("from", "to", "subject", "date", "received", "return-path", "message-id", "mime-version", "delivered-to")
)
_WHOLE_JSON = 1 << 16


def sniff_text(window: bytes, size: int) -> FileType | None:
    """The type of a text that starts with `window` (all of it if it is short); None when it is no text."""
    text = _decoded(window, complete=size <= len(window))
    if text is None:
        return None
    text = text.lstrip("\ufeff \t\r\n\x0b\x0c")
    if text.startswith("<"):
        return _markup(text)
    if text.startswith(("{", "[")):
        return _json_or_text(text, size)
    if text.startswith("BEGIN:VCARD"):
        return ft.VCARD
    if text.startswith("BEGIN:VCALENDAR"):
        return ft.ICAL
    return ft.EML if _is_mail(text) else ft.TEXT


def _decoded(window: bytes, *, complete: bool) -> str | None:
    for bom, encoding in _BOMS:
        if window.startswith(bom):
            return codecs.getincrementaldecoder(encoding)("replace").decode(window[len(bom) :])
    if len(window) >= 4 and 0 in window[:64]:
        return _bare_utf16(window)
    if window.translate(None, _CONTROLS) != window:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(window, complete)
    except UnicodeDecodeError:
        return window.decode("latin-1") if _looks_eight_bit(window) else None


def _bare_utf16(window: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    if window.count(0) <= 0.9 * (len(window) // 2):
        return None
    sample = window[: len(window) // 2 * 2]
    for encoding, zeros, others in (("utf-16-le", sample[1::2], sample[::2]), ("utf-16-be", sample[::2], sample[1::2])):
        if zeros.count(0) > 0.9 * len(zeros) and not others.count(0) and others.translate(None, _CONTROLS) == others:
            return sample.decode(encoding, "replace")
    return None


def _looks_eight_bit(window: bytes) -> bool:
    """Letters and spaces outweigh the upper half, as in every language that is written in a code page."""
    return len(window.translate(None, _UPPER_HALF)) >= 0.6 * len(window)


def _markup(text: str) -> FileType:
    if _HTML.match(text):
        return ft.HTML
    if not (_XML.match(text) or text.startswith(("<!", "<svg", "<SVG"))):
        return ft.XML if _is_closed_element(text) else ft.TEXT
    body = re.sub(r"<\?.*?\?>|<!--.*?-->", "", text[:16384], flags=re.DOTALL)
    root = _ROOT.search(re.sub(r"<![^>\[]*(?:\[.*?\])?\s*>", "", body, flags=re.DOTALL))
    name = root[2].lower() if root else ""
    return {"svg": ft.SVG, "html": ft.HTML}.get(name, ft.XML)


def _is_closed_element(text: str) -> bool:
    root = _ROOT.match(text)
    if root is None:
        return False
    return f"</{root[1] or ''}{root[2]}>" in text[-4096:] or text.rstrip().endswith("/>")


def _json_or_text(text: str, size: int) -> FileType:
    if size > _WHOLE_JSON:
        return ft.JSON if _JSON_START.match(text) else ft.TEXT
    try:
        json.loads(text)
    except RecursionError:  # only brackets nest that deeply
        return ft.JSON
    except ValueError:
        # A JSON answer that was cut off is no more a file than a whole one.
        return ft.JSON if re.match(r'\{\s*"(?:[^"\\]|\\.){0,500}"\s*:', text) else ft.TEXT
    return ft.JSON


def _is_mail(text: str) -> bool:
    seen: set[str] = set()
    for line in text[:8192].splitlines()[:60]:
        if not line.strip():
            break
        header = _HEADER.match(line)
        if header:
            seen.add(header[0].partition(":")[0].lower())
        elif not line[0].isspace() or not seen:
            return False
    return len(seen & _MAIL_HEADERS) >= 3 or {"from", "subject"} <= seen
