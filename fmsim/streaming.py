"""Container streams in the four modes of CONTRACT A5, step by step as FILEMAKER.md 4.3 says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal
from urllib.parse import quote

from fmsim.answer import Reply
from fmsim.dataset import ContainerValue
from fmsim.errors import HostError, HtmlUnauthorized
from fmsim.links import Link, Links
from fmsim.sessions import Sessions
from fmsim.switches import Switches
from fmsim.wire import Request

COOKIE = "X-FMS-Session-Key"
Mode = Literal["open", "protected", "bearer", "first-hit"]
MODES: tuple[Mode, ...] = ("open", "protected", "bearer", "first-hit")


class Step(Enum):
    """What the next answer of a download is."""

    DEAD = "the link is of no use any more, or never was"
    REFUSED = "the bearer or the cookie is missing; the link stays as it is"
    REDIRECT = "302 and a cookie"
    MISSING = "404: the file is not on the host"
    BODY = "the bytes"


@dataclass(slots=True)
class Streaming:
    """Decides and makes the answers to container requests.

    Args:
        mode: one of MODES.
        switches: in force.
        links: all links given out.
        sessions: to check bearers.
        base: scheme, host and port, for absolute Locations.
        relative: whether Location is only a path.
    """

    mode: Mode
    switches: Switches
    links: Links
    sessions: Sessions
    base: str
    relative: bool

    def hop(self, request: Request, link: Link | None) -> int:
        """2 for a request with the link's cookie or with the suffix that only a redirect gives; else 1."""
        if self.mode != "open" and link is not None and link.cookie and link.cookie in request.cookies(COOKIE):
            return 2
        return 2 if self.mode != "open" and _has_suffix(request) else 1

    def next_step(self, request: Request, link: Link | None, hop: int, now: float) -> Step:
        """What is to be answered. Changes nothing, so that a fault may still come before it."""
        if link is None or not self.links.alive(link, now):
            return Step.DEAD
        missing = (value := link.content()) is None or value.missing or value.blob is None
        if self.mode == "open":
            return Step.MISSING if missing else Step.BODY
        if hop == 2:
            return self._second_hop(request, link, missing)
        if self.mode == "bearer" and not self._bearer_good(request, now):
            return Step.REFUSED
        if link.used:
            if self.mode != "first-hit":
                return Step.DEAD
            if not self._bearer_good(request, now):
                return Step.REFUSED
        return Step.MISSING if missing and self.switches.missing_at == "link" else Step.REDIRECT

    def _second_hop(self, request: Request, link: Link, missing: bool) -> Step:
        spent = link.cookie_spent and self.switches.cookie_uses == "once"
        voided = self.switches.shared_cookie and link.session.cookie != link.cookie
        if spent or voided or not link.cookie or link.cookie not in request.cookies(COOKIE):
            return Step.REFUSED
        return Step.MISSING if missing else Step.BODY

    def _bearer_good(self, request: Request, now: float) -> bool:
        try:
            self.sessions.use(request.bearer, now, touch=self.switches.streaming_resets_idle)
        except (HostError, HtmlUnauthorized):
            return False
        return True

    def answer(self, step: Step, request: Request, link: Link | None, hop: int) -> Reply:
        """Takes the step."""
        match step:
            case Step.REDIRECT:
                assert link is not None
                return self._redirect(request, link)
            case Step.BODY:
                assert link is not None
                return self._body(request, link)
            case Step.MISSING:
                return page(404, "Not Found")
            case Step.REFUSED:
                return page(401, "Unauthorized")
            case Step.DEAD:
                return self._dead(request, hop)

    def _redirect(self, request: Request, link: Link) -> Reply:
        if request.method != "HEAD" or self.switches.head_burns:
            link.used = True
        link.cookie, link.cookie_spent = self.links.cookie(), False
        link.session.cookie = link.cookie
        headers = [("Set-Cookie", f"{COOKIE}={link.cookie}; HttpOnly"), ("Location", self._location(request))]
        return Reply(302, content_type=None, headers=headers)

    def _location(self, request: Request) -> str:
        target = request.target
        if self.switches.redirect_suffix:
            target += ("&" if request.query else "?") + "Redirect"
        return target if self.relative else self.base + target

    def _dead(self, request: Request, hop: int) -> Reply:
        if hop == 1 and self.switches.dead_link == "302":
            return Reply(302, content_type=None, headers=[("Location", self._location(request))])
        if hop == 1 and self.switches.dead_link == "404":
            return page(404, "Not Found")
        return page(401, "Unauthorized")

    def _body(self, request: Request, link: Link) -> Reply:
        value = link.content()
        assert value is not None and value.blob is not None
        link.cookie_spent = True
        reply = Reply(200, content_type=value.content_type, blob=value.blob, chunked=self.switches.chunked)
        if self.switches.content_disposition:
            reply.headers.append(("Content-Disposition", f"inline; filename*=UTF-8''{quote(value.name)}"))
        if self.switches.etag:
            reply.headers.append(("ETag", f'"{link.row.record_id}-{link.row.mod_id}-{value.blob.size:x}"'))
        if self.switches.range != "off":
            reply.headers.append(("Accept-Ranges", "bytes"))
        reply.completes = request.method == "GET"
        if self.switches.range == "on" and (wanted := request.headers.get("range")):
            return self._part(reply, value, wanted)
        return reply

    def _part(self, reply: Reply, value: ContainerValue, wanted: str) -> Reply:
        """206 for `bytes=N-`; bounded and many-part ranges get the whole, as the standard allows."""
        assert value.blob is not None
        found, size = re.fullmatch(r"bytes=(\d+)-", wanted.strip()), value.blob.size
        if not found:
            return reply
        start = int(found[1])
        if start >= size:
            return Reply(416, content_type=None, headers=[("Content-Range", f"bytes */{size}")])
        reply.status, reply.start = 206, start
        reply.headers.append(("Content-Range", f"bytes {start}-{size - 1}/{size}"))
        return reply


def _has_suffix(request: Request) -> bool:
    return "Redirect" in request.query.split("&")


def page(status: int, title: str) -> Reply:
    """An HTML page as the web server in front of FileMaker makes it."""
    text = f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n"
    text += "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    return Reply(status, text.encode(), "text/html")
