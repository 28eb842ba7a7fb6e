"""One finding of the doctor, and the runner that keeps one check's failure from stopping the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from unlade.errors import NotNow, UnladeError

log = logging.getLogger(__name__)

_SKIPPED = "skipped:"

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Line:
    """What one look at one thing came to. `topic` is a few letters, `remedy` what to do ("" when all is well)."""

    level: Level
    topic: str
    message: str
    remedy: str = ""

    @property
    def skipped(self) -> bool:
        """Nothing was looked at, because something before it is wrong."""
        return self.message.startswith(_SKIPPED)


@dataclass
class Examination:
    """Runs checks one after the other and collects their lines."""

    lines: list[Line] = field(default_factory=list)
    _failed: set[str] = field(default_factory=set)

    def check(self, topic: str, look: Callable[[], Iterable[Line]], *, needs: Sequence[str] = ()) -> bool:
        """Run `look` unless a topic that it needs has failed; True when nothing was wrong enough to fail this topic.

        What `look` found before it broke is kept.
        """
        missing = next((need for need in needs if need in self._failed), None)
        if missing is not None:
            self.lines.append(Line("warning", topic, f"{_SKIPPED} it needs {missing}"))
            self._failed.add(topic)
            return False
        start = len(self.lines)
        try:
            for line in look():
                self.lines.append(line)
        except UnladeError as error:
            self.lines.append(line_of(topic, error))
            self._failed.add(topic)
        except Exception as error:
            log.debug("the check of %s broke", topic, exc_info=True)
            self.lines.append(
                Line("error", topic, f"this could not be checked: {type(error).__name__}: {_first(error)}")
            )
            self._failed.add(topic)
        if any(line.level == "error" for line in self.lines[start:]):
            self._failed.add(topic)
        return topic not in self._failed


def line_of(topic: str, error: UnladeError) -> Line:
    """An error as a line. That now is not the time is no defect."""
    return Line("warning" if isinstance(error, NotNow) else "error", topic, str(error), error.remedy)


def exit_code(lines: Iterable[Line]) -> int:
    """1 when anything is wrong, else 0 (CONTRACT A3)."""
    return int(any(line.level == "error" for line in lines))


def as_json(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Plain values."""
    return [
        {"level": line.level, "topic": line.topic, "message": line.message, "remedy": line.remedy or None}
        for line in lines
    ]


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]
