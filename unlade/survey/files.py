"""The survey of one or several database files on our own disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from unlade.consent import agree, is_database
from unlade.errors import UsageError
from unlade.fmp12 import open_file
from unlade.survey.file import as_found, survey
from unlade.survey.values import SurveyFound


def survey_files(paths: Sequence[Path], *, yes: bool, now: datetime) -> SurveyFound:
    """Look at all of these files, and at those in folders among them, as one solution.

    Raises `DatabaseFileError`, `UsageError`, `Interrupted`.
    """
    with ExitStack() as stack:
        found = []
        for path in _files(paths):
            database = stack.enter_context(open_file(path))
            agree(path, yes=yes)
            found.append(survey(database))
        return as_found(found, now)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"--from {path}: there is nothing there", remedy="Name a .fmp12 file.")
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        databases = [one for one in inside if is_database(one)]
        if not databases and path.is_dir():
            raise UsageError(
                f"--from {path}: no database file lies there",
                remedy="An export folder holds what was exported and cannot tell what was not: survey the host, or a "
                ".fmp12 file.",
            )
        files += databases or [path]
    return list(dict.fromkeys(file.resolve() for file in files))
