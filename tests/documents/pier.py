"""A simulated clinic, a database and a store for runs of any declared import in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from fmsim import Simulator
from tests.voyage.harness import SharedDecoders
from unlade.commands import UnladeCommand
from unlade.importer import get_import
from unlade.importing import run_import
from unlade.ledger.management.commands.import_filemaker_all import Command as ImportAll
from unlade.ledger.models import Item
from unlade.media import DecoderPool
from unlade.options import RunOptions
from unlade.progress import QuietReporter
from unlade.report.runs import run_json
from unlade.rigging import Rigging
from unlade.settings import Settings
from unlade.store import Store, open_store


@dataclass
class Pier:
    """`environ` are settings that hold for all runs."""

    sim: Simulator
    folder: Path
    pool: DecoderPool
    environ: dict[str, str] = field(default_factory=dict)

    def rigging(self) -> Rigging:
        rig = SharedDecoders(
            Settings(
                {
                    "FILEMAKER_URL": self.sim.url,
                    "FILEMAKER_DATABASE": self.sim.database,
                    "FILEMAKER_ACCOUNT": self.sim.account,
                    "FILEMAKER_PASSWORD": self.sim.password,
                    "UNLADE_STORE": (self.folder / "store").as_uri(),
                    "UNLADE_SPOOL": str(self.folder / "spool"),
                    "UNLADE_PACE": "off",
                    **self.environ,
                }
            )
        )
        rig.pool = self.pool
        return rig

    @property
    def store(self) -> Store:
        return open_store((self.folder / "store").as_uri())

    def run(self, name: str = "documents", **options: Any) -> dict[str, Any]:
        """One run of one import; CONTRACT A4's object."""
        ended = run_import(get_import(name), self.rigging(), RunOptions(**options), QuietReporter())
        return run_json(ended.books.run)

    def all(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """`import_filemaker_all --json`: its exit code and its object."""
        return self.command(ImportAll, *arguments)

    def command(self, cls: type[UnladeCommand], *arguments: str) -> tuple[int, dict[str, Any]]:
        """Any command with `--json`: its exit code and its object."""
        code, lines = self._call(cls, "--json", *arguments)
        assert len(lines) == 1, "prose does not stand beside the object"
        return code, json.loads(lines[0])

    def said(self, *arguments: str) -> str:
        """What `import_filemaker_all` tells a person."""
        return "\n".join(self._call(ImportAll, *arguments)[1])

    def _call(self, cls: type[UnladeCommand], *arguments: str) -> tuple[int, list[str]]:
        here = type("Here", (cls,), {"settings": self.rigging().settings, "rigging": self.rigging()})
        out, code = StringIO(), 0
        try:
            call_command(here(), *arguments, stdout=out, stderr=StringIO())
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, out.getvalue().splitlines()

    @staticmethod
    def items(name: str = "documents") -> dict[str, Item]:
        """Items by identity."""
        return {item.identity_key: item for item in Item.objects.filter(source__name=name)}


PierMaker = Callable[..., AbstractContextManager[Pier]]
