"""What the last survey leaves open, for the status and the end of a run."""

from __future__ import annotations

from collections.abc import Mapping

from unlade.importer import ContainerImport, declared
from unlade.ledger.models import Host
from unlade.report.figures import LeftBehind, UncoveredFigures
from unlade.survey.covering import Verdict, counted
from unlade.survey.keeping import judged, last_survey


def left_behind(host: Host | None, imports: Mapping[str, ContainerImport]) -> LeftBehind:
    """Containers that neither `imports` nor any other declaration covers, and those that were waived."""
    found = last_survey(host)
    if host is None or found is None:
        return LeftBehind()
    verdicts = judged(host, found, {**declared(), **imports}.values())
    return LeftBehind(
        surveyed_at=found.at,
        exact=found.full,
        fields=tuple(_figures(one) for one in verdicts if one.state == "not covered"),
        waived=tuple(_figures(one) for one in verdicts if one.state == "waived"),
    )


def _figures(verdict: Verdict) -> UncoveredFigures:
    found, waiver = verdict.found, verdict.waiver
    return UncoveredFigures(
        name=verdict.name,
        table=found.table,
        layouts=(*found.layouts, *found.portals),
        filled=counted(found),
        repetitions=verdict.missing if found.repetitions > 1 else (),
        reason=waiver.reason if waiver else "",
        by=waiver.by if waiver else "",
        at=waiver.at if waiver else None,
        facts=verdict.as_json(),
    )
