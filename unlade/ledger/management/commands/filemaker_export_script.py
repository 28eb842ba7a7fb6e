"""`filemaker_export_script NAME`: the FileMaker script that exports an import's files, and its way into FileMaker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.desktop.script import ExportPlan, ScriptBundle, compare_scripts, copy_snippet, make_bundle, plan_export
from unlade.desktop.script.clipboard import paste_snippet, read_snippet
from unlade.errors import SettingsError, UsageError
from unlade.importer import ContainerImport, get_import


class Command(UnladeCommand):
    help = "Writes the FileMaker script that exports the files of a declared import. Asks no host, changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="which declared import the script is for")
        parser.add_argument("--layout", default="", help="the layout to read in FileMaker (default: as declared)")
        parser.add_argument("--table", default="", help="table occurrence of the layout; needed for export-field")
        parser.add_argument(
            "--variant",
            choices=["data-file", "export-field"],
            default="data-file",
            help="data-file: FileMaker 19 or newer, Pro or Server; export-field: Pro only, any version and size",
        )
        parser.add_argument("--all-fields", action="store_true", help="export every container, not only the best one")
        parser.add_argument("--also", action="append", default=[], metavar="FIELD", help="put FIELD into the manifest")
        parser.add_argument(
            "--field-id", action="append", default=[], metavar="FIELD=ID", help="FileMaker's id of a container field"
        )
        parser.add_argument("--for-version", type=int, default=19, metavar="N", help="oldest FileMaker to run it (19)")
        parser.add_argument("--to", type=Path, default=None, metavar="DIR", help="where to write (export-NAME)")
        parser.add_argument("--copy", action="store_true", help="put it on the clipboard for FileMaker")
        parser.add_argument("--steps", action="store_true", help="with --copy: the steps alone, not the whole script")
        parser.add_argument(
            "--compare", metavar="FILE", help="compare a script copied back from FileMaker (- for the clipboard)"
        )

    def work(self, **options: Any) -> int:
        bundle = make_bundle(plan_for(get_import(options["name"]), options))
        if options["compare"]:
            return self.compare(bundle, options)
        folder = options["to"] or Path(f"export-{bundle.plan.name}")
        names = write_files(bundle, folder)
        pasted = ""
        if options["copy"]:
            steps = options["steps"]
            pasted = copy_snippet("steps" if steps else "script", bundle.steps_xml if steps else bundle.script_xml)
        if options["json"]:
            self.print_json(
                {"outcome": "done", "folder": str(folder), "files": names, "copied": bool(pasted), "exit": 0}
            )
            return 0
        self.say(f"{len(bundle.steps)} steps written to {folder}: {', '.join(names)}.")
        if pasted:
            self.say(f"It is on the clipboard: paste it into {pasted}.")
        self.say(f"What to do with it: {folder / names[-1]}")
        return 0

    def compare(self, bundle: ScriptBundle, options: dict[str, Any]) -> int:
        """Show what FileMaker made of the script; 1 when that is another one."""
        copied = paste_snippet() if options["compare"] == "-" else read_snippet(_read(Path(options["compare"])))
        comparison = compare_scripts(bundle.script_xml, copied)
        code = 0 if comparison.same else 1
        if options["json"]:
            lines = [str(difference) for difference in comparison.differences]
            outcome = "done" if comparison.same else "failed"
            self.print_json({"outcome": outcome, "differences": lines, "notes": list(comparison.notes), "exit": code})
            return code
        for note in comparison.notes:
            self.say(f"note: {note}")
        for difference in comparison.differences:
            self.say(str(difference))
        if comparison.same:
            self.say("FileMaker's script means the same as the generated one.")
        else:
            self.say(f"{len(comparison.differences)} differences. Mend them in FileMaker, copy and compare again.")
        return code


def plan_for(importer: ContainerImport, options: dict[str, Any]) -> ExportPlan:
    """The plan of a declaration's export."""
    more = importer.owner.fields[1:] if importer.owner else ()
    extras = [*more, importer.size_field, importer.digest_field, *options["also"]]
    return plan_export(
        importer.name,
        layout=options["layout"] or importer.layout,
        identity=importer.identity,
        containers=list(importer.containers),
        owner=importer.owner.fields[0] if importer.owner else "",
        date=importer.taken_on.field if importer.taken_on else "",
        category=importer.category,
        original_name=importer.original_name,
        extras=[name for name in dict.fromkeys(extras) if name],
        all_fields=options["all_fields"] or importer.each,
        variant=options["variant"],
        table=options["table"],
        field_ids=_field_ids(options["field_id"], importer),
        for_version=options["for_version"],
    )


def _field_ids(pairs: list[str], importer: ContainerImport) -> dict[str, int]:
    found = {}
    bare = {name.partition("(")[0] for name in importer.containers}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if name not in bare or not number.isdecimal():
            raise UsageError(f"--field-id {pair}: give a declared container field and its number, photo=12")
        found[name] = int(number)
    return found


def write_files(bundle: ScriptBundle, folder: Path) -> list[str]:
    """Write the bundle's files; returns their names. Raises `SettingsError` when that is not possible."""
    files = bundle.files()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}") from error
    return list(files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
