"""What installing and removing are made of. A list of steps is shown, or done: it is the same list."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """A folder for its owner alone."""

    path: str


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file of ours; what stands there and is not ours is never overwritten."""

    path: str
    text: str
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """A file of ours goes; one that is not ours, or not there, is left."""

    path: str


@dataclass(frozen=True, slots=True)
class Run:
    """A program of the scheduler. `optional`: that it fails is no failure (there was nothing to take away)."""

    command: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EditCrontab:
    """The block of `ident` in the account's crontab becomes `lines`; without lines it goes."""

    ident: str
    lines: tuple[str, ...] = ()


Step = MakeFolder | WriteFile | DeleteFile | Run | EditCrontab


def shown(step: Step) -> list[str]:
    """A step as a person reads it before agreeing."""
    match step:
        case MakeFolder(path):
            return [f"make the folder {path}"]
        case WriteFile(path, text):
            return [f"write {path}", *(f"    {line}" for line in text.rstrip().splitlines())]
        case DeleteFile(path):
            return [f"remove {path}"]
        case Run(command):
            return [f"run {shlex.join(command)}"]
        case EditCrontab(ident, lines) if lines:
            return ["put into the crontab", *(f"    {line}" for line in lines)]
        case EditCrontab(ident):
            return [f"take {ident} out of the crontab"]


def as_json(step: Step) -> dict[str, object]:
    """A step for programs."""
    values = {name: getattr(step, name) for name in step.__slots__}
    return {"do": type(step).__name__, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}
