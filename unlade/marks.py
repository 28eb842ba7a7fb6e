"""The spool's marks: a small JSON file beside each download, and what it is worth after a death.

Raises `OSError` where the disk does; the spool turns that into its own errors.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from unlade.cargo import Parcel, Wire
from unlade.keys import encode_segment
from unlade.store import disk

BODY, MARK, NEW = ".body", ".mark", ".new"  #: suffixes of the bytes, their mark, and a mark half written

_NOTHING = Wire()


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of one download. Hashes are there when it is complete.

    `size` bytes were handed to the system, `flushed` of them are on the medium: after a power cut (another `boot`)
    only those are believed.
    `booking` is the caller's own word for the reservation, `content_length` what the host announced. `wire` is what
    is known to have come over the wire, broken tries included.
    """

    source: str
    item_key: str
    field: str
    record_id: str = ""
    mod_id: str = ""
    booking: str = ""
    content_type: str | None = None
    content_length: int | None = None
    name: str | None = None
    wire: Wire = _NOTHING
    size: int = 0
    flushed: int = 0
    boot: int = 0
    sha256: str = ""
    md5: str = ""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a run left behind: a `parcel` that is complete, or None and a mark that tells what its bytes cost.

    `resumable` bytes of a broken download are intact, 0 when it must start anew.
    """

    mark: Mark
    path: Path
    parcel: Parcel | None = None
    resumable: int = 0


def save_mark(mark: Mark, body: Path, *, durable: bool) -> None:
    """Replace the mark of `body` in one step; `durable` brings it to the medium."""
    new = body.with_suffix(NEW)
    new.unlink(missing_ok=True)
    disk.write_new(new, json.dumps(asdict(mark)).encode("ascii"), durable=durable)
    new.replace(body.with_suffix(MARK))
    if durable:
        disk.fsync_folder(body.parent)


def check(mark: Mark, body: Path) -> Leftover:
    """Compare a mark with its file."""
    try:
        size = body.stat().st_size
    except FileNotFoundError:
        return Leftover(replace(mark, complete=False), body)
    if mark.complete and size == mark.size and _sha256(body) == mark.sha256:
        return Leftover(mark, body, parcel_of(mark, body))
    intact = mark.size if mark.boot == boot() else mark.flushed
    resumable = intact if not mark.complete and intact <= size else 0
    return Leftover(replace(mark, complete=False), body, resumable=resumable)


def parcel_of(mark: Mark, body: Path) -> Parcel:
    """The parcel that a complete mark speaks of."""
    return Parcel(
        path=body, field=mark.field, size=mark.size, sha256=mark.sha256, md5=mark.md5,
        wire=mark.wire, content_type=mark.content_type, name=mark.name,
    )  # fmt: skip


def read_mark(path: Path) -> Mark | None:
    """The mark at `path`; None when there is none that can be read."""
    try:
        body = json.loads(path.read_bytes())
        return Mark(**{**body, "wire": Wire(**body["wire"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def body_name(item_key: str, field: str) -> str:
    """A readable start, and a hash that tells items and fields apart."""
    digest = hashlib.sha256(f"{item_key}\0{field}".encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"{encode_segment(item_key, 60).replace('.', '_')}-{digest}"


def boot() -> int:
    """Changes when the machine starts anew; a wrong clock may change it too, which only costs a download."""
    return int(psutil.boot_time())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
