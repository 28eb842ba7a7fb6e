"""For the tests of what comes after a run: the ports of whole runs, and commands without any FileMaker."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from tests.voyage.harness import Port

Command = Callable[..., tuple[int, str]]


def without_filemaker(port: Port, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command(*words)` runs a command against the port's database and store; gives exit code and standard output."""
    for name, value in port.settings().items():
        if name.startswith("FILEMAKER_"):
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    def command(*words: str) -> tuple[int, str]:
        out, code = io.StringIO(), 0
        try:
            call_command(*words, stdout=out, stderr=io.StringIO())
        except SystemExit as end:
            code = int(end.code or 0)
        return code, out.getvalue()

    return command


def as_json(answer: tuple[int, str]) -> dict[str, Any]:
    """The JSON object of an answer; its exit code is the command's."""
    code, out = answer
    data: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    assert data["exit"] == code
    return data
