"""A ledger from yesterday is caught up from the store; one that is new takes what the store has."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from tests.voyage.harness import FULL, LESSER, Port, PortMaker, cargo, jpeg, name_of, photo, raw, record

pytestmark = pytest.mark.slow


def _file(port: Port) -> Path:
    return Path(port.database_url.removeprefix("sqlite:///"))


def _save(port: Port, name: str) -> None:
    connection.close()
    shutil.copyfile(_file(port), port.folder / name)


def _restore(port: Port, name: str) -> None:
    connection.close()
    for suffix in ("-wal", "-shm"):
        _file(port).with_name(_file(port).name + suffix).unlink(missing_ok=True)
    shutil.copyfile(port.folder / name, _file(port))


def _special() -> dict[int, object]:
    return {
        33: record(33, **{FULL: raw(jpeg("cut", 4000)[:-900]), LESSER: photo("good")}),
        34: record(34, **{FULL: raw(jpeg("cut two", 4000)[:-900])}),
        35: record(35, owner=99),
    }


def test_yesterdays_ledger_fetches_nothing_again(make_port: PortMaker) -> None:
    with make_port(cargo(60, special=_special())) as port:
        port.run(limit=20)
        _save(port, "yesterday")
        last = port.until_done()
        before, objects = port.downloads(), port.stored()
        _restore(port, "yesterday")
        ended = port.run()
        assert ended["run"] > last["run"]
        assert ended["totals"] == last["totals"]
        port.check(books="")
        assert port.stored() == objects
        again = port.downloads() - before
        # Of the damaged field above the lesser copy only its own bytes could tell; the store has them beside it.
        assert again == Counter()
        assert port.run()["requests"] == 3


def test_a_file_that_was_caught_up_can_be_linked_to_its_owner_later(make_port: PortMaker) -> None:
    from clinic.images.models import Image
    from clinic.patients.models import Patient
    from unlade.importer import get_import
    from unlade.linking import relink

    with make_port(cargo(40, special=_special() | {36: record(36, owner=98)})) as port:
        port.run(limit=5)
        _save(port, "yesterday")
        port.until_done()
        _restore(port, "yesterday")
        port.until_done()
        Patient.objects.create(filemaker_id=name_of("patient", 99).lower())
        assert relink(get_import("images")).linked == 1
        assert Image.objects.get(filemaker_id=name_of("image", 35)).batch.patient is not None
        port.check(books="")


def test_an_empty_ledger_takes_what_the_store_has(make_port: PortMaker) -> None:
    with make_port(cargo(30)) as port:
        _save(port, "empty")
        first = port.until_done()
        before = port.downloads()
        _restore(port, "empty")
        ended = port.until_done()
        assert ended["totals"] == first["totals"]
        assert port.downloads() == before
        port.check(books="")


def test_a_spool_from_after_the_restored_ledger_is_never_taken_for_another_record(make_port: PortMaker) -> None:
    """The spool's files say whose they are themselves; a ledger that numbers its items anew must not mix them up."""
    with make_port(cargo(30)) as port:
        _save(port, "empty")
        code, _, err = port.command(crash="unlade.spool:SpoolWriter.finish@after#3")
        assert code == -9, err
        assert port.marked_complete()
        _restore(port, "empty")
        table = port.sim.host.tables.named("Images")
        table.rows.reverse()  # another order: the items get other numbers
        port.until_done()
        port.check(books="")


def test_a_store_that_fails_in_mid_run_stops_the_fetching_and_what_was_paid_for_waits(make_port: PortMaker) -> None:
    from clinic.images.imports import ImageImport

    with make_port(cargo(60)) as port:
        folder, away = port.folder / "store", port.folder / "unplugged"
        after_commit, seen = ImageImport.after_commit, []

        def unplug(self: ImageImport, item: object, row: object) -> None:
            seen.append(item)
            if len(seen) == 10:
                folder.rename(away)

        try:
            ImageImport.after_commit = unplug  # type: ignore[method-assign]
            ended = port.run()
        finally:
            ImageImport.after_commit = after_commit  # type: ignore[method-assign]
        assert (ended["outcome"], ended["exit"]) == ("failed", 1)
        fetched = sum(port.downloads().values())
        assert fetched < 60
        if folder.exists():
            shutil.rmtree(folder)
        away.rename(folder)
        # Some may be in both places: put just before the folder went, and not yet committed. None is in neither.
        assert len(port.safe()) == fetched
        port.until_done()
        assert port.check()["imported"] == 60
        assert not port.twice()
