"""What a stored object says of itself, as object metadata and as a sidecar in the journal. Source: CONTRACT B3.

Metadata is percent-encoded ASCII under 2 KB in all (S3's limit; a non-ASCII value makes every later read through
obstore fail). Never a file name or a field value other than the declared identity.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from unlade.cargo import Facts
from unlade.keys import normalise_id

THUMBNAIL = "thumbnail"  #: the state that a thumbnail's facts carry

_LIMIT = 320  #: encoded bytes of one value: five free texts stay below 2 KB with their names

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{0,200}")  #: needs no encoding

_NAMES = {
    "source": "unlade-source",
    "record_id": "unlade-record",
    "mod_id": "unlade-modification",
    "identity": "unlade-identity",
    "field_number": "unlade-field",
    "sha256": "unlade-sha256",
    "state": "unlade-state",
    "slot": "unlade-slot",
}


def to_metadata(facts: Facts, *, hyphens: bool = True) -> dict[str, str]:
    """Names and values of an object's metadata. `hyphens=False` for Azure, whose names are identifiers."""
    out = {}
    for attribute, name in _NAMES.items():
        value = str(getattr(facts, attribute))
        if value:
            out[name if hyphens else name.replace("-", "_")] = _encode(value)
    return out


def from_metadata(metadata: Mapping[str, Any]) -> Facts | None:
    """The facts in an object's metadata, None when it is not one of ours."""
    given = {str(name).lower().replace("_", "-"): str(value) for name, value in metadata.items()}
    values = {attribute: unquote(given[name]) for attribute, name in _NAMES.items() if name in given}
    return _build(values)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The facts of an object where it cannot hold them itself. `inode` is 0 where it does not matter."""

    key: str
    size: int
    content_type: str
    facts: Facts
    inode: int = 0


def to_sidecar(sidecar: Sidecar) -> bytes:
    """The sidecar as JSON."""
    body = {name: getattr(sidecar, name) for name in ("key", "size", "content_type", "inode")}
    body["facts"] = {attribute: getattr(sidecar.facts, attribute) for attribute in _NAMES}
    return json.dumps(body, indent=1).encode("ascii") + b"\n"


def from_sidecar(data: bytes) -> Sidecar | None:
    """What `to_sidecar` wrote; None when it is damaged."""
    try:
        body = json.loads(data)
        facts = _build({name: str(value) for name, value in body["facts"].items()})
        rest = str(body["key"]), int(body["size"]), str(body["content_type"])
        inode = int(body.get("inode", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Sidecar(*rest, facts, inode) if facts else None


def same_item(stored: Facts, wanted: Facts) -> bool:
    """Whether both speak of one item. Record and modification ids may differ by the road it came (CONTRACT B5), and
    so may the spelling of an id: identities are compared as keys spell them.
    """
    identities = {normalise_id(wanted.identity), _as_kept(wanted.identity)}
    return normalise_id(stored.identity) in identities and all(
        getattr(stored, name) in (getattr(wanted, name), _as_kept(getattr(wanted, name))) for name in ("source", "slot")
    )


def _build(values: Mapping[str, str]) -> Facts | None:
    try:
        return Facts(
            source=values["source"],
            record_id=values.get("record_id", ""),
            mod_id=values.get("mod_id", ""),
            identity=values["identity"],
            field_number=int(values.get("field_number", "0")),
            sha256=values["sha256"],
            state=values.get("state", ""),
            slot=values.get("slot", ""),
        )
    except (KeyError, ValueError):
        return None


def _encode(value: str) -> str:
    """Percent-encoded; a value that is too long is cut, with a hash of the whole in place of its rest."""
    if _PLAIN.fullmatch(value):
        return value
    encoded = quote(value, safe="", errors="surrogatepass").replace("~", "%7E")
    if len(encoded) <= _LIMIT:
        return encoded
    digest = hashlib.sha256(encoded.encode("ascii")).hexdigest()[:16]
    return re.sub(r"(%[0-9A-F]?)$", "", encoded[: _LIMIT - 17]) + "~" + digest


def _as_kept(value: str) -> str:
    """The value as metadata gives it back."""
    return unquote(_encode(value))
