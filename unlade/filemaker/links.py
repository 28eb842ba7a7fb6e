"""What a container value is, and what of a link may be asked (pure; FILEMAKER.md 4.1, CONTRACT B4).

A link is text from a record: whoever can edit records can write one. So only its path and query are used, only below the
host's streaming folders (a path into the Data API would be asked with our token), and never its host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from unlade.cargo import ContainerRef, RefStatus
from unlade.errors import Unreadable

#: Scheme and host may be missing or mangled; `:443` and an empty host have been seen.
_LINK = re.compile(
    r"(?:https?:)?(?://(?P<host>[^/?#\s]*))?(?P<path>/Streaming(?:_SSL)?/[^?#\r\n]*)(?P<query>\?[^#\r\n]*)?(?:#.*)?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"(?:file|image|movie)(?:win|mac|linux)?:(?P<path>.*)|size:\s*\d+\s*,\s*\d+\s*$", re.IGNORECASE)
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True)
class Link:
    """What is asked (`target`: path and query as they were) and the host that the link named ("" if none)."""

    target: str
    host: str


def classify(field: str, value: object) -> ContainerRef:
    """Say what a container value is, before anything is fetched."""
    text = value if isinstance(value, str) else ""
    if value in (None, "") or (isinstance(value, str) and not text.strip()):
        return ContainerRef(field, RefStatus.EMPTY)
    text = text.strip()
    if _link(text) is not None:
        return ContainerRef(field, RefStatus.FILE, locator=text)
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    matches = [match for line in lines if (match := _REFERENCE.match(line))]
    if matches:
        return ContainerRef(field, RefStatus.REFERENCE, name=_reference_name(matches))
    return ContainerRef(field, RefStatus.UNREADABLE)


def _reference_name(matches: list[re.Match[str]]) -> str | None:
    for match in matches:
        if name := re.split(r"[/\\]", (match["path"] or "").strip())[-1]:
            return name
    return None


def looks_like_link(value: object) -> bool:
    """Whether a value is a container link, wherever it stands."""
    return isinstance(value, str) and _link(value.strip()) is not None


def _link(text: str) -> re.Match[str] | None:
    match = _LINK.fullmatch(text)
    if match is None or any(part in {".", ".."} for part in unquote(match["path"]).split("/")):
        return None
    return match


def parse_link(text: str) -> Link:
    """What to ask for a link. Raises `Unreadable`."""
    match = _link(text.strip())
    if match is None:
        raise Unreadable("The container's value is no link to a file")
    target = match["path"] + (match["query"] or "")
    # Verbatim, but what HTTP cannot carry as it is (blanks, letters beyond ASCII).
    return Link(quote(target, safe=_PRINTABLE), _hostname(match["host"] or ""))


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def follow(location: str, link: Link, own_host: str, own_port: int) -> Link | None:
    """Where a redirect of `link` leads; None when that is no file of this host.

    `Location` is relative or absolute (FILEMAKER.md 4.2). An absolute one may name the host's public name, which the
    link named too, or the one we ask; either way our own address is asked.
    """
    try:
        parts = urlsplit(location.strip())
        port = parts.port
    except ValueError:
        return None
    if not location.strip():
        return None
    if parts.netloc:
        host = (parts.hostname or "").lower()
        if host not in {own_host.lower(), link.host} - {""} or port not in {None, 80, 443, own_port}:
            return None
    elif parts.scheme:
        return None
    path = parts.path
    if not path.startswith("/"):
        path = link.target.partition("?")[0].rpartition("/")[0] + "/" + path
    try:
        target = parse_link(path + (f"?{parts.query}" if parts.query else "")).target
    except Unreadable:
        return None
    return Link(target, link.host)
