"""The table of file types: media type, extension, kind, and the other spellings that are accepted for each.

Media types follow the IANA registry where it has one. Signatures stand in `sniff.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a file is good for: whether a decoder may look at it, and whether it counts as a file at all."""

    IMAGE = "image"  #: Pillow or libheif can decode it
    PDF = "pdf"
    PAGE = "page"  #: HTML or JSON: what hosts send in place of a file (CONTRACT B2)
    TEXT = "text"
    OTHER = "other"  #: a known type that we have no decoder for
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileType:
    """One type. `keep` are original extensions that stay as they are instead of becoming `extension`."""

    mime_type: str
    extension: str
    kind: Kind
    keep: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()


def _type(mime: str, ext: str, kind: Kind = Kind.OTHER, keep: str = "", aliases: str = "") -> FileType:
    return FileType(mime, ext, kind, frozenset(keep.split()), frozenset(aliases.split()))


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

JPEG = _type("image/jpeg", ".jpg", Kind.IMAGE, aliases="image/jpg image/pjpeg")
PNG = _type("image/png", ".png", Kind.IMAGE, aliases="image/x-png")
GIF = _type("image/gif", ".gif", Kind.IMAGE)
BMP = _type("image/bmp", ".bmp", Kind.IMAGE, keep=".dib", aliases="image/x-ms-bmp image/x-bmp image/x-windows-bmp")
TIFF = _type("image/tiff", ".tif", Kind.IMAGE, aliases="image/tif image/x-tiff")
WEBP = _type("image/webp", ".webp", Kind.IMAGE)
HEIC = _type("image/heic", ".heic", Kind.IMAGE, keep=".heif", aliases="image/heif image/heic-sequence")
HEIF = _type("image/heif", ".heif", Kind.IMAGE, keep=".heic", aliases="image/heic image/heif-sequence")
AVIF = _type("image/avif", ".avif", Kind.IMAGE, aliases="image/avif-sequence")
JP2 = _type("image/jp2", ".jp2", Kind.IMAGE, keep=".j2k .jpx .jpf .j2c", aliases="image/jpx image/jpeg2000")
PSD = _type("image/vnd.adobe.photoshop", ".psd", Kind.IMAGE, keep=".psb", aliases="image/x-photoshop image/psd")
ICO = _type("image/vnd.microsoft.icon", ".ico", Kind.IMAGE, aliases="image/x-icon")
RAW = _type("image/x-raw", ".raw", keep=".dng .nef .cr2 .cr3 .arw .orf .rw2 .pef .srw .nrw .raw")
SVG = _type("image/svg+xml", ".svg", aliases="application/xml text/xml")
JXL = _type("image/jxl", ".jxl")
PICT = _type("image/x-pict", ".pict", keep=".pct .pic")
EMF = _type("image/emf", ".emf", aliases="image/x-emf")
WMF = _type("image/wmf", ".wmf", aliases="image/x-wmf")
DICOM = _type("application/dicom", ".dcm", keep=".dicom .ima")

PDF = _type("application/pdf", ".pdf", Kind.PDF, aliases="application/x-pdf")
POSTSCRIPT = _type("application/postscript", ".eps", keep=".ps .ai")
RTF = _type("application/rtf", ".rtf", aliases="text/rtf")
DOC = _type("application/msword", ".doc", keep=".dot")
XLS = _type("application/vnd.ms-excel", ".xls", keep=".xlt .xla")
PPT = _type("application/vnd.ms-powerpoint", ".ppt", keep=".pps .pot")
MSG = _type("application/vnd.ms-outlook", ".msg", keep=".oft")
OLE = _type("application/x-ole-storage", ".ole", keep=".doc .xls .ppt .msg .vsd .pub .mpp .msi .wps .db")
DOCX = _type(_OOXML + "wordprocessingml.document", ".docx", keep=".dotx")
XLSX = _type(_OOXML + "spreadsheetml.sheet", ".xlsx", keep=".xltx .xlsb")
PPTX = _type(_OOXML + "presentationml.presentation", ".pptx", keep=".ppsx .potx")
DOCM = _type("application/vnd.ms-word.document.macroenabled.12", ".docm", keep=".dotm")
XLSM = _type("application/vnd.ms-excel.sheet.macroenabled.12", ".xlsm", keep=".xltm .xlam .xlsb")
PPTM = _type("application/vnd.ms-powerpoint.presentation.macroenabled.12", ".pptm", keep=".ppsm .potm")
VSDX = _type("application/vnd.ms-visio.drawing", ".vsdx")
ODT = _type(_ODF + "text", ".odt")
ODS = _type(_ODF + "spreadsheet", ".ods")
ODP = _type(_ODF + "presentation", ".odp")
ODG = _type(_ODF + "graphics", ".odg")
EPUB = _type("application/epub+zip", ".epub")
IWORK = _type("application/x-iwork", ".iwork", keep=".pages .numbers .key")

ZIP = _type("application/zip", ".zip", keep=".jar .kmz .apk", aliases="application/x-zip-compressed")
GZIP = _type("application/gzip", ".gz", keep=".tgz", aliases="application/x-gzip")
BZIP2 = _type("application/x-bzip2", ".bz2", keep=".tbz2")
XZ = _type("application/x-xz", ".xz", keep=".txz")
SEVENZIP = _type("application/x-7z-compressed", ".7z")
RAR = _type("application/vnd.rar", ".rar", aliases="application/x-rar-compressed application/x-rar")
TAR = _type("application/x-tar", ".tar")

MP4 = _type("video/mp4", ".mp4", keep=".m4v", aliases="video/x-m4v audio/mp4")
MOV = _type("video/quicktime", ".mov", keep=".qt")
M4A = _type("audio/mp4", ".m4a", keep=".m4b .m4p", aliases="audio/x-m4a audio/m4a")
THREEGP = _type("video/3gpp", ".3gp", keep=".3g2", aliases="audio/3gpp")
AVI = _type("video/x-msvideo", ".avi", aliases="video/avi")
WEBM = _type("video/webm", ".webm")
MATROSKA = _type("video/x-matroska", ".mkv", keep=".mka")
MPEG = _type("video/mpeg", ".mpg", keep=".mpeg .vob .m2v")
ASF = _type("video/x-ms-asf", ".asf", keep=".wmv .wma", aliases="video/x-ms-wmv audio/x-ms-wma")
FLV = _type("video/x-flv", ".flv")
MP3 = _type("audio/mpeg", ".mp3", aliases="audio/mp3 audio/x-mp3")
AAC = _type("audio/aac", ".aac")
WAV = _type("audio/wav", ".wav", aliases="audio/x-wav audio/wave audio/vnd.wave")
AIFF = _type("audio/aiff", ".aif", keep=".aiff .aifc", aliases="audio/x-aiff")
OGG = _type("application/ogg", ".ogg", keep=".oga .ogv .opus", aliases="audio/ogg video/ogg")
FLAC = _type("audio/flac", ".flac", aliases="audio/x-flac")
AMR = _type("audio/amr", ".amr")
CAF = _type("audio/x-caf", ".caf")
MIDI = _type("audio/midi", ".mid", keep=".midi")

HTML = _type("text/html", ".html", Kind.PAGE, keep=".htm .xhtml", aliases="application/xhtml+xml")
JSON = _type("application/json", ".json", Kind.PAGE, keep=".geojson", aliases="text/json")
XML = _type("application/xml", ".xml", Kind.TEXT, keep=".xsl .xsd .xslt .plist .kml .gpx .svg", aliases="text/xml")
EML = _type("message/rfc822", ".eml", Kind.TEXT, keep=".emlx .mht")
VCARD = _type("text/vcard", ".vcf", Kind.TEXT, aliases="text/x-vcard text/directory")
ICAL = _type("text/calendar", ".ics", Kind.TEXT)
TEXT = _type(
    "text/plain", ".txt", Kind.TEXT, keep=".csv .tsv .tab .log .md .ini .mer .hl7 .gdt .ldt .bdt .css .js .sql .eml"
)
CSV = _type("text/csv", ".csv", Kind.TEXT, aliases="text/plain text/comma-separated-values")
EMPTY = _type("application/x-empty", "", Kind.EMPTY)
UNKNOWN = _type("application/octet-stream", "", Kind.UNKNOWN)

ALL: tuple[FileType, ...] = tuple(v for v in list(globals().values()) if isinstance(v, FileType))

#: Extensions that a note may repeat: any other "extension" could be the end of somebody's name.
KNOWN_EXTENSIONS = frozenset({t.extension for t in ALL} | {e for t in ALL for e in t.keep} | {".jpeg", ".tiff"}) - {""}
_NORMALISED = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".heifs": ".heif", ".jpg2": ".jp2"}
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")
_SAYS_NOTHING = frozenset({"application/octet-stream", "binary/octet-stream", "application/x-download", "text/plain"})


def extension_of(name: str | None) -> str:
    """The extension of a file name, in lower case with its dot; "" when there is none."""
    stem, dot, tail = (name or "").strip().lower().replace("\\", "/").rpartition("/")[2].rpartition(".")
    return f".{tail}" if dot and stem and tail.isalnum() else ""


def settled_extension(found: FileType, name: str | None) -> tuple[str, str | None]:
    """The extension to use, and a note when the name's own one was wrong."""
    ours, theirs = found.extension, extension_of(name)
    theirs = _NORMALISED.get(theirs, theirs)
    if theirs == ours or theirs in found.keep:
        return theirs or ours, None
    if found.kind is Kind.EMPTY or theirs not in KNOWN_EXTENSIONS:
        return ours, None
    if found.kind is Kind.UNKNOWN:
        return ours, f"the name ends in {theirs}, the bytes are of no type that is known here"
    return ours, f"extension {theirs} corrected to {ours}"


def declared_note(found: FileType, declared: str | None) -> str | None:
    """A note when the source declared another media type than the bytes have."""
    said = (declared or "").partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(said) or said in _SAYS_NOTHING or found.kind in {Kind.UNKNOWN, Kind.EMPTY}:
        return None
    if said == found.mime_type or said in found.aliases or (found.kind is Kind.TEXT and said.startswith("text/")):
        return None
    return f"type {said} corrected to {found.mime_type}"
