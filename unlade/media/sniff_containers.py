"""Types that share an outer container: ZIP, OLE compound files, ISO base media (`ftyp`) and RIFF/IFF.

Nothing here trusts a length that the file states: windows are bounded and every read is checked.
"""

from __future__ import annotations

from collections.abc import Callable

from unlade.media import filetypes as ft
from unlade.media.filetypes import FileType

_BRANDS: dict[bytes, FileType] = {
    b"heic": ft.HEIC, b"heix": ft.HEIC, b"hevc": ft.HEIC, b"hevx": ft.HEIC, b"heim": ft.HEIC, b"heis": ft.HEIC,
    b"avif": ft.AVIF, b"avis": ft.AVIF, b"mif1": ft.HEIF, b"msf1": ft.HEIF, b"mif2": ft.HEIF,
    b"qt  ": ft.MOV, b"M4A ": ft.M4A, b"M4B ": ft.M4A, b"M4P ": ft.M4A, b"crx ": ft.RAW,
}  # fmt: skip


def sniff_isobmff(head: bytes) -> FileType | None:
    """Pictures, films and sound in boxes (ISO/IEC 14496-12); the major brand decides, `mif1` asks the others."""
    kind = head[4:8]
    if kind in {b"moov", b"mdat", b"wide", b"pnot"} and int.from_bytes(head[:4]) >= 8:
        return ft.MOV  # QuickTime from before the file type box
    if kind != b"ftyp":
        return None
    size = max(16, min(int.from_bytes(head[:4]), 256))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(size, len(head)), 4))]
    if brands[0].startswith((b"3gp", b"3g2")):
        return ft.THREEGP
    first = _BRANDS.get(brands[0], ft.MP4)
    if first is not ft.HEIF:
        return first
    return next((_BRANDS[b] for b in brands if _BRANDS.get(b) in (ft.HEIC, ft.AVIF)), ft.HEIF)


def sniff_riff(head: bytes) -> FileType | None:
    """RIFF, IFF and EBML files by their form type."""
    if head.startswith(b"RIFF"):
        return {b"WEBP": ft.WEBP, b"WAVE": ft.WAV, b"AVI ": ft.AVI}.get(head[8:12])
    if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"}:
        return ft.AIFF
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return ft.WEBM if b"webm" in head[:64] else ft.MATROSKA
    return None


_BY_MIMETYPE_ENTRY: tuple[tuple[bytes, FileType], ...] = (
    (b"application/epub+zip", ft.EPUB),
    (b"application/vnd.oasis.opendocument.text", ft.ODT),
    (b"application/vnd.oasis.opendocument.spreadsheet", ft.ODS),
    (b"application/vnd.oasis.opendocument.presentation", ft.ODP),
    (b"application/vnd.oasis.opendocument.graphics", ft.ODG),
)
#: First folder of an Office file -> the type without and with macros.
_BY_FOLDER: tuple[tuple[str, FileType, FileType], ...] = (
    ("word/", ft.DOCX, ft.DOCM),
    ("xl/", ft.XLSX, ft.XLSM),
    ("ppt/", ft.PPTX, ft.PPTM),
    ("visio/", ft.VSDX, ft.VSDX),
)


def sniff_zip(head: bytes, tail: bytes) -> FileType:
    """Office files by the names in their ZIP: a `mimetype` entry, or the parts that the central directory lists."""
    if head[30:38] == b"mimetype":
        said = head[38:120]
        return next((found for start, found in _BY_MIMETYPE_ENTRY if said.startswith(start)), ft.ZIP)
    names = _zip_names(head, b"PK\x03\x04", 26, 30) | _zip_names(tail, b"PK\x01\x02", 28, 46)
    if any((n.startswith("Index/") and n.endswith(".iwa")) or n == "Index.zip" for n in names):
        return ft.IWORK
    if "[Content_Types].xml" not in names and "_rels/.rels" not in names:
        return ft.ZIP
    for folder, plain, macros in _BY_FOLDER:
        if any(n.startswith(folder) for n in names):
            return macros if any(n.endswith("vbaProject.bin") for n in names) else plain
    return ft.ZIP


def _zip_names(window: bytes, signature: bytes, length_at: int, name_at: int) -> set[str]:
    names: set[str] = set()
    at = window.find(signature)
    while at >= 0:
        length = int.from_bytes(window[at + length_at : at + length_at + 2], "little")
        names.add(window[at + name_at : at + name_at + min(length, 512)].decode("utf-8", "replace"))
        at = window.find(signature, at + 4)
    return names


#: Stream names in the directory of an OLE compound file ([MS-CFB] 2.6; [MS-DOC], [MS-XLS], [MS-PPT], [MS-OXMSG]).
_OLE_STREAMS: tuple[tuple[str, FileType], ...] = (
    ("WordDocument", ft.DOC),
    ("Workbook", ft.XLS),
    ("Book", ft.XLS),
    ("PowerPoint Document", ft.PPT),
    ("__properties_version1.0", ft.MSG),
    ("__nameid_version1.0", ft.MSG),
)


def sniff_ole(head: bytes, read: Callable[[int, int], bytes], size: int) -> FileType:
    """Office files from before 2007, and Outlook messages, by their directory's entries."""
    shift = int.from_bytes(head[30:32], "little")
    first = int.from_bytes(head[48:52], "little")
    offset = (first + 1) << shift if shift in {9, 12} else size
    # The chain may be scattered, but the entries that tell come first: the next sectors nearly always continue it.
    names = _ole_names(read(offset, 8192)) if offset < size else set()
    for stream, found in _OLE_STREAMS:
        if stream in names:
            return found
    return ft.OLE


def _ole_names(directory: bytes) -> set[str]:
    names: set[str] = set()
    for at in range(0, len(directory) - 127, 128):
        length = int.from_bytes(directory[at + 64 : at + 66], "little")
        if 2 <= length <= 64:
            names.add(directory[at : at + length - 2].decode("utf-16-le", "replace"))
    return names
