"""Object storage over obstore: S3 and what speaks like it, Google Cloud Storage, Azure.

obstore's limits that shape this file (DESIGN 7): a conditional put is never multipart and holds the whole body in
memory, so it is used up to 8 MiB; `head` and listings return no attributes, so facts are read with a `get` that asks
for the head; listing prefixes match whole path segments; metadata must be ASCII.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

from unlade import keys
from unlade.cargo import Facts
from unlade.errors import StoreError
from unlade.store.base import CHUNK, ObjectInfo, Store
from unlade.store.facts import Sidecar, from_metadata, from_sidecar, to_metadata, to_sidecar
from unlade.store.trouble import Place, translate

SINGLE_PUT = 8 * 1024 * 1024  #: up to here one conditional put, above multipart (CONTRACT B3)
_PART = 5 * 1024 * 1024  #: the least that S3 takes
_PARTS_IN_FLIGHT = 2
_LARGE_AT_ONCE = 4  #: each holds three parts in memory; so many fill any line
_MOST_PARTS = 9_000  #: S3 takes 10,000


class RemoteStore(Store):
    """A bucket under a prefix. `build(encryption, retries)` opens it; encryption "" leaves it to the bucket."""

    takes_bytes = SINGLE_PUT

    def __init__(
        self, build: Callable[[str, bool], Any], place: Place, *, scheme: str = "s3", encryption: str = ""
    ) -> None:
        self.url = place.url
        self._build = build
        self._place = place
        self._scheme = scheme
        self._encryption = encryption
        self._keeps_metadata = True
        self._store = build(encryption, True)
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def head(self, key: str) -> ObjectInfo | None:
        try:
            with self._translated("read", key):
                answer = obstore.get(self._store, key, options={"head": True})
        except FileNotFoundError:
            return None
        meta, attributes = answer.meta, answer.attributes
        content_type = attributes.get("Content-Type")
        facts = from_metadata(attributes)
        if facts is None and not key.startswith(f"{keys.OWN_FOLDER}/"):
            found = from_sidecar(self._small(keys.journal_key(key)) or b"")
            if found is not None and found.size == meta["size"]:
                facts = found.facts
        return ObjectInfo(key, meta["size"], meta["e_tag"], meta["last_modified"], content_type, facts)

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes]]:
        try:
            with self._translated("read", key):
                answer = obstore.get(self._store, key)
        except FileNotFoundError:
            raise StoreError(f"{key} is not in the store {self.url}.") from None
        yield self._chunks(answer, key)

    def list(self, prefix: str = "", *, cargo_only: bool = False) -> Iterator[ObjectInfo]:
        with self._translated("list", prefix):
            for page in obstore.list(self._store, prefix.strip("/") or None, chunk_size=1000):
                for meta in page:
                    if not cargo_only or keys.is_cargo(meta["path"]):
                        yield ObjectInfo(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"])

    def delete(self, key: str) -> None:
        own = key.startswith(f"{keys.OWN_FOLDER}/")
        for each in (key,) if own and self._keeps_metadata else (key, keys.journal_key(key)):
            try:
                with self._translated("remove", each):
                    obstore.delete(self._store, each)
            except FileNotFoundError:
                continue

    def encryption_of(self, key: str) -> str | None:
        """S3 says it in a header that obstore does not pass on, so the head is asked for with a signed link."""
        if self._scheme != "s3":
            return None
        seen = self._encryption_header(key)
        if seen or self._encryption or seen is None:
            return seen
        # The bucket encrypts nothing by itself; many stores do it for each object when asked.
        asking = self._build("AES256", False)
        probe = f"{key}-encrypted"
        try:
            obstore.put(asking, probe, b"probe", use_multipart=False)
            seen = self._encryption_header(probe)
            if seen:
                self._encryption, self._store = "AES256", self._build("AES256", True)
        except BaseError:
            return ""
        finally:
            self.delete(probe)
        return seen

    def is_public(self, key: str) -> bool | None:
        if self._scheme != "s3":
            return None
        link = self._link(key)
        if link is None:
            return None
        status, _ = _ask(link.partition("?")[0])
        return None if status is None else status == 200

    def learn_metadata(self, keeps: bool) -> None:
        self._keeps_metadata = keeps

    def _create(self, key: str, path: Path, size: int, content_type: str, facts: Facts) -> bool:
        if size <= SINGLE_PUT:
            return self._write(key, path.read_bytes(), content_type, facts, overwrite=False)
        if self.head(key) is not None:
            return False
        part = max(_PART, -(-size // _MOST_PARTS))
        with self._large, self._translated("write", key):
            obstore.put(
                self._store,
                key,
                path,
                attributes=self._attributes(content_type, facts),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=_PARTS_IN_FLIGHT,
            )
        self._keep_sidecar(key, facts, content_type, size)
        info = self.head(key)
        if info is None or info.size != size:
            raise StoreError(f"{key} was written to {self.url}, and the store shows another size or nothing.")
        # Nothing makes a multipart upload conditional: whoever finished last has the key, and sees it here.
        return info.facts is None or info.facts == from_metadata(to_metadata(facts))

    def _write(self, key: str, data: bytes, content_type: str, facts: Facts | None, *, overwrite: bool) -> bool:
        attributes = self._attributes(content_type, facts)
        conditional = self.conditional and not overwrite
        if not overwrite and not self.conditional and self.head(key) is not None:
            return False
        try:
            with self._translated("write", key):
                mode: Any = "create" if conditional else "overwrite"
                obstore.put(self._store, key, data, attributes=attributes, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except NotSupportedError:
            self.conditional = False
            return self._write(key, data, content_type, facts, overwrite=overwrite)
        if facts is not None:
            self._keep_sidecar(key, facts, content_type, len(data))
        return True

    def _copy(self, key: str, to: str, size: int, content_type: str, facts: Facts) -> bool:
        with self._translated("write", to):
            obstore.copy(self._store, key, to, overwrite=True)
        info = self.head(to)
        if info is None or info.size != size:
            raise StoreError(f"{to} was copied within {self.url}, and the store shows another size or nothing.")
        if info.facts is None:  # a copy has what its original said of itself, which may be nothing
            self._write_sidecar(to, facts, content_type, size)
        return True

    def _write_sidecar(self, key: str, facts: Facts, content_type: str, size: int) -> None:
        with self._translated("write", key):
            body = to_sidecar(Sidecar(key, size, content_type, facts))
            attributes: Any = {"Content-Type": "application/json"}
            obstore.put(self._store, keys.journal_key(key), body, attributes=attributes, use_multipart=False)

    def _keep_sidecar(self, key: str, facts: Facts, content_type: str, size: int) -> None:
        if not self._keeps_metadata:
            self._write_sidecar(key, facts, content_type, size)

    def _attributes(self, content_type: str, facts: Facts | None) -> Any:
        metadata = to_metadata(facts, hyphens=self._scheme != "az") if facts else {}
        return {"Content-Type": content_type, **metadata}

    def _small(self, key: str) -> bytes | None:
        try:
            with self._translated("read", key):
                return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None

    def _chunks(self, answer: Any, key: str) -> Iterator[bytes]:
        with self._translated("read", key):
            for chunk in answer.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

    def _encryption_header(self, key: str) -> str | None:
        link = self._link(key, method="HEAD")
        if link is None:
            return None
        status, headers = _ask(link)
        return headers.get("x-amz-server-side-encryption", "") if status == 200 else None

    def _link(self, key: str, method: Any = "GET") -> str | None:
        try:
            return obstore.sign(self._store, method, key, timedelta(minutes=1))
        except BaseError:
            return None

    @contextmanager
    def _translated(self, verb: str, key: str) -> Iterator[None]:
        """Turn obstore's errors into ours; a taken key and a missing object are answers, not errors."""
        try:
            yield
        except (AlreadyExistsError, PreconditionError, NotSupportedError):
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error) or verb in ("write", "list"):
                raise translate(error, verb, key, self._place) from None
            raise
        except BaseError as error:
            if "501 Not Implemented" in str(error) and self.conditional and verb == "write":
                raise NotSupportedError(str(error)) from error
            # The original's text holds host names and the answer's body: not to be chained into a log.
            raise translate(error, verb, key, self._place) from None


def _ask(url: str) -> tuple[int | None, dict[str, str]]:
    """Status and headers (names in lower case) of a HEAD request; (None, {}) when nobody answers."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}
    except OSError:
        return None, {}
