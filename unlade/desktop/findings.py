"""The report of an export, row by row: what was matched, and everything that does not fit. CSV or JSON."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path

from unlade.desktop.catalogue import Catalogue, Finding
from unlade.errors import UsageError

_COLUMNS = [field.name for field in fields(Finding)]
#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Report:
    """How much a report holds, by kind."""

    counts: dict[str, int]


def write_report(catalogue: Catalogue, path: Path) -> Report:
    """Write everything into `path`: JSON when its name ends so, else CSV. Raises `UsageError` when that fails."""
    return write_findings(chain(catalogue.findings(), catalogue.matched()), path)


def write_findings(findings: Iterator[Finding], path: Path) -> Report:
    """Write `findings` as they come. Ids and paths only: it holds no field values, but paths name owners."""
    counts: Counter[str] = Counter()
    try:
        with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            path.chmod(0o600)
            if path.suffix.lower() == ".json":
                file.write('{"findings": [')
                for number, finding in enumerate(findings):
                    counts[finding.what] += 1
                    file.write((",\n" if number else "\n") + json.dumps(asdict(finding), ensure_ascii=False))
                file.write('\n], "counts": ' + json.dumps(dict(counts)) + "}\n")
            else:
                writer = csv.writer(file)
                writer.writerow(_COLUMNS)
                for finding in findings:
                    counts[finding.what] += 1
                    writer.writerow([_safe(getattr(finding, name)) for name in _COLUMNS])
    except OSError as error:
        raise UsageError(f"--report {path} cannot be written: {error.strerror or type(error).__name__}") from error
    return Report(dict(counts))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
