"""The examination: every check in an order in which what depends on another comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from unlade.doctor import here, there
from unlade.doctor.books import HostBooks
from unlade.doctor.fields import check_fields, uncovered
from unlade.doctor.lines import Examination, Line
from unlade.doctor.road import look_at_road
from unlade.doctor.signin import look_at_sign_in
from unlade.filemaker import DataApiSource, FileMakerConfig, Layout
from unlade.importer import ContainerImport
from unlade.options import RunOptions
from unlade.rigging import Rigging


def examine(
    imports: Sequence[ContainerImport],
    rig: Rigging,
    *,
    books: Callable[[Rigging], HostBooks] = HostBooks,
    expect: int | None = None,
) -> list[Line]:
    """Look at everything that `imports` need. Raises nothing: what is wrong is a line.

    `expect` is how many records FileMaker Pro shows with full access. `books` opens what every request to the host
    passes: its bytes are booked, and a host that rests is left alone.
    Each import has a session of its own.
    """
    found = Examination()
    look_here(found, rig)
    look_there(found, imports, rig, books, expect=expect)
    return found.lines


def examine_road(
    imports: Sequence[ContainerImport], rig: Rigging, path: Path, options: RunOptions, *, expect: int | None = None
) -> list[Line]:
    """Look at what `imports` need where their files come from `path` and not from a host. Raises nothing."""
    found = Examination()
    look_here(found, rig)
    look_at_road(found, imports, rig, path, options, expect=expect)
    return found.lines


def look_here(found: Examination, rig: Rigging) -> None:
    """This side: settings, database, disk, store, decoders."""
    found.check("settings", lambda: here.look_at_settings(rig.settings))
    found.check("sign-in", lambda: look_at_sign_in(rig))
    found.check("database", here.look_at_database)
    found.check("allowance", lambda: here.look_at_allowance(rig), needs=["database"])
    found.check("disk", lambda: here.look_at_disk(rig))
    found.check("store", lambda: here.look_at_store(rig))
    found.check("decoders", lambda: here.look_at_decoders(rig))


def look_there(
    found: Examination,
    imports: Sequence[ContainerImport],
    rig: Rigging,
    books: Callable[[Rigging], HostBooks] = HostBooks,
    *,
    expect: int | None = None,
) -> None:
    """The host's side: address, sign-in, and every import's layout."""
    if not imports:
        remedy = "Write a ContainerImport into a module `imports` of one of your apps."
        found.lines.append(Line("error", "imports", "no import is declared", remedy))
        return
    with ExitStack() as stack:
        visit = _Visit(rig, books, stack)
        first = imports[0]
        found.check(
            "address", lambda: there.look_at_address(visit.config, visit.source(first)), needs=["sign-in", "database"]
        )
        found.check(
            "login",
            lambda: there.look_at_login(visit.config, lambda: visit.books.sign_in(visit.source(first))),
            needs=["address"],
        )
        for importer in imports:
            taken = [name for other in imports if other.layout == importer.layout for name in other.containers]
            _look_at_import(found, importer, visit, taken, marker_wanted=_marker_wanted(rig), expect=expect)


def _marker_wanted(rig: Rigging) -> bool:
    return rig.settings.text("UNLADE_WRITE_MARKER").lower() in {"1", "true", "yes", "on"}


class _Visit:
    """Opens what the host checks share, when the first of them asks; all of it is closed with `stack`."""

    def __init__(self, rig: Rigging, books: Callable[[Rigging], HostBooks], stack: ExitStack) -> None:
        self._rig, self._open, self._stack = rig, books, stack
        self._sources: dict[str, DataApiSource] = {}

    @cached_property
    def config(self) -> FileMakerConfig:
        return self._rig.filemaker_config()

    @cached_property
    def books(self) -> HostBooks:
        return self._open(self._rig)

    def source(self, importer: ContainerImport) -> DataApiSource:
        """The import's layout; the same at every call."""
        if importer.name not in self._sources:
            opened = self._stack.enter_context(self.books.source(self.config, importer))
            self._sources[importer.name] = opened
        return self._sources[importer.name]


def _look_at_import(
    found: Examination,
    importer: ContainerImport,
    visit: _Visit,
    taken: Sequence[str],
    *,
    marker_wanted: bool,
    expect: int | None = None,
) -> None:
    name, shown = importer.name, importer.response_layout or importer.layout
    layouts: list[Layout] = []

    def layout() -> Iterator[Line]:
        layouts.append(visit.source(importer).layout_fields(shown))
        yield Line("ok", f"{name} layout", f"{shown} has {len(layouts[0].fields)} fields")

    def fields() -> Iterator[Line]:
        yield from check_fields(f"{name} fields", importer, layouts[0], marker_wanted=marker_wanted)
        yield from uncovered(f"{name} fields", layouts[0], taken)

    def records() -> Iterator[Line]:
        return there.look_at_count(f"{name} records", visit.source(importer), expect)

    def weight() -> Iterator[Line]:
        return there.look_at_weight(f"{name} weight", importer, visit.source(importer))

    def files() -> Iterator[Line]:
        return there.look_at_policy(f"{name} files", importer, visit.source(importer))

    found.check(f"{name} layout", layout, needs=["login"])
    looks = [("fields", fields), ("records", records), ("weight", weight)]
    if importer.carries == "files":
        looks.append(("files", files))
    for what, look in looks:
        found.check(f"{name} {what}", look, needs=[f"{name} layout"])
