"""`startimport`: writes a first declaration of an import from a layout or a database file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UsageError
from unlade.importer import declared_all
from unlade.report.advice import MANAGE
from unlade.starting import Sheet, from_file, from_host, guess, guess_owner, guess_rows, module_text
from unlade.starting.models import RowsGuess, candidates
from unlade.starting.writing import import_name


class Command(UnladeCommand):
    help = (
        "Write a first declaration from a layout: containers best first, identity, owner, day, key. Asks the host for the "
        "layout's fields and ten records, nothing more. Example: startimport API_Images --app gallery --owner people.Patient"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("layout", nargs="?", default="", metavar="LAYOUT", help="the layout to read through")
        parser.add_argument("--app", default="", metavar="APP", help="write the app's module imports.py")
        parser.add_argument("--out", default="", metavar="FILE", help="write this file instead")
        parser.add_argument("--owner", default="", metavar="app.Model", help="the model whose rows the files belong to")
        parser.add_argument("--model", default="", metavar="app.Model", help="the model whose rows the files become")
        parser.add_argument(
            "--from", dest="from_path", default="", metavar="FILE.fmp12", help="look at a database file"
        )
        parser.add_argument("--table", default="", metavar="T", help="with --from: its table")
        parser.add_argument("--force", action="store_true", help="overwrite the file if there is one")

    def work(self, **options: Any) -> int:
        """Look, guess, write."""
        target = self._target(options)
        for label in (options["owner"], options["model"]):
            if label:  # before a byte is spent
                guess_rows(label, None)
        sheet = self._look(options)
        found = guess(sheet)
        owner = guess_owner(options["owner"], found.owner) if options["owner"] else None
        rows = self._rows(options, owner)
        # What --force overwrites may hold the name that is looked for.
        taken = () if options["force"] else declared_all()
        name = import_name(sheet, taken)
        origin = Path(options["from_path"]).name if options["from_path"] else f"layout {sheet.layout}"
        text = module_text(sheet, found, name=name, owner=owner, rows=rows, origin=origin)
        if target is not None:
            _write(target, text, force=bool(options["force"]))
        if options["json"]:
            self.print_json(self._as_json(sheet, name, target, text))
            return 0
        self._tell(options, name, target, text)
        return 0

    def _target(self, options: dict[str, Any]) -> Path | None:
        """Where the module goes; None: to standard output. Raises `UsageError`."""
        if options["out"]:
            target = Path(options["out"])
        elif options["app"]:
            target = Path(self._app(options["app"]).path) / "imports.py"
        else:
            return None
        if target.exists() and not options["force"]:
            raise UsageError(
                f"{target} is there already",
                remedy="Name another file with --out and bring both together, or overwrite it with --force.",
            )
        if not target.parent.is_dir():
            raise UsageError(f"{target.parent} is no folder", remedy="Make it, or name a file elsewhere.")
        return target

    def _app(self, label: str) -> Any:
        with suppress(LookupError):
            return apps.get_app_config(label)
        found = [config for config in apps.get_app_configs() if config.name == label]
        if not found:
            names = ", ".join(config.label for config in apps.get_app_configs())
            raise UsageError(f"No installed app is called {label!r}", remedy=f"Installed are: {names}.")
        return found[0]

    def _look(self, options: dict[str, Any]) -> Sheet:
        if options["from_path"]:
            return from_file(Path(options["from_path"]), options["table"], options["layout"])
        if not options["layout"]:
            raise UsageError("Name a layout", remedy="Or look at a database file with --from FILE.fmp12.")
        return from_host(options["layout"], self.rigging)

    def _rows(self, options: dict[str, Any], owner: Any) -> RowsGuess | None:
        """The model that was named; else the app's only one that files could become rows of."""
        if options["model"]:
            return guess_rows(options["model"], owner)
        fitting = candidates(self._app(options["app"]).label) if options["app"] else []
        return guess_rows(fitting[0].label, owner) if len(fitting) == 1 else None

    def _as_json(self, sheet: Sheet, name: str, target: Path | None, text: str) -> dict[str, Any]:
        return {
            "outcome": "done",
            "layout": sheet.layout,
            "table": sheet.table or None,
            "found": sheet.found,
            "name": name,
            "file": str(target) if target is not None else None,
            "text": text,
            "exit": 0,
        }

    def _tell(self, options: dict[str, Any], name: str, target: Path | None, text: str) -> None:
        if target is None:
            self.say(text.rstrip("\n"))
            return
        decide = text.count("# Decide")
        self.say(f"{target} has a first declaration, {name!r}. It says at {decide} places what to decide. Then:")
        if not options["app"] and target.name != "imports.py":
            self.say("  Declarations are found in modules called imports.py of installed apps: move it there.")
        self.say(f"  {MANAGE} check")
        if not options["from_path"]:
            self.say(f"  {MANAGE} filemaker_doctor {name}")
        source = f" --from {options['from_path']}" if options["from_path"] else ""
        self.say(f"  {MANAGE} import_filemaker {name}{source} --dry-run --limit 100")


def _write(target: Path, text: str, *, force: bool) -> None:
    try:
        with target.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{target} is there already", remedy="Overwrite it with --force.") from None
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", remedy="Name another with --out.") from None
