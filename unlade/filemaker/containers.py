"""The download of one container: hop 1 with the token, hop 2 with the cookie, both to our own host (FILEMAKER.md 4.3).

Each download has its own cookies: a jar that parallel downloads share lets their keys overwrite one another and ends in
401 under load (FILEMAKER.md 4.3). A link is good for one try; what it costs to try again is the caller's to decide.
"""

from __future__ import annotations

import email.message
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unlade.cargo import ContainerRef, RefStatus, SourceRecord, Wire
from unlade.errors import ReferenceOnly, StaleLink, Transient, Truncated, UnladeError, Unreadable
from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.errors import (
    DEAD_SESSION,
    Reply,
    hardship,
    hardship_of_status,
    parse_reply,
    refusal,
    retry_after,
)
from unlade.filemaker.links import Link, follow, parse_link
from unlade.filemaker.session import Session
from unlade.filemaker.transport import Answer, Transport
from unlade.source import Gate, RequestKind

MAX_REDIRECTS = 3
#: An error's body is read to this size; a longer one is cut off with its connection.
_ERROR_BODY = 64 * 1024
_REDIRECTS = {301, 302, 303, 307, 308}
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*$", re.IGNORECASE)


class ContainerDownload:
    """An opened container (`unlade.source.Download`)."""

    def __init__(self, answer: Answer, before: Wire, resumed_at: int, whole: int | None, hops: int) -> None:
        self._answer = answer
        self._before = before
        self._closed = False
        self.content_type = answer.content_type
        self.content_length = whole
        self.resumed_at = resumed_at
        self.name = _file_name(answer.headers.get("content-disposition"))
        self.hops = hops

    @property
    def wire(self) -> Wire:
        """What came until now; once closed before its end, with what the host can have sent besides."""
        meter = self._answer.meter
        return self._before + (meter.owed if self._closed else meter.read)

    def chunks(self) -> Iterator[bytes]:
        """The body. Raises `Truncated`, `ConnectionBroken`, `HostTimeout`, `OwnNetworkDown` with the wire bytes."""
        position = self.resumed_at
        try:
            for chunk in self._answer.chunks():
                position += len(chunk)
                yield chunk
        except Transient as error:
            self.close()
            error.wire = self.wire
            raise
        if self.content_length is not None and position < self.content_length:
            raise Truncated("The host sent less of the file than it said", wire=self.wire)

    def close(self) -> None:
        self._closed = True
        self._answer.close()


@dataclass(frozen=True, slots=True)
class ContainerPolicy:
    """How the host hands out containers. `protected`: a redirect and a cookie first; `open`: at once."""

    mode: Literal["protected", "open"]
    relative_redirect: bool | None = None


@dataclass
class _Try:
    """State of one download on its way through the hops."""

    link: Link
    token: str
    resume_at: int
    cookies: dict[str, str]
    wire: Wire
    hops: int = 0
    relative: bool | None = None  #: whether the last redirect named no host


class Containers:
    """Opens containers. Safe to use from any thread."""

    def __init__(
        self,
        config: FileMakerConfig,
        transport: Transport,
        session: Session,
        gate: Gate,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._transport = transport
        self._session = session
        self._gate = gate
        self._clock = clock
        #: How files were handed out, and how many downloads were so.
        self.seen: Counter[ContainerPolicy] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def open(
        self, record: SourceRecord, ref: ContainerRef, resume_at: int = 0, *, kind: RequestKind = "container"
    ) -> Iterator[ContainerDownload]:
        """Open `ref` and hold the permit until the context is left. Errors: see `unlade.source.Source.download`."""
        what = _what(record, ref)
        link = _openable(ref, what)
        token = self._token_for(record, what)
        opened = False
        try:
            with self._gate.passage(kind):
                download = self._through_hops(_Try(link, token, resume_at, {}, Wire()), what)
                opened = True
                try:
                    yield download
                finally:
                    download.close()
        except StaleLink as error:
            # Signing in needs a passage of its own, so this one had to be left first.
            if not opened and error.code in DEAD_SESSION:
                self._session.renew(token, gone=error.code == "952")
            raise

    def _token_for(self, record: SourceRecord, what: str) -> str:
        token = self._session.ensure_authenticated()
        since = self._session.signed_in_at
        if since is not None and record.read_at < since:
            raise StaleLink(f"{what}: its link is older than the session")
        return token

    def policy(self, record: SourceRecord, ref: ContainerRef, settle: Callable[[Wire], None]) -> ContainerPolicy:
        """Stop at hop 1, or after the head in open mode; the link is spent afterwards. `settle` gets what came."""
        what = _what(record, ref)
        trial = _Try(_openable(ref, what), self._token_for(record, what), 0, {}, Wire())
        try:
            with self._gate.passage("probe"):
                answer = self._hop(trial, ranged=False)
                try:
                    if answer.status in _REDIRECTS:
                        self._redirected(answer, trial, what)
                        absolute = "//" in answer.headers.get("location", "").partition("?")[0]
                        return ContainerPolicy("protected", relative_redirect=not absolute)
                    if answer.status >= 300:
                        self._refuse(answer, trial, what)
                    return ContainerPolicy("open")
                finally:
                    answer.close()
                    if answer.status < 300:
                        trial.wire += answer.meter.owed
        finally:
            settle(trial.wire)

    def _through_hops(self, trial: _Try, what: str) -> ContainerDownload:
        ranged = trial.resume_at > 0
        while True:
            answer = self._hop(trial, ranged)
            status = answer.status
            if status in _REDIRECTS:
                self._redirected(answer, trial, what)
                continue
            if ranged and (status == 416 or (status == 206 and not _continues(answer, trial.resume_at))):
                # The host does not go on where we are: the same link once more, from the start.
                answer.close()
                trial.wire += answer.meter.owed
                ranged = False
                continue
            if status >= 300 or (status == 206 and not ranged):
                self._refuse(answer, trial, what)
            start = trial.resume_at if status == 206 else 0
            policy = ContainerPolicy("protected", trial.relative) if trial.hops > 1 else ContainerPolicy("open")
            with self._lock:
                self.seen[policy] += 1
            return ContainerDownload(answer, trial.wire, start, _whole(answer), trial.hops)

    def _hop(self, trial: _Try, ranged: bool) -> Answer:
        headers = {"Accept": "*/*"}
        if not trial.cookies:
            headers["Authorization"] = f"Bearer {trial.token}"
        if trial.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in trial.cookies.items())
        if ranged:
            headers["Range"] = f"bytes={trial.resume_at}-"
        trial.hops += 1
        try:
            return self._transport.send("GET", trial.link.target, headers, container=True)
        except Transient as error:
            trial.wire = error.wire = trial.wire + error.wire
            raise

    def _redirected(self, answer: Answer, trial: _Try, what: str) -> None:
        """Take the cookie and the next address from a redirect."""
        self._drain(answer, trial)
        fresh = dict(filter(None, map(_cookie, answer.all("set-cookie"))))
        if not fresh and not trial.cookies:
            raise StaleLink(f"{what}: the host gives no key for its link", wire=trial.wire, status=answer.status)
        if trial.hops > MAX_REDIRECTS:
            raise StaleLink(f"{what}: the host redirects in a circle", wire=trial.wire, status=answer.status)
        trial.cookies |= fresh
        location = answer.headers.get("location", "")
        trial.relative = "//" not in location.partition("?")[0]
        link = follow(location, trial.link, self._config.host, self._config.port)
        if link is None:
            raise Unreadable(
                f"{what}: the host redirects to another place; that is not followed",
                remedy="Check the host's name in FILEMAKER_URL and in its own settings.",
                wire=trial.wire,
                status=answer.status,
            )
        trial.link = link

    def _refuse(self, answer: Answer, trial: _Try, what: str) -> None:
        """Raise what an answer without a file means. A page with such a status is never content."""
        body = self._drain(answer, trial)
        status = answer.status
        reply = parse_reply(status, dict(answer.headers), body, trial.wire)
        problem = self._meaning(reply, what)
        problem.wire = trial.wire
        raise problem

    def _meaning(self, reply: Reply, what: str) -> UnladeError:
        status, code = reply.status, reply.code
        if code == "953":
            return refusal(reply, what)
        if code is not None and (trouble := hardship(reply, self._clock())):
            return trouble
        if code is not None and code not in DEAD_SESSION and status >= 500:
            return refusal(reply, what)
        wait = retry_after(reply.headers.get("retry-after"), self._clock())
        if code is None and (trouble := hardship_of_status(status, reply.wire, wait)):
            return trouble
        says = {404: "the host has no file at this link", 401: "its link is no longer good"}
        return StaleLink(
            f"{what}: {says.get(status, 'the host refuses its link')} (HTTP {status})",
            wire=reply.wire,
            code=code,
            status=status,
        )

    def _drain(self, answer: Answer, trial: _Try) -> bytes:
        """Read a small body, so that the connection can be used again."""
        body = bytearray()
        try:
            for chunk in answer.chunks():
                body += chunk
                if len(body) > _ERROR_BODY:
                    break
        except Transient as error:
            trial.wire = error.wire = trial.wire + error.wire
            raise
        finally:
            answer.close()
        trial.wire += answer.meter.owed
        return bytes(body)


def _what(record: SourceRecord, ref: ContainerRef) -> str:
    return f"Record {record.record_id}, field {ref.field}"


def _openable(ref: ContainerRef, what: str) -> Link:
    if ref.status is RefStatus.REFERENCE:
        raise ReferenceOnly(
            f"{what}: FileMaker stores only a path to this file", remedy="Insert the file itself in FileMaker Pro."
        )
    if ref.status is not RefStatus.FILE:
        raise Unreadable(f"{what}: the value is {'empty' if ref.status is RefStatus.EMPTY else 'no link to a file'}")
    return parse_link(ref.locator)


def _cookie(header: str) -> tuple[str, str] | None:
    """Name and value. Attributes do not matter: the cookie lives for this download and this host (FILEMAKER.md 4.3)."""
    name, equals, value = header.partition(";")[0].partition("=")
    return (name.strip(), value.strip()) if equals and name.strip() else None


def _range(answer: Answer) -> tuple[int, int | None] | None:
    match = _CONTENT_RANGE.match(answer.headers.get("content-range", ""))
    if match is None:
        return None
    return int(match[1]), None if match[3] == "*" else int(match[3])


def _continues(answer: Answer, resume_at: int) -> bool:
    found = _range(answer)
    return found is not None and found[0] == resume_at and not answer.encoded


def _whole(answer: Answer) -> int | None:
    """Size of the whole file by the host's word."""
    length = answer.meter.content_length
    if answer.encoded:
        return None
    if answer.status == 206 and (found := _range(answer)):
        start, total = found
        return total if total is not None else (start + length if length is not None else None)
    return length


def _file_name(disposition: str | None) -> str | None:
    if not disposition:
        return None
    message = email.message.Message()
    try:
        message["Content-Disposition"] = disposition.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        message["Content-Disposition"] = disposition
    name = message.get_filename()
    return re.split(r"[/\\]", name)[-1].strip() or None if name else None
