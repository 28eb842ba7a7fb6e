"""PDF: page count, and the first page as a picture. By PDFium."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from unlade.media.decode import CannotDecode, Damaged
from unlade.media.messages import Decoded, Job
from unlade.media.thumbnail import encode_thumbnail

_TAIL = 1 << 16
_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,200}?/L\s+(\d{1,12})\b")
_OVERSAMPLED = 2.0


def decode_pdf(job: Job, found: Decoded) -> None:
    """Fill `found`. Pixel size stays unknown: a page has none. Raises `Damaged`, `CannotDecode`."""
    _check_complete(Path(job.path))
    document = _open(job.path)
    try:
        found.pages = len(document)
        if not found.pages:
            raise Damaged("the PDF has no pages")
        if job.want_thumbnail:
            _thumbnail(document, job, found)
    finally:
        document.close()


def _open(path: str) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
            raise CannotDecode("the PDF is protected by a password") from error
        if code == pdfium.FPDF_ERR_FORMAT:
            raise Damaged("the PDF is broken: no readable page tree") from error
        raise CannotDecode("PDFium cannot open it") from error


def _check_complete(path: Path) -> None:
    """PDFium repairs silently what was cut off, and would show the pages that are left as if they were all."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(2048)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    stated = _LINEARIZED.search(head)
    if stated and int(stated[1]) > size:
        raise Damaged(f"the PDF is cut off: it states {int(stated[1])} bytes and has {size}")
    if b"startxref" not in tail and b"%%EOF" not in tail:
        raise Damaged("the PDF is cut off: it ends without its cross-reference table")


def _thumbnail(document: pypdfium2.PdfDocument, job: Job, found: Decoded) -> None:
    try:
        page = document[0]
        width, height = page.get_size()
        if width <= 0 or height <= 0:
            raise CannotDecode("the first page has no size")
        scale = min(job.box[0] / width, job.box[1] / height) * _OVERSAMPLED
        image = page.render(scale=scale).to_pil()
    except pypdfium2.PdfiumError as error:
        raise CannotDecode("PDFium cannot render the first page") from error
    image.thumbnail(job.box)
    found.thumbnail = encode_thumbnail(image)
