"""docs/adopt.md as a list of things to do, and the project that they are done to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adopt.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?:<!-- (is in|add to|write) (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """`what` is `is in`, `add to` or `write` with a `path`, or `run` for commands."""

    what: str
    path: str
    text: str


def blocks() -> list[Block]:
    """Every code block of the page, in order."""
    return [Block(what or "run", path or "", text) for what, path, _, text in _BLOCK.findall(PAGE)]


@dataclass
class Project:
    """The example project in a folder of its own. `environ` goes before its `.env`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, folder: Path) -> Project:
        """As it is before it knows of unlade."""
        shutil.copytree(Path(__file__).with_name("project"), folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "gallery" / "imports.py").unlink()
        return cls(folder)

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`python manage.py ...` in a process of its own, to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FILEMAKER_", "UNLADE_"))}
        kept.pop("DJANGO_SETTINGS_MODULE", None)
        environ = {**kept, **self.environ, **(env or {}), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=240)

    def done(self, *arguments: str, code: int = 0) -> str:
        """The same; its output. It must end with `code`."""
        ended = self.manage(*arguments)
        assert ended.returncode == code, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def ask(self, program: str) -> str:
        """What a program prints that knows the project's models."""
        return self.done("shell", "--no-imports", "-c", program).strip()

    def write(self, path: str, text: str) -> None:
        """A file of the project, with the packages that it lies in."""
        target = self.folder / path
        for parent in reversed(target.relative_to(self.folder).parents[:-1]):
            (self.folder / parent).mkdir(exist_ok=True)
            if target.suffix == ".py":
                (self.folder / parent / "__init__.py").touch()
        target.write_text(text, encoding="utf-8")
