"""Files that no name gave away, by their MD5."""

from __future__ import annotations

import hashlib
from pathlib import Path

from unlade.desktop.catalogue import Catalogue


def hash_unused(catalogue: Catalogue, root: Path | None) -> None:
    """Read every file that nobody has claimed, for its MD5. Without a `root` only those count that are known."""
    if root is None:
        _ask_for_digests(catalogue)
        return
    for (path,) in catalogue.db.execute("SELECT path FROM files WHERE used = 0 AND md5 = ''"):
        with (root / path).open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        catalogue.db.execute("UPDATE files SET md5 = ? WHERE path = ?", (digest, path))


def _ask_for_digests(catalogue: Catalogue) -> None:
    """MD5s of listed files that nobody has claimed, where their ETag is none that anybody looks for."""
    if catalogue.digests is None:
        return
    query = (
        "SELECT path, size FROM files WHERE used = 0 AND (md5 = '' OR md5 NOT IN "
        "(SELECT lower(md5) FROM rows UNION SELECT lower(md5) FROM refs)) ORDER BY path"
    )
    for path, size in catalogue.db.execute(query).fetchall():
        if digest := catalogue.digests(catalogue, path, size):
            catalogue.db.execute("UPDATE files SET md5 = ? WHERE path = ?", (digest, path))


def by_md5(catalogue: Catalogue, md5: str) -> str:
    """A file with these bytes, one that nobody has claimed first; "" for none."""
    row = catalogue.db.execute(
        "SELECT path FROM files WHERE md5 = ? AND md5 != '' ORDER BY used, path LIMIT 1", (md5.lower(),)
    ).fetchone()
    return str(row[0]) if row else ""
