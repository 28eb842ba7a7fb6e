"""Small valid papers made by hand: PDF, Word document, e-mail, RTF and plain text, each with a place for a note."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from fmsim.clinic.plates import NOTE, Plate, plate

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPE_OF_RELS = "application/vnd.openxmlformats-package.relationships+xml"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def _stream(data: bytes, more: str = "") -> bytes:
    return f"<< /Length {len(data)} {more}>>\nstream\n".encode("latin-1") + data + b"\nendstream"


def _pdf(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1. The last is the catalog: a file cut short cannot be repaired."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n% " + NOTE + b"\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {len(objects)} 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def _lines(lines: Sequence[str], x: int = 72, y: int = 760) -> str:
    shown = "".join(f"({line.translate(_ESCAPED)}) Tj T*\n" for line in lines)
    return f"BT /F1 11 Tf 16 TL {x} {y} Td\n{shown}ET\n"


_ESCAPED = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})


def _pages(contents: Sequence[str], picture: tuple[bytes, tuple[int, int]] | None = None) -> bytes:
    """A4 pages from content streams, with Helvetica as F1 and, if given, a JPEG as Im1."""
    objects = [b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    resources = "/Font << /F1 1 0 R >>"
    if picture:
        data, (width, height) = picture
        kind = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
        kind += "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode "
        objects.append(_stream(data, kind))
        resources += " /XObject << /Im1 2 0 R >>"
    first = len(objects) + 1
    root = first + 2 * len(contents)
    for text in contents:
        objects.append(_stream(text.encode("cp1252")))
        page = f"<< /Type /Page /Parent {root} 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} 0 R /Resources << {resources} >> >>"
        objects.append(page.encode())
    kids = " ".join(f"{first + 1 + 2 * index} 0 R" for index in range(len(contents)))
    objects.append(f"<< /Type /Pages /Count {len(contents)} /Kids [{kids}] >>".encode())
    objects.append(f"<< /Type /Catalog /Pages {root} 0 R >>".encode())
    return _pdf(objects)


def picture_pdf(data: bytes, size: tuple[int, int]) -> bytes:
    """Three pages: a JPEG under a heading, then two pages of drawing and text."""
    wide, high = 451, round(451 * size[1] / size[0])
    first = "0.18 0.42 0.44 rg 0 800 595 42 re f\n" + _lines(["Series of pictures, page 1 of 3"], y=770).replace(
        "BT", "0 g BT"
    )
    first += f"q {wide} 0 0 {high} 72 {740 - high} cm /Im1 Do Q\n" + _lines(["Figure 1: overview"], y=720 - high)
    rings = "".join(
        f"0.{9 - ring} 0.5 0.{3 + ring} rg {90 + ring * 60} {300 + ring * 40} 120 120 re f\n" for ring in range(6)
    )
    return _pages(
        [first, rings + "0 g " + _lines(["Page 2 of 3: shapes"]), _lines(["Page 3 of 3", "Nothing in it is real."])],
        (data, size),
    )


def letter_pdf(title: str, lines: Sequence[str], pages: int) -> Plate:
    """A letter of some pages with a coloured head."""
    head = "0.36 0.30 0.60 rg 0 790 595 52 re f 0.95 0.65 0.35 rg 0 784 595 6 re f 0 g\n"
    contents = [head + _lines([title, f"page {page + 1} of {pages}", "", *lines]) for page in range(pages)]
    return plate(_pages(contents), "application/pdf", ".pdf")


def word(title: str, lines: Sequence[str]) -> Plate:
    """The smallest .docx that word processors open; its note is the archive's comment."""
    texts = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in (title, *lines))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType="{_TYPE_OF_RELS}"/>'
        f'<Override PartName="/word/document.xml" ContentType="{WORD}.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELS}">'
        f'<Relationship Id="rId1" Type="{_OFFICE}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{texts}</w:body></w:document>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = NOTE
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, (2016, 1, 4, 8, 0, 0))
            entry.create_system = 0  # the same bytes on every system
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + text)
    return plate(out.getvalue(), WORD, ".docx")


def email(title: str, lines: Sequence[str]) -> Plate:
    head = f"From: Reception <reception@clinic.example>\r\nTo: Archive <archive@clinic.example>\r\nSubject: {title}\r\n"
    head += f"Date: Mon, 04 Jan 2016 08:00:00 +0000\r\nMessage-ID: <{NOTE.decode()}@clinic.example>\r\n"
    head += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return plate((head + "\r\n".join(lines) + "\r\n").encode(), "message/rfc822", ".eml")


def rtf(title: str, lines: Sequence[str]) -> Plate:
    body = "".join(f"{line}\\par\n" for line in (title, "", *lines))
    text = f"{{\\rtf1\\ansi\\deff0{{\\fonttbl{{\\f0 Helvetica;}}}}{{\\info{{\\doccomm {NOTE.decode()}}}}}\\f0\\fs22 {body}}}"
    return plate(text.encode("ascii"), "application/rtf", ".rtf")


def text(title: str, lines: Sequence[str]) -> Plate:
    return plate("\n".join((title, "reference " + NOTE.decode(), "", *lines, "")).encode(), "text/plain", ".txt")
