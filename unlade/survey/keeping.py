"""The last survey of a host and what was waived, in the ledger."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from unlade.errors import SettingsError, UsageError
from unlade.importer import declared
from unlade.ledger.models import Host, Waiver
from unlade.rigging import Rigging
from unlade.survey.covering import Declares, Verdict, Waived, split_name, verdicts
from unlade.survey.values import SurveyFound


def host_for(rig: Rigging, place: str) -> Host:
    """The ledger's row that a survey belongs to: the host that the settings name, else one for the files."""
    try:
        return rig.host()
    except SettingsError:
        return Host.objects.get_or_create(key=f"files {place}"[:255])[0]


def keep(host: Host, found: SurveyFound, *, only: Iterable[str] = ()) -> SurveyFound:
    """Remember a survey; returns what stands now.

    A survey of `only` some layouts leaves the others as they were, and so does one that was broken off.
    """
    with transaction.atomic():
        row = Host.objects.select_for_update().get(pk=host.pk)
        looked, before = set(only), last_survey(row)
        if before is not None and before.road == found.road and (looked or not found.complete):
            found = _joined(before, found, looked)
        row.survey, row.surveyed_at = found.as_json(), found.at
        row.save(update_fields=["survey", "surveyed_at", "updated_at"])
    return found


def _joined(before: SurveyFound, found: SurveyFound, looked: set[str]) -> SurveyFound:
    fresh = {(one.table, one.field): one for one in found.fields}
    for one in before.fields:
        now = fresh.get((one.table, one.field))
        left = [name for name in one.layouts if name not in looked]
        portals = [name for name in one.portals if name not in looked]
        if now is None:
            if left or portals or not found.complete:
                fresh[one.table, one.field] = one
        elif not now.looked_at and one.looked_at:
            fresh[one.table, one.field] = one  # it was met, but the survey ended before its records were looked at
        else:
            now.layouts = list(dict.fromkeys([*left, *now.layouts]))
            now.portals = list(dict.fromkeys([*portals, *now.portals]))
    tables = {table.name: table for table in found.tables}
    for table in before.tables:
        here = tables.setdefault(table.name, table)
        here.layouts = list(dict.fromkeys([*table.layouts, *here.layouts]))
    found.tables = list(tables.values())
    found.fields = sorted(fresh.values(), key=lambda one: (one.table, one.field))
    found.layouts = max(found.layouts, before.layouts)
    found.full = found.full and all(one.exact or one.records is None or one.set_apart for one in found.fields)
    return found


def last_survey(host: Host | None) -> SurveyFound | None:
    """The last survey of this host; None before the first, or when another version wrote what cannot be read."""
    if host is None or not host.survey:
        return None
    try:
        return SurveyFound.from_json(host.survey)
    except (KeyError, TypeError, ValueError):
        return None


def waivers_of(host: Host) -> list[Waived]:
    """What was waived for this host."""
    rows = Waiver.objects.filter(host=host)
    return [Waived(row.table, row.field, row.reason, row.by, row.at) for row in rows]


def judged(host: Host, found: SurveyFound, imports: Iterable[Declares] | None = None) -> list[Verdict]:
    """A verdict on every field, by the project's declarations of files and the host's waivers."""
    return verdicts(found, declared().values() if imports is None else imports, waivers_of(host))


def waive(host: Host, name: str, reason: str, now: datetime, *, by: str = "") -> Waived:
    """Leave a field (`Table::field`), or all of a table, behind on purpose. Raises `UsageError`."""
    table, field = _split(name)
    if not reason.strip():
        raise UsageError("--waive needs a reason", remedy='Say why it may stay behind: --reason "portraits are in HR".')
    found = last_survey(host)
    if found is None:
        raise UsageError("No survey was made yet", remedy="Make one first; it shows what there is to waive.")
    names = [verdict.name for verdict in verdicts(found, [], [])]
    wanted = f"{table}::{field}".casefold()
    fits = [each for each in names if each.casefold() == wanted or (not field and each.casefold().startswith(wanted))]
    if not fits:
        raise UsageError(
            f"The last survey met no container {name}", remedy=f"It met {', '.join(names[:20]) or 'none'}."
        )
    table, found_field = split_name(fits[0])
    field = found_field if field else ""
    row, _ = Waiver.objects.update_or_create(
        host=host,
        table=table[:255],
        field=field[:255],
        defaults={"reason": reason.strip(), "by": (by or who())[:150], "at": now},
    )
    return Waived(row.table, row.field, row.reason, row.by, row.at)


def unwaive(host: Host, name: str) -> int:
    """Take a waiver back; how many there were. Raises `UsageError` when there is none."""
    table, field = _split(name)
    gone, _ = Waiver.objects.filter(host=host, table__iexact=table, field__iexact=field).delete()
    if not gone:
        raise UsageError(f"{name} is not waived")
    return gone


def who() -> str:
    """The person at this account, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _split(name: str) -> tuple[str, str]:
    try:
        return split_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
