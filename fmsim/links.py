"""Container links: fresh and unique at every read, tied to the session that asked (FILEMAKER.md 4.1, 4.3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from fmsim.dataset import ContainerValue, Record
from fmsim.faults import Tickets
from fmsim.sessions import Session
from fmsim.switches import Switches
from fmsim.tables import Table

_MEDIA = ("image/", "video/", "audio/", "application/pdf")


@dataclass(slots=True, eq=False)
class Link:
    """One link, and how far its download has come."""

    key: str
    session: Session
    table: Table
    row: Record
    field: str  #: as it is spelt in fieldData: `photo` or `photo(2)`
    lookup: str | None  #: the same in the record's values; None: in a portal row
    value: ContainerValue  #: as it was when the link was given out
    issued_at: float
    stale: bool = False
    used: bool = False  #: hop 1 has been asked for
    cookie: str | None = None
    cookie_spent: bool = False
    body_asked: bool = False
    tickets: Tickets | None = None

    def content(self) -> ContainerValue | None:
        """What the field holds now; None if the record or the value is gone."""
        if self.table.get(self.row.record_id) is not self.row:
            return None
        value = self.row.values.get(self.lookup) if self.lookup is not None else self.value
        return value if isinstance(value, ContainerValue) else None


class Links:
    """All links given out.

    Args:
        switches: how a link looks.
        seed: names and cookies follow from it.
        base: scheme, host and port that the host is reached at.
    """

    def __init__(self, switches: Switches, seed: int, base: str) -> None:
        self._switches, self._seed = switches, seed
        self._by_key: dict[str, Link] = {}
        self._count = 0
        self._prefix = _prefix(switches, base)

    def give(
        self,
        session: Session,
        table: Table,
        row: Record,
        name: str,
        lookup: str | None,
        value: ContainerValue,
        now: float,
    ) -> Link:
        """A new link to what the field holds."""
        key = self._secret("link", 32).upper()
        link = self._by_key[key] = Link(key, session, table, row, name, lookup, value, now)
        session.links.append(key)
        return link

    def url(self, link: Link) -> str:
        extension = PurePosixPath(link.value.name).suffix
        style = self._switches.link_extension
        if style == "never" or (style == "media" and not link.value.content_type.startswith(_MEDIA)):
            extension = ""
        return f"{self._prefix}{link.key}{extension}?RCType={self._switches.link_type}"

    def find(self, file_name: str) -> Link | None:
        return self._by_key.get(file_name.partition(".")[0])

    def cookie(self) -> str:
        return self._secret("cookie", 16)

    def alive(self, link: Link, now: float) -> bool:
        """Whether the link's session and time still carry it; that it was used is another matter."""
        if link.stale or (self._switches.link_minutes and now - link.issued_at > self._switches.link_minutes * 60):
            return False
        return link.session.alive or self._switches.links_outlive_session

    def forget(self, session: Session) -> None:
        """Drops the links of a session that ended; an unknown link and a dead one answer alike."""
        if not self._switches.links_outlive_session:
            for key in session.links:
                self._by_key.pop(key, None)
            session.links.clear()

    def _secret(self, kind: str, size: int) -> str:
        self._count += 1
        return hashlib.blake2b(f"{kind} {self._seed} {self._count}".encode(), digest_size=size).hexdigest()


def _prefix(switches: Switches, base: str) -> str:
    path = f"/Streaming_SSL/{switches.link_folder}/"
    if switches.link_relative:
        return path
    real = urlsplit(base)
    host = switches.link_host or str(real.hostname)
    if switches.link_port == "none" or ":" in host:
        port = ""
    else:
        port = f":{switches.link_port or real.port}" if switches.link_port or not switches.link_host else ""
    return f"{switches.link_scheme or real.scheme}://{host}{port}{path}"
