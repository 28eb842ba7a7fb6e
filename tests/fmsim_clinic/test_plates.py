"""A print is a valid file of its own, read from any place."""

from __future__ import annotations

import io
import zipfile
from random import Random

import pypdfium2
import pytest
from PIL import PngImagePlugin

from fmsim.clinic import papers, stock
from fmsim.clinic.plates import NOTE, Plate, Print, plate
from tests.fmsim_clinic.conftest import opened, read

NOTES = ("00000000-0000-0000-0000-000000000001", "FFFFFFFF-0000-0000-0000-000000000002")
MODES = {"gray": "L", "cmyk": "CMYK", "png": "RGBA", "gif": "P", "bmp": "P"}
FORMATS = {"png": "PNG", "heic": "HEIF", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF", "bmp": "BMP"}


@pytest.mark.parametrize("form", [form for form in stock.STOCK if form not in ("pdf", "text")])
def test_each_format_decodes_and_each_copy_has_its_own_bytes(form: str) -> None:
    made = stock.load_family(1, form, 0).full
    one, other = (read(Print(made, note)) for note in NOTES)
    assert one != other
    assert len(one) == len(other) == made.size
    picture, copy = opened(one), opened(other)
    assert picture.format == FORMATS.get(form, "JPEG")
    assert picture.mode == MODES.get(form, "RGB")
    assert bool(picture.info.get("progressive")) == (form == "progressive")
    assert picture.tobytes() == copy.tobytes()


def test_png_checksums_hold_for_every_note() -> None:
    data = read(Print(stock.load_family(1, "png", 0).full, NOTES[1]))
    assert NOTES[1].encode() in data
    with io.BytesIO(data) as file:
        PngImagePlugin.PngImageFile(file).verify()


def test_pdf_has_pages_that_render_and_cannot_be_repaired_when_cut() -> None:
    made = stock.load_family(1, "pdf", 0).full
    data = read(Print(made, NOTES[0]))
    with pypdfium2.PdfDocument(data) as paper:
        assert len(paper) == 3
        drawn = paper[0].render(scale=0.5).to_pil().convert("L")
        assert drawn.getextrema()[0] < 100 < drawn.getextrema()[1]
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(read(Print(made, NOTES[0], made.size * 6 // 10)))


def test_word_document_is_a_sound_archive() -> None:
    data = read(Print(papers.word("Title", ["one", "two"]), NOTES[0]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.comment.decode() == NOTES[0]
        assert b"<w:t>two</w:t>" in archive.read("word/document.xml")


@pytest.mark.parametrize("cut", [None, 1, 40, 150])
def test_chunks_start_anywhere(cut: int | None) -> None:
    made = Plate(b"h" * 70, b"t" * 90, "text/plain", ".txt")
    whole = read(Print(made, NOTES[0], cut))
    assert len(whole) == Print(made, NOTES[0], cut).size
    places = [0, 1, 69, 70, 71, 105, 106, 107, 195, 196, *(Random(1).randrange(220) for _ in range(20))]
    for start in places:
        assert b"".join(Print(made, NOTES[0], cut).chunks(start)) == whole[start:]


def test_a_plate_needs_exactly_one_note() -> None:
    for data in (b"none", NOTE + b" and " + NOTE):
        with pytest.raises(ValueError, match="note stands"):
            plate(data, "text/plain", ".txt")
    with pytest.raises(ValueError, match="36 characters"):
        read(Print(plate(NOTE, "text/plain", ".txt"), "short"))
