"""Base of the `reassign_filemaker_...` commands, and what they say."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.importer import ContainerImport, get_import
from unlade.ledger.finding import ids_of
from unlade.ledger.lock import source_lock
from unlade.ledger.models import Item, Source
from unlade.people import me
from unlade.reassign import deciding as d
from unlade.reassign.moving import under_way
from unlade.reassign.selecting import Named, items_named, items_of, noun_of, owner_named
from unlade.report.advice import MANAGE, existing
from unlade.report.words import plural
from unlade.units import format_count

#: What `--to` says to give items back to the source's word.
SOURCE = "source"

_EXAMPLE = """
examples:
  {command} --items 4711,4712 --to 5F0A3C1E --reason "filed under the wrong patient" --dry-run
  {command} --from 5F0A3C1E --to pk:17 --reason "the same person twice" --rekey
  {command} --items @wrong.txt --to source --reason "it was right after all"

Owners are named by FileMaker's id, or by our primary key as pk:17. No later import or relink undoes a choice.
"""


class ReassignCommand(UnladeCommand):
    """Subclasses set `import_name`; without it the command takes the import's name."""

    import_name: str = ""
    help = "Give files to another owner than the source names, in one audited transaction. Asks no FileMaker."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """With examples, as they are typed."""
        from argparse import RawDescriptionHelpFormatter

        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        whole = f"{subcommand}{'' if self.import_name else ' NAME'}"
        parser.epilog = _EXAMPLE.format(command=whole)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Which items, to whom, and why."""
        super().add_arguments(parser)
        if not self.import_name:
            parser.add_argument("name", metavar="NAME", help="a declared import")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--items", metavar="ID,ID|@FILE", help="these, by record id or identity")
        which.add_argument("--from", dest="from_owner", metavar="A", help="all that belong to the owner A now")
        parser.add_argument(
            "--to", required=True, metavar="B", help="their owner from now on; `source`: as it names him"
        )
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with each item")
        parser.add_argument("--rekey", action="store_true", help="move the files to the new owner's keys too")
        parser.add_argument("--by", metavar="WHO", default="", help="who decides (default: your account's name)")
        parser.add_argument("--dry-run", action="store_true", help="say what would change; change nothing")

    def work(self, **options: Any) -> int:
        """Decide and carry it out under the source's lock; a dry run needs none."""
        importer = get_import(self.import_name or options["name"])
        if not options["reason"].strip() and not options["dry_run"]:
            raise UsageError("files change their owner for a reason", remedy='Say it: --reason "the wrong patient".')
        with nullcontext() if options["dry_run"] else source_lock(importer.name):
            decision = self._decide(importer, options)
            if not options["dry_run"]:
                self._carry_out(importer, decision)
        if options["json"]:
            self.print_json(as_json(decision))
        else:
            for line in said(importer, decision):
                self.say(line)
        return decision.exit_code

    def _decide(self, importer: ContainerImport, options: dict[str, Any]) -> d.Decision:
        back = options["to"].strip().lower() == SOURCE
        to = None if back else owner_named(importer, options["to"])
        items = self._items(importer, options, to)
        decision = d.decide(importer, items, to, options["reason"].strip(), options["by"] or me())
        decision.dry_run = options["dry_run"]
        if options["rekey"]:
            d.plan_moves(importer, decision)
        return decision

    def _items(self, importer: ContainerImport, options: dict[str, Any], to: Named | None) -> list[Item]:
        if options["from_owner"] is None:
            return items_named(importer, ids_of([options["items"]]))
        items, origin = items_of(importer, options["from_owner"])
        if origin is not None and to is not None and origin.pk == to.pk:
            raise UsageError(f"--from and --to are both {to}", remedy="Name two owners.")
        if not items and not options["rekey"]:
            raise UsageError(f"{importer.name}: nothing belongs to {origin}; nothing was changed")
        return items

    def _carry_out(self, importer: ContainerImport, decision: d.Decision) -> None:
        rig = self.rigging
        source = Source.objects.filter(name=importer.name).first()
        if not decision.rekey and (source is None or not under_way(source).exists()):
            d.reassign(importer, decision, None, rig.clock())
            return
        store = rig.store()
        try:
            store.probe().check()
            d.reassign(importer, decision, store, rig.clock())
        finally:
            store.close()


def as_json(decision: d.Decision) -> dict[str, Any]:
    """JSON types; `key` is where the file lies now, `was` where it lay before it was moved."""
    to = decision.to
    return {
        "source": decision.source,
        "outcome": "done" if decision.exit_code == 0 else "failed",
        "dry_run": decision.dry_run,
        "to": {"pk": to.pk, "id": to.id or None} if to is not None else SOURCE,
        "by": decision.by,
        "counts": dict(sorted(decision.counts.items())),
        "moved_files": sum(bool(fate.move and fate.move.pairs and not fate.move.problem) for fate in decision.fates),
        "items": [_fate_json(fate, dry_run=decision.dry_run) for fate in decision.fates],
        "exit": decision.exit_code,
    }


def _fate_json(fate: d.Fate, *, dry_run: bool) -> dict[str, Any]:
    item, move = fate.item, fate.move
    moved = move is not None and bool(move.pairs) and not move.problem
    return {
        "record": item.record_id,
        "slot": item.slot or None,
        "what": fate.what,
        "from": fate.origin or None,
        "to": fate.to or None,
        "state": item.state,
        "key": (move.new[0] if moved and move is not None else item.key) or None,
        "was": move.old[0] if moved and move is not None else None,
        "problem": (move.problem if move is not None else "") or None,
        **({"would": True} if dry_run else {}),
    }


def said(importer: ContainerImport, decision: d.Decision) -> list[str]:
    """The whole answer, line by line."""
    noun, dry, to = noun_of(importer), decision.dry_run, decision.to
    whose = f"to {to}" if to is not None else "back to whom FileMaker names"
    done = decision.of(d.MOVED, d.LINKED, d.PINNED) if to is not None else decision.of(d.RETURNED)
    verb = "would go" if dry else "went"
    lines = [f"{format_count(len(done))} of {plural(len(decision.fates), importer.noun)} {verb} {whose}."]
    lines += [f"  {line}" for line in _by_origin(decision, noun)]
    for what, text in _LEFT.items():
        if fates := decision.of(what):
            ids = ", ".join(fate.item.record_id for fate in fates[:10]) + (", ..." if len(fates) > 10 else "")
            lines.append(f"  {format_count(len(fates))} {text.format(noun=noun)} (record {ids}).")
    lines += _keys_said(importer, decision)
    if to is not None and done and not dry:
        ids = ",".join(dict.fromkeys(fate.item.record_id for fate in done[:8]))
        ids = ids if len(done) <= 8 else f"{ids},..."
        lines += ["No later import or relink undoes this. To give them back to what FileMaker says:"]
        lines += [f"  {_typed(importer)} --items {shlex.quote(ids)} --to source --reason TEXT"]
    if decision.of(d.ROW_MISSING):
        first = decision.of(d.ROW_MISSING)[0].item.record_id
        lines += ["To have a missing row written anew:"]
        lines += [f"  {MANAGE} filemaker_resolve {importer.name} {shlex.quote(first)} --row"]
    return lines


#: What is said of items that did not simply go over.
_LEFT = {
    d.WAITS: "without a row yet: chosen for what comes",
    d.SAME: "as it was",
    d.NOBODY: "whose {noun} FileMaker names is not here or not certain: it stays where it is",
    d.ROW_MISSING: "without its row, which was deleted: the choice is kept",
}


def _by_origin(decision: d.Decision, noun: str) -> list[str]:
    counts: dict[str, int] = {}
    for fate in decision.of(d.MOVED, d.LINKED, d.RETURNED):
        counts[fate.origin] = counts.get(fate.origin, 0) + 1
    lines = [f"{format_count(count)} from {noun} {origin}" for origin, count in counts.items() if origin]
    if counts.get(""):
        lines.append(f"{format_count(counts[''])} had no {noun}")
    if pinned := decision.of(d.PINNED):
        lines.append(f"{format_count(len(pinned))} already there, from now on by this choice")
    damaged = sum(fate.item.state == "quarantined" for fate in decision.of(d.MOVED, d.LINKED, d.RETURNED, d.PINNED))
    return [*lines, f"{format_count(damaged)} of them damaged, still quarantined"] if damaged else lines


def _keys_said(importer: ContainerImport, decision: d.Decision) -> list[str]:
    """What became of the files' places in the store."""
    dry = decision.dry_run
    if not decision.rekey:
        stay = [f for f in decision.of(d.MOVED, d.LINKED, d.RETURNED) if f.item.key and f.item.state in d.HAVE_FILE]
        if not stay or "{owner}" not in importer.key:
            return []
        return ["Their files stay under the keys that they have, with the old owner's id; --rekey moves them:"] + [
            f"  {fate.item.key}" for fate in stay[:3]
        ]
    moved = [fate.move for fate in decision.fates if fate.move and fate.move.pairs and not fate.move.problem]
    lines = []
    if moved:
        verb = "would be moved" if dry else "moved: copied, read again, the old ones deleted"
        lines = [f"{plural(len(moved), ('file', 'files'))} {verb}:"]
        lines += [f"  {move.old[0]}\n    -> {move.new[0]}" for move in moved[:3]]
    else:
        lines = ["No file had to move."]
    older = sum(any(n.startswith("earlier version: ") for n in move.item.notes) for move in moved)
    if older:
        lines.append(f"  Earlier versions of {plural(older, importer.noun)} stay where they are.")
    for move in decision.stuck:
        lines.append(f"  record {move.item.record_id} stays where it is: {move.problem}.")
    if decision.stuck:
        lines.append(f"  What is wrong with them, and what to do:  {MANAGE} filemaker_verify {importer.name} --read")
    return lines


def _typed(importer: ContainerImport) -> str:
    return existing("reassign_filemaker", importer.name)


__all__ = ["ReassignCommand", "as_json", "said"]
