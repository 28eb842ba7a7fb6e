"""What a file is, by its bytes: the head, and the tail where the head cannot tell.

The libraries that do this were tried first: filetype (no release since 2022) knows no text, HTML, JSON, e-mail, SVG or
old Office file, puremagic's current versions need a newer Python than ours and its older ones call every ZIP a Word
document and HEIC a video. What reads hostile bytes here is bounded: 64 KiB of head, 64 KiB of tail, no recursion.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from unlade.media import filetypes as ft
from unlade.media.filetypes import FileType, Kind
from unlade.media.sniff_containers import sniff_isobmff, sniff_ole, sniff_riff, sniff_zip
from unlade.media.sniff_text import sniff_text

_HEAD = 4096
_WINDOW = 1 << 16

_MAGIC: tuple[tuple[int, bytes, FileType], ...] = (
    (0, b"\xff\xd8\xff", ft.JPEG),
    (0, b"\x89PNG\r\n\x1a\n", ft.PNG),
    (0, b"GIF87a", ft.GIF),
    (0, b"GIF89a", ft.GIF),
    (0, b"II*\x00", ft.TIFF),
    (0, b"MM\x00*", ft.TIFF),
    (0, b"II+\x00", ft.TIFF),
    (0, b"MM\x00+", ft.TIFF),
    (0, b"8BPS\x00", ft.PSD),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", ft.JP2),
    (0, b"\xff\x4f\xff\x51\x00", ft.JP2),
    (0, b"\x00\x00\x01\x00", ft.ICO),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", ft.JXL),
    (0, b"\xff\x0a", ft.JXL),
    (40, b" EMF", ft.EMF),
    (0, b"\xd7\xcd\xc6\x9a\x00\x00", ft.WMF),
    (522, b"\x00\x11\x02\xff", ft.PICT),
    (128, b"DICM", ft.DICOM),
    (0, b"%!PS", ft.POSTSCRIPT),
    (0, b"\xc5\xd0\xd3\xc6", ft.POSTSCRIPT),
    (0, b"{\\rtf", ft.RTF),
    (0, b"\x1f\x8b\x08", ft.GZIP),
    (0, b"BZh", ft.BZIP2),
    (0, b"\xfd7zXZ\x00", ft.XZ),
    (0, b"7z\xbc\xaf\x27\x1c", ft.SEVENZIP),
    (0, b"Rar!\x1a\x07", ft.RAR),
    (257, b"ustar", ft.TAR),
    (0, b"\x00\x00\x01\xba", ft.MPEG),
    (0, b"\x00\x00\x01\xb3", ft.MPEG),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ft.ASF),
    (0, b"FLV\x01", ft.FLV),
    (0, b"ID3", ft.MP3),
    (0, b"OggS", ft.OGG),
    (0, b"fLaC", ft.FLAC),
    (0, b"#!AMR", ft.AMR),
    (0, b"caff\x00", ft.CAF),
    (0, b"MThd\x00\x00\x00\x06", ft.MIDI),
)

#: Extensions of camera files that are TIFF inside: Pillow would see only the preview in them.
_RAW_IN_TIFF = frozenset({".dng", ".nef", ".cr2", ".arw", ".orf", ".pef", ".srw", ".nrw"})


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the bytes are. `extension` has its dot ("" when unknown); `notes` say what was corrected."""

    mime_type: str
    extension: str
    kind: Kind
    notes: tuple[str, ...] = ()


def sniff(data: Path | bytes, name: str | None = None, declared: str | None = None) -> Sniffed:
    """The type of a file, given its path or all its bytes.

    `name` is the declared file name, or the last segment of the link when there is none; a fitting extension of it is
    kept (`.csv`). `declared` is the media type that the source named; it never decides, it is only compared.
    Raises `OSError` when the file cannot be read.
    """
    found = _identify(_Peek(data), name)
    extension, note = ft.settled_extension(found, name)
    notes = tuple(n for n in (note, ft.declared_note(found, declared)) if n)
    return Sniffed(found.mime_type, extension, found.kind, notes)


def not_a_file(found: Sniffed, name: str | None) -> str | None:
    """Why these bytes are no file (CONTRACT B2), or None. `name` as for `sniff`."""
    if found.kind is Kind.EMPTY:
        return "the file has no bytes"
    if found.kind is Kind.PAGE and ft.extension_of(name) not in {".htm", ".html", ".json"}:
        what = "an HTML page" if found.mime_type == ft.HTML.mime_type else "a JSON text"
        return f"the source sent {what} in place of a file"
    return None


class _Peek:
    """Head and tail of a file, read no further than asked for."""

    def __init__(self, data: Path | bytes) -> None:
        self._data = data
        self.size = len(data) if isinstance(data, bytes) else data.stat().st_size
        self.head = self.read(0, _HEAD)

    def read(self, offset: int, count: int) -> bytes:
        if isinstance(self._data, bytes):
            return self._data[offset : offset + count]
        with self._data.open("rb", buffering=0) as file:
            file.seek(offset, os.SEEK_SET)
            return file.read(count)

    def window(self) -> bytes:
        return self.read(0, _WINDOW)

    def tail(self) -> bytes:
        return self.read(max(0, self.size - _WINDOW), _WINDOW)


def _identify(peek: _Peek, name: str | None) -> FileType:
    head = peek.head
    if not head:
        return ft.EMPTY
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return sniff_zip(peek.window(), peek.tail())
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return sniff_ole(head, peek.read, peek.size)
    found = sniff_isobmff(head) or sniff_riff(head) or _by_magic(head, name)
    if found:
        return found
    # Readers accept up to 1 KiB of junk in front of the header (PDF 1.7 reference, appendix H, note 13).
    if b"%PDF-" in head[:1032]:
        return ft.PDF
    return sniff_text(peek.window(), peek.size) or _by_frame(head) or ft.UNKNOWN


def _by_magic(head: bytes, name: str | None) -> FileType | None:
    if head.startswith(b"BM") and len(head) >= 26 and head[6:10] == b"\0\0\0\0" and head[14:18] in _BMP_HEADERS:
        return ft.BMP
    for offset, magic, found in _MAGIC:
        if head.startswith(magic, offset):
            if found is ft.TIFF and (head[8:10] == b"CR" or ft.extension_of(name) in _RAW_IN_TIFF):
                return ft.RAW
            return found
    return None


_BMP_HEADERS = frozenset(n.to_bytes(4, "little") for n in (12, 40, 52, 56, 64, 108, 124))


def _by_frame(head: bytes) -> FileType | None:
    """MPEG audio without a tag: eleven set bits, then values that the standard allows (ISO/IEC 11172-3)."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return ft.AAC
    layer3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    return ft.MP3 if layer3 and head[2] >> 4 not in {0, 15} and head[2] & 0x0C != 0x0C else None
