"""Digests of a file while its bytes pass by: sha256 is ours, md5 is what FileMaker and object stores compare with."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


class Digest:
    """Counts and digests what it is fed. Not for use by two threads at once."""

    __slots__ = ("_md5", "_sha256", "size")

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0  #: bytes seen

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self._sha256.update(data)
        self._md5.update(data)
        self.size += memoryview(data).nbytes

    @property
    def sha256(self) -> str:
        """Lower-case hex of everything seen until now."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """Lower-case hex of everything seen until now."""
        return self._md5.hexdigest()


def digest_file(path: Path) -> Digest:
    """The digest of a whole file, read in pieces of 1 MiB. Raises `OSError` when it cannot be read."""
    digest = Digest()
    buffer = memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest
