"""Every error that unlade raises on purpose.

    UnladeError                      shown to the user as one message, never as a traceback
      SettingsError                  a setting is missing or wrong; exit 1
      UsageError                     wrong options; exit 2
      SourceError                    the source could not be read; the run has failed; exit 1
        SignInRefused                wrong account or password, account locked, not licensed: no further login (FileMaker 212)
          PersonNeeded               the Claris ID wants a person at a terminal: a code, or a sign-in anew
        PrivilegeMissing             the account may not do this
        LayoutMissing, FieldMissing  the declaration names something the source does not have
        ProtocolError                an answer that makes no sense
      StoreError                     the store could not be read or written; exit 1
        StoreRefused                 final until somebody acts (permission, credentials, bucket)
        StoreBusy                    may work later (out of order, time-out)
            StoreSlow                it answers, but asks for a pause (503 SlowDown, 429)
      NotNow                         exit 75; `retry_at` says when
        HostResting                  the breaker is open
        AllowanceSpent               a limit of the allowance, or the host itself (FileMaker 953), says stop
        LimitReached                 a cap that was asked for this run is full (exit 0, outcome `limit`)
        LockedElsewhere              another process holds the source's lock
      CountDiffers                   the source has another number of records than it should; exit 1
      NotFinal                       the last pass found something new, edited or open; exit 1
      Interrupted                    Ctrl-C or SIGTERM; exit 130
      ItemError                      concerns one item; the run goes on
        Final                        asking again will not help
          Missing                    the host says that the file is not there
          ReferenceOnly              FileMaker stores only a path
          NotAFile                   an HTML or JSON body, or zero bytes, twice
          Unreadable                 the container's value is no link
          RecordGone                 the record is no longer in the source
          KeyCollision               another identity holds the key
          MarkRefused                the exported marker cannot be written into this record
          BadKey                     no key can be made from the record's values
        Transient                    may work later; the whole item waits
          StaleLink                  the link has died; read the record again
          Truncated                  the body ended early
          HostTrouble                counts for the breaker: GatewayError (502/503/504), ConnectionBroken (reset, refused), HostTimeout
          HostBusy                   FileMaker 812 or 429: wait and ask less at a time
          Unauthorised               401 that a new login does not cure
          OwnNetworkDown             our side: sleep, no route, no name server; counts for nothing

Messages say what happened, to which record, and what to do. They never hold field values, links, tokens or passwords.
"""

from __future__ import annotations

from datetime import datetime

from unlade.cargo import Wire


class UnladeError(Exception):
    """Base of all errors that unlade raises on purpose.

    `remedy` is a sentence that tells the user what to do, "" when there is nothing to say. `wire` is what had come over
    the wire when it happened, where that is known.
    """

    exit_code = 1
    wire: Wire = Wire()

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        self.remedy = remedy


class SettingsError(UnladeError):
    """A setting is missing or wrong."""


class UsageError(UnladeError):
    """The command was called with options that do not fit together."""

    exit_code = 2


class SourceError(UnladeError):
    """The source could not be read.

    `code` is the FileMaker error code as the host sent it, `status` the HTTP status; None where there was none.
    """

    def __init__(self, message: str = "", *, remedy: str = "", code: str | None = None, status: int | None = None):
        super().__init__(message, remedy=remedy)
        self.code = code
        self.status = status


class SignInRefused(SourceError):
    """The host does not accept this account or password."""


class PersonNeeded(SignInRefused):
    """The Claris ID wants a person at a terminal."""


class PrivilegeMissing(SourceError):
    """The account lacks a privilege that this needs."""


class LayoutMissing(SourceError):
    """The layout does not exist, or this account cannot see it."""


class FieldMissing(SourceError):
    """A declared field is not on the layout."""


class ProtocolError(SourceError):
    """The host's answer makes no sense."""


class StoreError(UnladeError):
    """The store could not be read or written."""


class StoreRefused(StoreError):
    """The store refuses until somebody acts."""


class StoreBusy(StoreError):
    """The store cannot take this now."""


class StoreSlow(StoreBusy):
    """The store is there and asks for a pause."""


class NotNow(UnladeError):
    """Not now; try again later."""

    exit_code = 75

    def __init__(self, message: str = "", *, remedy: str = "", retry_at: datetime | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_at = retry_at


class HostResting(NotNow):
    """The host needs rest; the pause is remembered."""


class AllowanceSpent(NotNow):
    """What may be transferred is used up.

    `by_host`: the host itself said so (FileMaker 953), not our own books; then the breaker remembers it.
    """

    def __init__(
        self, message: str = "", *, remedy: str = "", retry_at: datetime | None = None, by_host: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy, retry_at=retry_at)
        self.by_host = by_host


class LimitReached(NotNow):
    """A limit that was asked for this run is reached."""

    exit_code = 0


class LockedElsewhere(NotNow):
    """Another process works on this source."""


class CountDiffers(UnladeError):
    """The source has another number of records than it should have."""


class NotFinal(UnladeError):
    """Something is still new, edited or open."""


class Interrupted(UnladeError):
    """Interrupted; run the same command again to go on."""

    exit_code = 130


class ItemError(UnladeError):
    """Concerns one item; `reason` is the short code that the ledger and the reports use.

    `wire` is what had come over the wire when it happened. `code` and `status` as in `SourceError`.
    """

    reason = "error"

    def __init__(
        self,
        message: str = "",
        *,
        remedy: str = "",
        wire: Wire | None = None,
        code: str | None = None,
        status: int | None = None,
    ):
        super().__init__(message, remedy=remedy)
        self.wire = wire or Wire()
        self.code = code
        self.status = status


class Final(ItemError):
    """Asking again will not help."""


class Missing(Final):
    """The host says that the file is not there."""

    reason = "missing"


class ReferenceOnly(Final):
    """FileMaker stores only a path to this file, not the file."""

    reason = "reference_only"


class NotAFile(Final):
    """The host sent a page or nothing where a file should be."""

    reason = "not_a_file"


class Unreadable(Final):
    """The container's value is no link that can be opened."""

    reason = "unreadable"


class RecordGone(Final):
    """The record is no longer in the source."""

    reason = "record_gone"


class KeyCollision(Final):
    """Another item's object holds this key."""

    reason = "key_collision"


class BadKey(Final):
    """No object key can be made from this record's values."""

    reason = "bad_key"


class MarkRefused(Final):
    """The exported marker cannot be written into this record."""

    reason = "mark_refused"


class Transient(ItemError):
    """May work later."""

    reason = "transient"


class StaleLink(Transient):
    """The link has died; the record must be read again for a fresh one.

    `status` 404 may also mean that the file is missing: only a fresh link can tell.
    """

    reason = "stale_link"


class Truncated(Transient):
    """The body ended before its Content-Length."""

    reason = "truncated"


class HostTrouble(Transient):
    """The host struggles; counts for the breaker."""

    reason = "host_trouble"

    def __init__(
        self,
        message: str = "",
        *,
        remedy: str = "",
        wire: Wire | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ):
        super().__init__(message, remedy=remedy, wire=wire, code=code, status=status)
        self.retry_after = retry_after  #: seconds, when the host named them


class GatewayError(HostTrouble):
    """The web server in front of FileMaker cannot reach it (502, 503, 504)."""

    reason = "gateway"


class ConnectionBroken(HostTrouble):
    """The connection was refused or broke."""

    reason = "connection"


class HostTimeout(HostTrouble):
    """The host did not answer in time."""

    reason = "timeout"


class HostBusy(HostTrouble):
    """The host has no place for another session or request now (FileMaker 812, HTTP 429)."""

    reason = "busy"


class Unauthorised(Transient):
    """The host refuses the request although the session is new."""

    reason = "unauthorised"


class OwnNetworkDown(Transient):
    """Our own network is down, or this machine slept; nothing is held against the host."""

    reason = "own_network"
