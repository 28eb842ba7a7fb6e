"""What a file's path tells of its record: our script's names, the plain tree, record ids, UUIDs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from unlade.desktop.read.dates import Order, readings

_OURS = re.compile(r"(?P<stem>.*)~(?P<rid>\d+)-(?P<field>\d+)-(?P<rep>\d+)", re.ASCII | re.DOTALL)
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?", re.ASCII)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}\Z", re.ASCII)
_FOLDER_DAY = re.compile(r"\d{1,4}[-_.]\d{1,2}[-_.]\d{1,4}", re.ASCII)
_MISSING = {"no-owner", "no-date", "no-identity"}


class Form(StrEnum):
    """How a file is named. More than one may fit (`6066.jpg` in a tree): the most telling one is given."""

    EXPORT = "export"  #: by our script: owner/date/identity~record-field-repetition.ext
    TREE = "tree"  #: owner/date/identity.ext
    RECORD = "record"  #: 6066.jpg: a record id, or an identity that is a number
    UUID = "uuid"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FileName:
    """`day_text` is the date folder's name; `day` None when it has two readings and no order was given.

    In names of our script `owner`, `day_text` and `identity` may be shortened or respelt: the manifest has the truth.
    """

    form: Form
    identity: str
    extension: str
    owner: str = ""
    day_text: str = ""
    day: date | None = None
    record_id: str = ""
    field_number: int = 0  #: place in the declaration, from 1; 0 when the name does not tell
    repetition: int = 1


def read_name(path: str, order: Order | None = None) -> FileName:
    """What the relative path of a file (parts joined by `/`) tells."""
    *folders, last = path.split("/")
    match = _EXTENSION.search(last)
    extension = match[0].lower() if match and match.start() > 0 else ""
    stem = last[: match.start()] if match and extension else last
    owner, day_text, day = _folders(folders, order)
    if ours := _OURS.fullmatch(stem):
        return FileName(
            form=Form.EXPORT,
            identity=_known(ours["stem"]),
            extension=extension,
            owner=_known(owner),
            day_text=_known(day_text),
            day=day,
            record_id=ours["rid"],
            field_number=int(ours["field"]),
            repetition=int(ours["rep"]),
        )
    form = _form(stem)
    if day_text:
        form = Form.TREE
    return FileName(form, stem, extension, _known(owner), _known(day_text), day, stem if form is Form.RECORD else "")


def _form(stem: str) -> Form:
    if stem.isascii() and stem.isdigit():
        return Form.RECORD
    return Form.UUID if _UUID.fullmatch(stem) else Form.OTHER


def _folders(folders: list[str], order: Order | None) -> tuple[str, str, date | None]:
    """Owner and day from the last two folders: the second must look like a day, or say that there is none."""
    return _owner_and_day(folders[-2], folders[-1], order) if len(folders) > 1 else ("", "", None)


@lru_cache(maxsize=1000)
def _owner_and_day(owner: str, text: str, order: Order | None) -> tuple[str, str, date | None]:
    if text == "no-date":
        return owner, text, None
    if not _FOLDER_DAY.fullmatch(text):
        return "", "", None
    reading = readings(text.replace("_", "/"))
    if reading.day is not None:
        return owner, text, reading.day
    if reading.month_first is None and reading.day_first is None:
        return "", "", None
    if order is not None:
        return owner, text, reading.month_first if order == "mdy" else reading.day_first
    return owner, text, None if reading.ambiguous else reading.month_first or reading.day_first


def _known(text: str) -> str:
    return "" if text in _MISSING else text
