"""The status as CONTRACT A4 fixes it."""

from __future__ import annotations

from typing import Any

from unlade.report.figures import AllowanceFigures, BreakerFigures, Expectation, OpenFigures, SourceFigures, Status
from unlade.report.runs import as_json, iso
from unlade.report.words import headline


def status_json(status: Status) -> dict[str, Any]:
    """One object; keys are only ever added."""
    return {
        "generated_at": iso(status.generated_at),
        "sources": {source.name: _source(source, status) for source in status.sources},
        "allowance": allowance_json(status.allowance),
        "breaker": breaker_json(status.breaker),
        "warnings": list(status.warnings),
        "surveyed_at": iso(status.left_behind.surveyed_at),
        "not_covered": [dict(one.facts) for one in status.left_behind.fields],
        "waived": [dict(one.facts) for one in status.left_behind.waived],
        "next": status.next,
    }


def _source(source: SourceFigures, status: Status) -> dict[str, Any]:
    groups = source.groups
    return {
        "headline": headline(source, status.generated_at, status.zone),
        "found": source.found,
        "total_records": source.total,
        "count_is": source.count_is,
        "counted_at": iso(source.counted_at),
        "totals": dict(source.totals),
        "gone": source.gone,
        "by_field": dict(source.by_field),
        "by_road": dict(source.by_road),
        "failures": [_open(line) for line in source.open if line.state == "failed"],
        "open": [{"state": line.state, **_open(line)} for line in source.open],
        "need_person": source.need_person,
        "lesser_copies": source.lesser_copies,
        "edited_since": source.edited_since,
        "without_thumbnail": source.no_thumbnail,
        "stored_bytes": source.stored_bytes,
        "groups": {"complete": groups.complete, "total": groups.total} if groups else None,
        "expected_at": iso(source.expectation.at),
        "expected_runs": source.expectation.runs,
        "forecast": _forecast(source.expectation),
        "last_runs": [as_json(run) for run in source.last_runs],
        "not_covered": [dict(one.facts) for one in source.not_covered],
    }


def _forecast(expected: Expectation) -> dict[str, Any] | None:
    """Early, middle and late of the date, low, middle and high of the bytes still to come."""
    if expected.done is None:
        return None
    span = expected.bytes
    return {
        "done_at": [iso(moment) for moment in expected.done],
        "bytes": [round(span.low), round(span.middle), round(span.high)] if span else None,
        "allowance_left": expected.left,
    }


def _open(line: OpenFigures) -> dict[str, Any]:
    return {
        "reason": line.reason,
        "count": line.count,
        "sentence": line.sentence,
        "remedy": line.remedy,
        "needs_person": line.person,
        "next_try_at": iso(line.next_try_at),
    }


def allowance_json(allowance: AllowanceFigures) -> dict[str, Any]:
    """The contract year's figures flat (None without one), every limit in `limits`."""
    year = allowance.year
    return {
        "size": year.size if year else None,
        "used": year.used if year else None,
        "reserved": year.held if year else None,
        "reserve": year.reserve if year else None,
        "left": year.left if year else None,
        "resets_at": iso(year.resets_at) if year else None,
        "booked": allowance.booked,
        "limits": [
            {
                "name": limit.name,
                "size": limit.size,
                "reserve": limit.reserve,
                "used": limit.used,
                "reserved": limit.held,
                "left": limit.left,
                "resets_at": iso(limit.resets_at),
            }
            for limit in allowance.limits
        ],
    }


def breaker_json(breaker: BreakerFigures) -> dict[str, Any]:
    """What the ledger remembers of the host's health."""
    return {
        "phase": breaker.phase,
        "cause": breaker.cause or None,
        "opened_at": iso(breaker.opened_at),
        "retry_at": iso(breaker.retry_at),
        "detail": breaker.detail or None,
    }
