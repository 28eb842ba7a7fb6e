"""What the doctor says of a Claris ID's sign-in, without asking anybody: is one kept, where, and until when it is good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from unlade.doctor.lines import Line
from unlade.errors import SettingsError
from unlade.filemaker.cognito import EXTERNAL, claims_of
from unlade.filemaker.config import SIGN_IN
from unlade.report.words import clock, day
from unlade.rigging import Rigging
from unlade.signin.keeping import Head, Keeping

_TOPIC = "sign-in"
#: A sign-in that ends within this should be renewed before a long migration stands still over it.
_SOON = timedelta(days=30)


def look_at_sign_in(rig: Rigging) -> Iterator[Line]:
    """Nothing for FileMaker accounts; else what runs will sign in with."""
    settings = rig.settings
    if settings["FILEMAKER_AUTH"] != "claris-id":
        return
    if token := settings.text("FILEMAKER_CLARIS_TOKEN"):
        yield _ready_token(token, rig)
        return
    keeping = rig.keeping()
    kept, head = rig.kept_sign_in(), keeping.head()
    if kept is not None and head is not None:
        yield from _kept(head, keeping, rig)
        return
    if head is not None:
        yield Line(
            "warning",
            _TOPIC,
            f"the kept sign-in is of {head.account}, which FILEMAKER_ACCOUNT or UNLADE_CLARIS_POOL does not name",
            SIGN_IN,
        )
    if settings.text("FILEMAKER_PASSWORD"):
        yield Line("ok", _TOPIC, "none is kept; each run signs in with FILEMAKER_PASSWORD (no two-step verification)")
    elif head is None:
        yield Line("error", _TOPIC, "nobody has signed in with a Claris ID yet", SIGN_IN)


def _ready_token(token: str, rig: Rigging) -> Line:
    claims = claims_of(token)
    if claims.get("identities"):
        return Line("error", _TOPIC, "FILEMAKER_CLARIS_TOKEN is of an external identity provider", EXTERNAL)
    try:
        ends = datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return Line("ok", _TOPIC, "FILEMAKER_CLARIS_TOKEN is used; until when it is good cannot be read from it")
    now = rig.clock()
    when = clock(ends, now, rig.zone())
    if ends <= now:
        return Line(
            "error", _TOPIC, f"FILEMAKER_CLARIS_TOKEN ended at {when}", f"Get a new one, or take it out. {SIGN_IN}"
        )
    return Line("ok", _TOPIC, f"FILEMAKER_CLARIS_TOKEN is used, good until {when}; nothing here can renew it")


def _kept(head: Head, keeping: Keeping, rig: Rigging) -> Iterator[Line]:
    now = rig.clock()
    try:
        keeping.load()
    except SettingsError as error:
        yield Line("error", _TOPIC, str(error), error.remedy)
        return
    if head.over:
        when = f" ({clock(head.over_at, now, rig.zone())})" if head.over_at else ""
        yield Line("error", _TOPIC, f"that of {head.account} {head.over}{when}", SIGN_IN)
        return
    until = day(head.good_until, now, rig.zone())
    device = ", with this machine's device key" if head.device else ""
    text = (
        f"{head.account} is signed in{device}, kept {keeping.where(head)}; good until about {until} by Claris's word "
        "(a year), unless a new password or signing out everywhere ends it before"
    )
    soon = head.good_until - now < _SOON
    yield Line("warning" if soon else "ok", _TOPIC, text, SIGN_IN.partition(" Nothing")[0] if soon else "")
    if head.kept_in == "file" and keeping.open_to_others:
        yield Line("warning", _TOPIC, f"{keeping.path} can be read by others", f"chmod 600 {keeping.path}")
