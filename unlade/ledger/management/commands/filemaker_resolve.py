"""`filemaker_resolve`: close an open item, bring its file by hand, or hand it to the next run."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.importer import ContainerImport, get_any_import, get_import
from unlade.ledger.finding import find_item, ids_of
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Item
from unlade.report.advice import MANAGE, import_command
from unlade.worklist.byhand import Landed, Quay
from unlade.worklist.decisions import Decided, accept, hand_back, reopen


class Command(UnladeCommand):
    help = (
        "Settles open items by hand: sends a file that you found, closes an item as accepted, writes a row anew, or "
        "has an item tried again. Asks no FileMaker."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="a declared import")
        parser.add_argument("ids", metavar="ID", nargs="+", help="record id or identity; several, ID,ID or @FILE")
        parser.add_argument("--field", default="", help="container field, where a record has one item for each")
        ways = parser.add_mutually_exclusive_group(required=True)
        ways.add_argument("--file", type=Path, metavar="PATH", help="send this file as the item's")
        ways.add_argument("--accept", metavar="REASON", help="close the item as it is, for this reason")
        ways.add_argument("--row", action="store_true", help="write its row and thumbnail anew from the stored file")
        ways.add_argument("--again", action="store_true", help="let the next run try it anew")
        ways.add_argument("--reopen", action="store_true", help="take an acceptance back")
        parser.add_argument("--by", metavar="WHO", default="", help="who decides (default: your account's name)")

    def work(self, **options: Any) -> int:
        closing = options["accept"] is not None or options["reopen"]
        importer = (get_any_import if closing else get_import)(options["name"])  # records have no files to bring
        ids, by = ids_of(options["ids"]), options["by"] or _me()
        if options["file"] and len(ids) > 1:
            raise UsageError("a file belongs to one item", remedy="Give one ID with --file.")
        with source_lock(importer.name):
            items = [find_item(importer.name, text, options["field"]) for text in ids]
            done = self._do(importer, items, by, options)
        for each in done:
            if not options["json"]:
                self._tell(importer, each, options)
        if options["json"]:
            self.print_json(
                {"source": importer.name, "outcome": "done", "items": [_as_json(each) for each in done], "exit": 0}
            )
        return 0

    def _do(
        self, importer: ContainerImport, items: list[Item], by: str, options: dict[str, Any]
    ) -> list[Decided | Landed]:
        rig = self.rigging
        if options["accept"] is not None:
            return [accept(item, options["accept"], by, rig.clock()) for item in items]
        if options["reopen"]:
            return [reopen(item, by, rig.clock()) for item in items]
        store, spool = rig.store(), rig.spool()
        try:
            store.probe().check()
            if options["again"]:
                return [hand_back(importer, store, spool, item, by, rig.clock()) for item in items]
            with rig.decoders() as decoders:
                uploaded_by = rig.settings.text("UNLADE_UPLOADED_BY")
                quay = Quay(importer, store, spool, decoders, rig.clock, uploaded_by)
                if options["row"]:
                    return [quay.rewrite(item, by) for item in items]
                return [quay.send(item, options["file"], by) for item in items]
        finally:
            store.close()

    def _tell(self, importer: ContainerImport, done: Decided | Landed, options: dict[str, Any]) -> None:
        item, who = done.item, f"record {done.item.record_id}"
        if isinstance(done, Landed):
            had = "the store had this file already" if done.existed else f"stored as {item.key}"
            self.say(f"{who}: {item.state} (was {done.before}); {had}.")
            for each in done.notes:
                self.say(f"  {each}")
            if item.state == "unlinked":
                self.say(f"  {item.detail or item.reason}.")
        elif options["accept"] is not None:
            self.say(f"{who}: closed as accepted (was {done.before}). To take it back:")
            self.say(f"  {MANAGE} filemaker_resolve {importer.name} {item.record_id} --reopen")
        elif options["reopen"]:
            self.say(f"{who}: open again, {item.state}.")
        elif not done.changed:
            self.say(f"{who}: {item.state}; the next run tries it anyway:  {import_command(importer.name)}")
        else:
            if done.set_aside:
                self.say(f"{who}: its damaged file was set aside as {done.set_aside}.")
            self.say(f"{who}: the next run tries it anew (was {done.before}):  {import_command(importer.name)}")


def _as_json(done: Decided | Landed) -> dict[str, Any]:
    item = done.item
    data: dict[str, Any] = {
        "record": item.record_id,
        "slot": item.slot or None,
        "state": item.state,
        "was": done.before,
        "key": item.key or None,
        "sha256": item.sha256 or None,
        "row": item.row or None,
    }
    if isinstance(done, Landed):
        return data | {"existed": done.existed}
    return data | {"changed": done.changed, "set_aside": done.set_aside or None}


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"
