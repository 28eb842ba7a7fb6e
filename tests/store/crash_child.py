"""A small importer that can be killed at any instant and started again: spool, store, a list of rows.

`python -m tests.store.crash_child FOLDER STORE_URL COUNT`; the bytes of an item follow from its number.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

from unlade import keys
from unlade.cargo import Facts, Parcel, Wire
from unlade.spool import Spool
from unlade.store import open_store, same_item

PATTERN = "{owner}/{identity}{ext}"


def body_of(number: int) -> bytes:
    """The file of an item; every fifth has the bytes of its neighbour."""
    return hashlib.sha256(str(number - (number % 5 == 1)).encode()).digest() * (50 + number % 7 * 300)


def facts_of(number: int) -> Facts:
    return Facts("images", str(number), "1", f"id-{number}", 0, hashlib.sha256(body_of(number)).hexdigest(), "imported")


def values_of(number: int) -> dict[str, str | None]:
    return {"owner": str(number // 4), "identity": f"id-{number}"}


class Importer:
    def __init__(self, folder: Path, url: str) -> None:
        self.spool = Spool(folder / "spool", max_bytes=10**8)
        self.store = open_store(url, spool=folder / "spool")
        self.rows, self.fetched = folder / "rows", folder / "fetched"

    def note(self, path: Path, number: int) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, f"{number}\n".encode())
        os.close(fd)

    def carry(self, number: int) -> None:
        """Fetch what is in neither store nor spool."""
        wanted = facts_of(number)
        found = self.store.find(keys.stems(PATTERN, values_of(number)), lambda facts: same_item(facts, wanted))
        if found:
            self.note(self.rows, number)
            return
        writer = self.spool.begin("images", str(number), "f")
        body = body_of(number)
        writer.note(wire=Wire(headers=300), content_length=len(body))
        for start in range(0, len(body), 20_000):
            writer.write(body[start : start + 20_000])
        parcel = writer.finish(content_type="image/jpeg", name=None, wire=Wire(container=len(body), headers=300))
        self.note(self.fetched, number)
        self.keep(number, parcel)

    def keep(self, number: int, parcel: Parcel) -> None:
        key = keys.render(PATTERN, values_of(number), ".jpg")
        self.store.put(key, parcel.path, content_type="image/jpeg", facts=facts_of(number))
        self.store.put_thumbnail(
            keys.thumbnail_key(key), b"t%d" % number, content_type="image/jpeg", facts=facts_of(number)
        )
        self.note(self.rows, number)
        self.spool.discard(parcel)

    def run(self, count: int) -> None:
        done = set(self.rows.read_text().split()) if self.rows.exists() else set()
        for left in self.spool.left("images"):
            if left.parcel is not None and left.mark.item_key not in done:
                self.keep(int(left.mark.item_key), left.parcel)
                done.add(left.mark.item_key)
            else:
                self.spool.discard(left)
        self.spool.clean("images")
        todo = [number for number in range(count) if str(number) not in done]
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not todo:
                        return
                    number = todo.pop(0)
                self.carry(number)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    Importer(Path(sys.argv[1]), sys.argv[2]).run(int(sys.argv[3]))
