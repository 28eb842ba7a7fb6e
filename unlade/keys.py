"""Object keys: derived from the source's own values, the same on every run and safe on every system.

A pattern such as `patients/filemaker-import/images/{owner}/{date}/{identity}{ext}` is filled by `render`. Values are
percent-encoded, so that two different sets of values never give one key; `~` never comes from a value and is left to
what is derived from a key (`~{modId}`, `~damaged-0`, the hash of a part that was too long). Pure. Source: CONTRACT B3.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

#: Placeholders that every declaration may use.
PLACEHOLDERS = ("owner", "identity", "date", "category", "record", "field", "ext")

#: Where we keep what is not cargo, below the store's prefix.
OWN_FOLDER = ".unlade"

MAX_SEGMENT = 200  #: bytes of one part between slashes
_MAX_STEM = 160  #: of a file's stem, so that `~{modId}` and `.thumb.jpg` still fit
_MAX_KEY = 900  #: S3 allows 1024 bytes; a prefix and the journal's folder come on top

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}\Z", re.ASCII)
_PIECE = re.compile(r"\{([a-z_][a-z0-9_]*)\}|([^{}]+)", re.ASCII)
_LITERAL = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
#: Names that Windows keeps for devices, with any extension (learn.microsoft.com, "Naming Files, Paths").
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.ASCII | re.DOTALL)
_THUMB = re.compile(r"\.thumb\.(jpg|png)$", re.ASCII)


def normalise_id(value: str) -> str:
    """An id as keys spell it: trimmed, braces off, UUIDs in upper case; other ids keep their case."""
    text = value.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    return text.upper() if _UUID.fullmatch(text) else text


def check_pattern(pattern: str, extra: Iterable[str] = ()) -> list[str]:
    """What is wrong with a declared key pattern, as sentences for its author; [] when nothing is."""
    errors = []
    known = {*PLACEHOLDERS, *extra}
    if not pattern or pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
        errors.append("it must be parts joined by single slashes, without one at the ends")
    pieces = [list(_pieces(segment)) for segment in pattern.split("/")]
    names = [name for segment in pieces for name, _ in segment if name]
    if any(_spelt(segment) != text for segment, text in zip(pieces, pattern.split("/"), strict=True)):
        errors.append("braces must enclose the name of a placeholder, as in {identity}")
    for name in names:
        if name not in known:
            errors.append(f"{{{name}}} is not known; there are {', '.join(sorted(known))}")
    if "identity" not in names and "record" not in names:
        errors.append("it needs {identity} (or {record}), or all files would share one key")
    if "ext" in names and (names.count("ext") > 1 or not pattern.endswith("{ext}")):
        errors.append("{ext} can only stand once, at the end")
    for segment in pieces:
        errors += _check_segment(segment)
    if any("." in literal for _, literal in pieces[-1]):
        errors.append("the file's name cannot have a fixed dot: what follows it would pass for an extension")
    return errors


def _check_segment(segment: list[tuple[str, str]]) -> list[str]:
    errors = []
    for index, (name, literal) in enumerate(segment):
        after = segment[index + 1][0] if index + 1 < len(segment) else ""
        between = index > 0 and after not in ("", "ext")
        if name and after not in ("", "ext"):
            errors.append(f"{{{name}}} and {{{after}}} need a hyphen, dot or underscore between them")
        if literal and not _LITERAL.fullmatch(literal):
            errors.append(f"{literal!r}: only letters, digits, dot, hyphen and underscore can stand there")
        elif literal and between and literal[0] not in "-._":
            errors.append(f"{literal!r} between two placeholders must begin with a hyphen, dot or underscore")
        if ".thumb" in literal.lower():
            errors.append("`.thumb` is the mark of thumbnails")
        if len(literal) > MAX_SEGMENT // 2:
            errors.append(f"a fixed text is at most {MAX_SEGMENT // 2} characters long")
    text = _spelt(segment)
    if text.startswith("."):
        errors.append("a part cannot begin with a dot")
    if text.endswith(".") or _DEVICE.fullmatch(text):
        errors.append(f"{text!r} is no file name on Windows")
    return errors


def render(pattern: str, values: Mapping[str, str | None], extension: str) -> str:
    """The key of one file.

    `values` by placeholder, as the source has them; None or blank gives `no-owner`, `no-date` and so on. `date` is ISO
    (`2016-10-18`). `extension` is that of the sniffed type with its dot, "" when unknown. Raises `ValueError` for a
    date that is not ISO, an extension that is none, or a key of more than 900 bytes.
    """
    if extension and not _EXTENSION.fullmatch(extension):
        raise ValueError(f"{extension!r} is no extension")
    segments = pattern.split("/")
    done = [_segment(text, values, None) for text in segments[:-1]]
    done.append(_segment(segments[-1], values, extension))
    key = "/".join(done)
    if len(key) > _MAX_KEY:
        raise ValueError(f"the key for pattern {pattern!r} has {len(key)} bytes; {_MAX_KEY} are the most")
    return key


def stems(pattern: str, values: Mapping[str, str | None]) -> tuple[str, ...]:
    """What the keys of one item begin with, whatever its type turns out to be; `Store.find` takes them."""
    with_one = stem_of(render(pattern, values, ".x"))
    return tuple(dict.fromkeys([with_one, render(pattern, values, "")]))


def read_back(pattern: str, key: str) -> dict[str, str | None] | None:
    """The values that `render` made `key` from: None for missing ones, `ext` included.

    None when the key does not fit the pattern or had a part shortened.
    """
    if "~" in key or key.count("/") != pattern.count("/"):
        return None
    found: dict[str, str | None] = {}
    for text, segment in zip(pattern.split("/"), key.split("/"), strict=True):
        match = re.fullmatch(_reader(text), segment)
        if match is None:
            return None
        for name, raw in match.groupdict().items():
            found[name] = (
                (raw or "")
                if name == "ext"
                else None
                if raw == _missing(name)
                else unquote(raw, errors="surrogatepass")
            )
    return found


def folder_of(key: str) -> str:
    """The key's folder without a slash at its end, "" for a key at the top."""
    return key.rpartition("/")[0]


def extension_of(key: str) -> str:
    """`.jpg` of `a/b.jpg`; "" when there is none."""
    match = _EXTENSION.search(key, max(key.rfind("."), 0))
    return match[0] if match else ""


def stem_of(key: str) -> str:
    """The key without its extension."""
    extension = extension_of(key)
    return key[: -len(extension)] if extension else key


def thumbnail_key(key: str, extension: str = ".jpg") -> str:
    """`{stem}.thumb.jpg` beside the original (`.thumb.png` with alpha)."""
    return _fit(stem_of(key), f".thumb{extension}")


def variant_key(key: str, mod_id: str) -> str:
    """`{stem}~{modId}{ext}`: where a changed file of the same item goes."""
    return _fit(stem_of(key), f"~{_encode(mod_id)}{extension_of(key)}")


def damaged_key(key: str, field_number: int, extension: str | None = None) -> str:
    """`{stem}~damaged-{field_number}{ext}`: a better field's damaged bytes, kept beside a lesser copy.

    `extension` is that of the damaged bytes, by default the key's.
    """
    tail = extension_of(key) if extension is None else extension
    return _fit(stem_of(key), f"~damaged-{field_number}{tail}")


def journal_key(key: str) -> str:
    """Where the sidecar with the facts of `key` lies."""
    return f"{OWN_FOLDER}/journal/{key}.json"


def run_mark_key(source: str, number: int) -> str:
    """`.unlade/{source}/run-{n}`."""
    return f"{run_mark_folder(source)}/run-{number}"


def run_mark_folder(source: str) -> str:
    """The folder of a source's run marks; a source called `journal` or `tmp` cannot take our own folders' names."""
    name = _encode(source) or "no-source"
    return f"{OWN_FOLDER}/{_escape_first(name) if name.lower() in ('journal', 'tmp') or name[0] == '.' else name}"


def is_thumbnail(key: str) -> bool:
    """Whether the key is that of a thumbnail; no original's key can look like one."""
    return _THUMB.search(key) is not None


def is_cargo(key: str) -> bool:
    """Whether the key is that of a file from the source: neither thumbnail nor journal, mark or probe."""
    return not key.startswith(f"{OWN_FOLDER}/") and not is_thumbnail(key)


def encode_segment(text: str, limit: int = MAX_SEGMENT) -> str:
    """Any text as one part of a path that every system accepts, injective, at most `limit` bytes."""
    return _shorten(_guard(_encode(text)), limit)


def _segment(text: str, values: Mapping[str, str | None], extension: str | None) -> str:
    """One part of the pattern, filled; `extension` only for the last part."""
    pieces, ends_in_ext = _parsed(text)
    filled = ""
    for name, literal, separator in pieces:
        filled += _value(name, values.get(name), separator) if name else literal
    tail = (extension or "") if ends_in_ext else ""
    if extension is not None:
        filled = _guard_tail(filled, tail) if pieces and pieces[-1][0] else filled
        return _shorten(_guard(filled), _MAX_STEM) + tail
    return _shorten(_guard(filled), MAX_SEGMENT)


@lru_cache(maxsize=1000)
def _parsed(text: str) -> tuple[tuple[tuple[str, str, str], ...], bool]:
    """One part of a pattern: placeholder, literal and separator of each piece but {ext}, and whether it ends in that."""
    pieces = list(_pieces(text))
    ends_in_ext = bool(pieces) and pieces[-1][0] == "ext"
    if ends_in_ext:
        pieces = pieces[:-1]
    return tuple((*piece, _separator(pieces, index)) for index, piece in enumerate(pieces)), ends_in_ext


def _value(name: str, value: str | None, separator: str) -> str:
    """One value, encoded so that it can be told from what follows it."""
    text = (value or "").strip()
    if name in ("owner", "identity"):
        text = normalise_id(text)
    if not text:
        return _missing(name)
    if name == "date":
        if not _ISO_DATE.fullmatch(text):
            raise ValueError("a date in a key must be ISO, as 2016-10-18")
        return text
    encoded = _encode(text)
    taken = {_missing(name)}
    if separator:
        encoded = encoded.replace(separator, f"%{ord(separator):02X}")
        taken.add(_missing(name).split(separator)[0])
    return _escape_first(encoded) if encoded in taken else encoded


def _separator(pieces: list[tuple[str, str]], index: int) -> str:
    """The character that ends the value at `index`, "" when no other value follows in this part."""
    later = [name for name, _ in pieces[index + 1 :] if name and name != "ext"]
    return pieces[index + 1][1][:1] if later else ""


def _guard_tail(filled: str, tail: str) -> str:
    """Encode the dot that would make the end of a value look like an extension or a thumbnail."""
    head, dot, last = filled.rpartition(".")
    if dot and (not tail or last.lower() == "thumb"):
        return f"{head}%2E{last}"
    return filled


def _guard(segment: str) -> str:
    """Encode what a file system would take amiss: dots at the ends, device names of Windows."""
    if segment.endswith("."):
        segment = f"{segment[:-1]}%2E"
    if segment.startswith(".") or _DEVICE.fullmatch(segment):
        segment = _escape_first(segment)
    return segment


def _encode(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode("utf-8", errors="surrogatepass")
    )


def _escape_first(segment: str) -> str:
    """The same text with its first character percent-encoded."""
    return f"%{ord(segment[0]):02X}{segment[1:]}"


def _shorten(segment: str, limit: int) -> str:
    """At most `limit` bytes: cut, but never inside a `%XX`, with a hash of the whole in place of the rest."""
    if len(segment) <= limit:
        return segment
    digest = hashlib.sha256(segment.encode("ascii")).hexdigest()[:16]
    cut = segment[: limit - 17]
    return re.sub(r"%[0-9A-F]?$", "", cut).rstrip(".") + "~" + digest


def _fit(stem: str, suffix: str) -> str:
    """`stem` + `suffix` with the last part at most 200 bytes."""
    folder, slash, name = stem.rpartition("/")
    return f"{folder}{slash}{_shorten(name, MAX_SEGMENT - len(suffix))}{suffix}"


def _missing(name: str) -> str:
    return f"no-{name}"


def _pieces(segment: str) -> Iterator[tuple[str, str]]:
    """(placeholder, "") or ("", literal), in order."""
    for match in _PIECE.finditer(segment):
        yield match[1] or "", match[2] or ""


def _spelt(pieces: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{{{name}}}" if name else literal for name, literal in pieces)


def _reader(segment: str) -> str:
    """A regular expression that takes apart what `_segment` made."""
    pieces = list(_pieces(segment))
    parts = []
    for index, (name, literal) in enumerate(pieces):
        if name == "ext":
            parts.append(r"(?P<ext>\.[A-Za-z0-9]{1,10})?")
        elif name == "date":
            parts.append(r"(?P<date>\d{4}-\d{2}-\d{2}|no-date)")
        elif name:
            separator = _separator(pieces, index)
            value = f"[^{re.escape(separator)}]+" if separator else ".+?"
            parts.append(f"(?P<{name}>{_missing(name)}|{value})")
        else:
            parts.append(re.escape(literal))
    return "".join(parts)
