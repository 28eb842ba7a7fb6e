"""Types by bytes. A wrong type here becomes a wrong extension in a key and a wrong Content-Type in the store."""

from pathlib import Path

import pytest

from tests.media import samples
from unlade.media import Kind, not_a_file, sniff
from unlade.media.filetypes import ALL, extension_of

IMAGE = samples.noise((64, 48))
OOXML = ("[Content_Types].xml", "_rels/.rels", "docProps/app.xml")
ODF = "application/vnd.oasis.opendocument."
MP4 = b"\0\0\0\x18ftyp%s\0\0\2\0isomiso2" + bytes(60)

CASES: list[tuple[str, bytes, str, str]] = [
    ("jpeg", samples.encoded(IMAGE, "JPEG"), "image/jpeg", ".jpg"),
    ("png", samples.encoded(IMAGE, "PNG"), "image/png", ".png"),
    ("gif", samples.encoded(IMAGE, "GIF"), "image/gif", ".gif"),
    ("bmp", samples.encoded(IMAGE, "BMP"), "image/bmp", ".bmp"),
    ("tiff", samples.encoded(IMAGE, "TIFF"), "image/tiff", ".tif"),
    ("bigtiff", samples.encoded(IMAGE, "TIFF", big_tiff=True), "image/tiff", ".tif"),
    ("webp", samples.encoded(IMAGE, "WEBP"), "image/webp", ".webp"),
    ("heic", samples.encoded(IMAGE, "HEIF"), "image/heic", ".heic"),
    ("avif", samples.encoded(IMAGE, "AVIF"), "image/avif", ".avif"),
    ("jp2", samples.encoded(IMAGE, "JPEG2000"), "image/jp2", ".jp2"),
    ("ico", samples.encoded(IMAGE, "ICO"), "image/vnd.microsoft.icon", ".ico"),
    ("heif without a codec brand", b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "image/heif", ".heif"),
    ("heic under mif1", b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "image/heic", ".heic"),
    ("avif under mif1", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "image/avif", ".avif"),
    ("psd", b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\1\0\0\0\1\0\x08\0\3", "image/vnd.adobe.photoshop", ".psd"),
    ("dicom", bytes(128) + b"DICM\2\0\0\0UL\4\0", "application/dicom", ".dcm"),
    ("pict", bytes(522) + b"\x00\x11\x02\xff\x0c\x00", "image/x-pict", ".pict"),
    ("svg", b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml", ".svg"),
    ("bare svg", b'<svg viewBox="0 0 1 1"></svg>', "image/svg+xml", ".svg"),
    ("svg with doctype", b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "a>b" "c"><svg/>', "image/svg+xml", ".svg"),
    ("pdf", samples.pdf(), "application/pdf", ".pdf"),
    ("pdf after junk", b"\r\njunk" * 140 + samples.pdf(), "application/pdf", ".pdf"),
    ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n", "application/postscript", ".eps"),
    ("rtf", b"{\\rtf1\\ansi hello}", "application/rtf", ".rtf"),
    (
        "docx",
        samples.zipped(*OOXML, "word/document.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ".docx",
    ),
    (
        "docm",
        samples.zipped(*OOXML, "word/document.xml", "word/vbaProject.bin"),
        "application/vnd.ms-word.document.macroenabled.12",
        ".docm",
    ),
    (
        "xlsx",
        samples.zipped(*OOXML, "xl/workbook.xml", comment=b"c" * 900),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".xlsx",
    ),
    (
        "pptx",
        samples.zipped(*OOXML, "ppt/presentation.xml"),
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ".pptx",
    ),
    ("odt", samples.zipped("content.xml", mimetype=ODF + "text"), ODF + "text", ".odt"),
    ("ods", samples.zipped("content.xml", mimetype=ODF + "spreadsheet"), ODF + "spreadsheet", ".ods"),
    ("epub", samples.zipped("a.xhtml", mimetype="application/epub+zip"), "application/epub+zip", ".epub"),
    ("zip", samples.zipped("a.txt", "word/fake.txt"), "application/zip", ".zip"),
    ("empty zip", samples.zipped(), "application/zip", ".zip"),
    ("doc", samples.ole("WordDocument"), "application/msword", ".doc"),
    ("xls", samples.ole("Workbook"), "application/vnd.ms-excel", ".xls"),
    ("ppt", samples.ole("PowerPoint Document"), "application/vnd.ms-powerpoint", ".ppt"),
    ("msg", samples.ole("__properties_version1.0"), "application/vnd.ms-outlook", ".msg"),
    ("ole", samples.ole("Other"), "application/x-ole-storage", ".ole"),
    ("mp4", MP4 % b"isom", "video/mp4", ".mp4"),
    ("mov", MP4 % b"qt  ", "video/quicktime", ".mov"),
    ("old mov", b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(40), "video/quicktime", ".mov"),
    ("m4a", MP4 % b"M4A ", "audio/mp4", ".m4a"),
    ("3gp", MP4 % b"3gp5", "video/3gpp", ".3gp"),
    ("mp3 with tag", b"ID3\3\0\0\0\0\0\x21" + bytes(64), "audio/mpeg", ".mp3"),
    ("mp3", b"\xff\xfb\x90\x64" + bytes(413), "audio/mpeg", ".mp3"),
    ("wav", b"RIFF\x24\0\0\0WAVEfmt " + bytes(24), "audio/wav", ".wav"),
    ("avi", b"RIFF\x24\0\0\0AVI LIST" + bytes(24), "video/x-msvideo", ".avi"),
    ("gzip", b"\x1f\x8b\x08" + bytes(20), "application/gzip", ".gz"),
    (
        "eml",
        b"Return-Path: <a@example.org>\r\nReceived: from x\r\n by y\r\nFrom: a@example.org\r\nSubject: x\r\n\r\nhi",
        "message/rfc822",
        ".eml",
    ),
    ("vcard", b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "text/vcard", ".vcf"),
    ("html", b"\xef\xbb\xbf\r\n<!-- c -->\n<!DOCTYPE HTML><html><body>x</body></html>", "text/html", ".html"),
    ("html by tag", b"<html>\n<head>502 Bad Gateway</head>", "text/html", ".html"),
    (
        "xhtml",
        b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x"><html xmlns="x"/>',
        "text/html",
        ".html",
    ),
    ("json", b'{"messages":[{"code":"952","message":"Invalid"}],"response":{}}', "application/json", ".json"),
    ("json list", b'[1, 2, {"a": null}]', "application/json", ".json"),
    ("cut json", b'{"messages":[{"code":"952","mess', "application/json", ".json"),
    ("deep json", b"[" * 30000, "application/json", ".json"),
    ("long json", b'[{"a": "' + b"x" * 100_000 + b'"}]', "application/json", ".json"),
    ("xml", b'<?xml version="1.0"?><FMPXMLRESULT/>', "application/xml", ".xml"),
    ("xml without prolog", b"<note><to>x</to></note>", "application/xml", ".xml"),
    ("text", "Grüße aus der Praxis\r\nzweite Zeile\x0b".encode(), "text/plain", ".txt"),
    ("text in braces", b"{see above} and [1] are fine", "text/plain", ".txt"),
    ("text with a bracket", b"<3 this patient", "text/plain", ".txt"),
    ("utf-16", "hello there".encode("utf-16"), "text/plain", ".txt"),
    ("bare utf-16", "hello there, all of you".encode("utf-16-le"), "text/plain", ".txt"),
    ("html in utf-16", "<html><body>".encode("utf-16"), "text/html", ".html"),
    ("latin-1", "Grüße aus Köln".encode("latin-1"), "text/plain", ".txt"),
    ("text cut in a character", ("ä" * 32768).encode() + "€".encode(), "text/plain", ".txt"),
    ("noise", bytes(range(256)) * 3, "application/octet-stream", ""),
    ("zeros", bytes(3000), "application/octet-stream", ""),
    ("one byte", b"\x01", "application/octet-stream", ""),
    ("nothing", b"", "application/x-empty", ""),
]


@pytest.mark.parametrize(("data", "mime", "extension"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bytes_tell_the_type(tmp_path: Path, data: bytes, mime: str, extension: str) -> None:
    found = sniff(data)
    assert (found.mime_type, found.extension, found.notes) == (mime, extension, ())
    assert sniff(samples.put(tmp_path, data)) == found


@pytest.mark.parametrize("data", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_no_prefix_of_a_file_upsets_it(data: bytes) -> None:
    for end in {*range(min(len(data), 64)), len(data) // 2, len(data) - 1}:
        sniff(data[: max(end, 0)], "x.jpg", "image/jpeg")


JPEG = samples.encoded(IMAGE, "JPEG")
HTML = b"<html><body>Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("data", "name", "extension", "note"),
    [
        (JPEG, "IMG 1.JPEG", ".jpg", None),
        (JPEG, "scan", ".jpg", None),
        (JPEG, "scan.png", ".jpg", "extension .png corrected to .jpg"),
        (JPEG, "Report Dr.Meier", ".jpg", None),  # the end of a name is repeated nowhere
        (samples.encoded(IMAGE, "TIFF"), "fax.tiff", ".tif", None),
        (samples.encoded(IMAGE, "TIFF"), "DSC_1.NEF", ".nef", None),
        (b"a;b\r\n1;2\r\n", "list.csv", ".csv", None),
        (b"a;b\r\n1;2\r\n", "list.pdf", ".txt", "extension .pdf corrected to .txt"),
        (HTML, "letter.htm", ".htm", None),
        (samples.zipped(*OOXML, "word/document.xml"), "form.dotx", ".dotx", None),
        (bytes(500), "data.jpg", "", "the name ends in .jpg, the bytes are of no type that is known here"),
        (bytes(500), "data.meier", "", None),
    ],
)
def test_extension_follows_the_bytes(data: bytes, name: str, extension: str, note: str | None) -> None:
    found = sniff(data, name)
    assert (found.extension, found.notes) == (extension, (note,) if note else ())


@pytest.mark.parametrize(
    ("data", "declared", "note"),
    [
        (JPEG, "image/png; charset=binary", "type image/png corrected to image/jpeg"),
        (JPEG, "image/jpg", None),
        (JPEG, "application/octet-stream", None),
        (JPEG, "Müller <x>", None),
        (b"plain", "text/csv", None),
        (samples.pdf(), "text/html", "type text/html corrected to application/pdf"),
    ],
)
def test_declared_type_is_only_compared(data: bytes, declared: str, note: str | None) -> None:
    assert sniff(data, None, declared).notes == ((note,) if note else ())


@pytest.mark.parametrize("name", [None, "photo.jpg", "photo", "html", "x.htmlx"])
@pytest.mark.parametrize(("data", "what"), [(HTML, "an HTML page"), (b'{"a": 1}', "a JSON text")])
def test_a_page_is_not_a_file(data: bytes, what: str, name: str | None) -> None:
    assert not_a_file(sniff(data, name), name) == f"the source sent {what} in place of a file"


@pytest.mark.parametrize("name", ["a.htm", "A.HTML", "x/y.json"])
def test_a_page_that_was_declared_as_one_is_a_file(name: str) -> None:
    for data in (HTML, b'{"a": 1}'):
        assert not_a_file(sniff(data, name), name) is None


def test_zero_bytes_are_not_a_file_whatever_the_name() -> None:
    assert not_a_file(sniff(b"", "a.html"), "a.html") == "the file has no bytes"
    assert not_a_file(sniff(b"text"), None) is None


def test_every_type_has_a_place_of_its_own() -> None:
    known = [t for t in ALL if t.kind not in {Kind.EMPTY, Kind.UNKNOWN}]
    assert len({t.mime_type for t in known}) == len(known)
    assert len({t.extension for t in known}) == len(known)
    assert all(t.extension.startswith(".") and t.extension == t.extension.lower() for t in known)


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.JPG", ".jpg"),
        (".htaccess", ""),
        ("a.b/c", ""),
        ("a\\b.pdf", ".pdf"),
        ("a.", ""),
        (None, ""),
        ("x.tar.gz", ".gz"),
        ("a.j pg", ""),
    ],
)
def test_extension_of_a_name(name: str | None, extension: str) -> None:
    assert extension_of(name) == extension
