"""The list of what was pulled: one JSON line a container value (CONTRACT A4), and `SHA256SUMS`.

While a pull runs, lines are added at the end; the last line of a value counts. A line that was being written when the
process died is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from unlade.errors import UsageError
from unlade.states import ItemState

MANIFEST, SUMS = "manifest.jsonl", "SHA256SUMS"

Identity = tuple[str, str, str, int]  #: table, record, field, repetition


@dataclass(frozen=True, slots=True)
class Line:
    """One container value. `file` is a path below the target, None when there were no bytes to write.

    `record` is `global` for a global value, which has no `modification`. `proof` is `md5`, `md5-external` or `none`;
    `state` a value of `unlade.fmp12.State`, or over the API of `unlade.states.ItemState`. Sizes are bytes, digests
    lower-case hex. `thumbnail` is a path below the target, `reason` why there is no file (over the API); these and
    `thumbnail_error` are left out where they are None.
    """

    table: str
    record: str
    modification: str | None
    field: str
    repetition: int
    file: str | None
    original_name: str | None
    mime_type: str | None
    size: int | None
    sha256: str | None
    proof: str
    state: str
    thumbnail: str | None = None
    thumbnail_error: str | None = None
    reason: str | None = None

    @property
    def field_name(self) -> str:
        """`name`, `name(2)` from the second repetition on."""
        return self.field if self.repetition == 1 else f"{self.field}({self.repetition})"

    @property
    def identity(self) -> Identity:
        return (self.table, self.record, self.field, self.repetition)

    def dump(self) -> bytes:
        """The line with its end."""
        data = {name: value for name, value in asdict(self).items() if value is not None or name not in _OPTIONAL}
        return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


_OPTIONAL = ("thumbnail", "thumbnail_error", "reason")
_NAMES = tuple(one.name for one in fields(Line) if one.name not in _OPTIONAL)


def parse(raw: bytes, where: str) -> Line:
    """A line of a manifest; `where` is for the message. Raises `UsageError`."""
    try:
        data = json.loads(raw)
        line = Line(**{name: data[name] for name in _NAMES}, **{name: data.get(name) for name in _OPTIONAL})
        texts = (line.table, line.record, line.field, line.proof, line.state)
        good = all(isinstance(text, str) for text in texts) and type(line.repetition) is int
        good = good and all(name is None or _stays_below(name) for name in (line.file, line.thumbnail))
        if line.file is not None:
            good = good and isinstance(line.sha256, str) and type(line.size) is int
    except (ValueError, TypeError, KeyError):
        good = False
    if not good:
        raise UsageError(f"{where} is no line of a manifest", remedy="Name the manifest.jsonl that a pull has written.")
    return line


def _stays_below(name: str) -> bool:
    """Whether a path from a manifest cannot lead out of its folder. Raises `TypeError` when it is no text."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def read_manifest(path: Path) -> Iterator[Line]:
    """All lines, later ones of a value too. Raises `UsageError`, `OSError`."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.endswith(b"\n"):
                yield parse(raw, f"{path.name}, line {number}")


def sums_of(lines: Iterable[Line]) -> Iterator[bytes]:
    """Lines of `SHA256SUMS`, as `sha256sum --check` reads them: originals alone, since thumbnails can be made again."""
    for line in sorted(lines, key=lambda line: line.file or ""):
        if line.file is not None:
            yield f"{line.sha256}  {line.file}\n".encode()


def made_over_the_api(path: Path) -> bool | None:
    """Whether a manifest is that of a pull over the API; None without a line in it. Raises `UsageError`."""
    if not path.is_file():
        return None
    line = next(read_manifest(path), None)
    return None if line is None else line.state in {state.value for state in ItemState}


class Manifest:
    """A manifest that grows. Belongs to one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[Identity, Line] = {}
        lines = 0
        if path.exists():
            for line in read_manifest(path):
                self.known[line.identity] = line
                lines += 1
            _drop_half_a_line(path)
        self._twice = lines - len(self.known)
        self._file = path.open("ab")

    def add(self, line: Line) -> None:
        """Note a value. What was noted survives the process."""
        self._twice += line.identity in self.known
        self.known[line.identity] = line
        self._file.write(line.dump())
        self._file.flush()

    def close(self) -> None:
        """Leave one line a value, durable."""
        if self._file.closed:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._twice:
            replace_file(self.path, (line.dump() for line in self.known.values()))

    def sums(self) -> Iterator[bytes]:
        """See `sums_of`."""
        return sums_of(self.known.values())


def replace_file(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file anew; it is there whole or as it was."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _drop_half_a_line(path: Path) -> None:
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        place = end
        while place:
            step = min(place, 65536)
            file.seek(place - step)
            cut = file.read(step).rfind(b"\n")
            if cut >= 0:
                place = place - step + cut + 1
                break
            place -= step
        if place != end:
            file.truncate(place)
