"""Errors of reading a database file; every one carries what to do next.

    SourceError
      DatabaseFileError      the file cannot be read at all
        NotFileMaker         something else, or a FileMaker file of before version 7
        EncryptedFile        encrypted at rest
        CutShort             its size is not what it says itself
        DamagedFile          a page breaks the format's rules; `page` says which
    Final (one container value; the run goes on)
      DamagedObject          its bytes do not fit the MD5 that the file keeps of them, or its parts do not fit together
      ObjectLost             the record names an object that the file does not hold
      SecureStorage          kept outside the file, encrypted by FileMaker
    Missing
      OutsideMissing         kept outside the file in open storage, and not found there, or changed since

`ReferenceOnly` and `Unreadable` of `unlade.errors` are used as they are. Remedies: FMP12.md 8.
"""

from __future__ import annotations

from unlade.errors import Final, Missing, SourceError

COPY = (
    "Open the file in FileMaker Pro as its owner and choose File > Save a Copy As > self-contained copy, or run "
    "FMDeveloperTool --copySelfContained FILE ACCOUNT PASSWORD -t TARGET, and read that copy."
)
DECRYPT = (
    "Remove the encryption first, on a closed copy: FMDeveloperTool --removeEncryption FILE ACCOUNT PASSWORD -t TARGET "
    "-e KEY, or FileMaker Pro, Tools > Developer Utilities. FileMaker Cloud shows the key (the encryption password) in "
    "its console. Then save a self-contained copy of the result and read that."
)
CLOSE = (
    "Close the file in FileMaker Pro or on the server (or take a server's backup copy) and read that; never copy a "
    "file that is being hosted."
)
RECOVER = (
    "Open a copy in FileMaker Pro with File > Recover, or save a compacted copy, and read that; or read on with "
    "salvage, which says what is lost."
)
FETCH_AGAIN = "Copy or download the file again and compare sizes; or read what is there with salvage."


class DatabaseFileError(SourceError):
    """The database file cannot be read."""


class NotFileMaker(DatabaseFileError):
    """This is not a FileMaker database of version 7 or later."""


class EncryptedFile(DatabaseFileError):
    """The database file is encrypted."""


class CutShort(DatabaseFileError):
    """The file does not have the size that it should have by its own word."""


class DamagedFile(DatabaseFileError):
    """A page of the file breaks the format's rules.

    `page` counts from 0 (a page is 4096 bytes), `why` is the rule.
    """

    def __init__(self, page: int, why: str) -> None:
        super().__init__(f"The file is damaged at page {page} (byte {page * 4096}): {why}.", remedy=RECOVER)
        self.page = page
        self.why = why


class DamagedObject(Final):
    """The bytes in the file are not the bytes that were put into the container."""

    reason = "damaged"


class ObjectLost(Missing):
    """The record names a container object that the file does not hold."""

    reason = "object_lost"


class OutsideMissing(Missing):
    """The file that belongs to this container is not where the database says."""

    reason = "outside_missing"


class SecureStorage(Final):
    """The file that belongs to this container is in secure storage, which only FileMaker can read."""

    reason = "secure_storage"
