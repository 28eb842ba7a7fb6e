"""Gathers the status page from the ledger: reads only, asks no host, and its sums always add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from unlade.governor.breaker import BreakerState
from unlade.governor.budget import Budget, Room
from unlade.importer import ContainerImport
from unlade.ledger.models import Host, Item, Run, Source, TransferUsage, edited_since
from unlade.plan.stock import outlook_of, sizes_known, sizes_seen, speed_of
from unlade.plan.troubles import trouble_line
from unlade.report import advice
from unlade.report.console import console_figures, console_note
from unlade.report.figures import (
    AllowanceFigures,
    BreakerFigures,
    Expectation,
    LeftBehind,
    LimitFigures,
    SourceFigures,
    Status,
    UncoveredFigures,
)
from unlade.report.outlook import LAST_RUNS, expectation
from unlade.report.runs import run_figures
from unlade.report.tally import by_field_of, by_road_of, gone_of, groups_of, open_of, totals_of
from unlade.report.words import plural
from unlade.states import STORED, ItemState
from unlade.survey.status import left_behind


def gather(
    imports: Mapping[str, ContainerImport],
    now: datetime,
    *,
    budget: Budget | None = None,
    host_key: str | None = None,
    zone: tzinfo = UTC,
    notes: Sequence[str] = (),
) -> Status:
    """The status of `imports` (by name). `host_key` names the `Host`; None: the one that was heard of last.

    `notes`: what else a reader should know.
    """
    host = host_of(host_key)
    left = left_behind(host, imports)
    sources = tuple(_source(importer, now, budget, left) for importer in imports.values())
    allowance = allowance_figures(budget, now, host)
    breaker = breaker_figures(host)
    step, command = advice.next_step(sources, allowance, breaker, now, zone, left=len(left.fields))
    return Status(
        generated_at=now,
        sources=sources,
        allowance=allowance,
        breaker=breaker,
        zone=zone,
        next_step=step,
        next_command=command,
        left_behind=left,
        warnings=(
            *(warning for source in sources for warning in _warnings(source)),
            *notes,
            *(note for note in (console_note(console_figures(host, budget, now), now), learnt(host, zone)) if note),
        ),
    )


def learnt(host: Host | None, zone: tzinfo) -> str:
    """What past runs tell about the host's troubles, as a sentence, or ""."""
    line = trouble_line(host, zone)
    return f"{line[:1].upper()}{line[1:]}." if line else ""


def _source(importer: ContainerImport, now: datetime, budget: Budget | None, left: LeftBehind) -> SourceFigures:
    row = Source.objects.filter(name=importer.name).first() or Source(name=importer.name)
    new = row._state.adding
    command = advice.import_command(importer.name)
    totals, vanished = ({state.value: 0 for state in ItemState}, 0) if new else totals_of(row)
    open_ = () if new else open_of(row, totals, command)
    latest = [] if new else list(row.runs.select_related("source").order_by("-number")[:LAST_RUNS])
    runs = tuple(run_figures(run, now) for run in latest)
    here: Any = Item.objects.none() if new else row.items.filter(gone_at=None)
    sums = here.aggregate(
        lesser=Count("pk", filter=Q(lesser_copy=True)),
        bare=Count("pk", filter=~Q(thumbnail_error="")),
        size=Sum("size", filter=Q(state__in=list(STORED))),
    )
    retriable = sum(line.count for line in open_ if line.state == "failed" and not line.person)
    remaining = totals["pending"] + retriable
    return SourceFigures(
        name=importer.name,
        noun=importer.noun,
        group_noun=importer.group_noun,
        owner_noun=str(importer.owner.model_class._meta.verbose_name) if importer.owner else "owner",
        layout=row.layout or importer.layout,
        found=row.found,
        total=row.total,
        count_is=row.count_is,
        counted_at=row.counted_at,
        totals=totals,
        gone=0 if new else gone_of(row),
        vanished=vanished,
        by_field={} if new else by_field_of(row, totals, tuple(importer.containers)),
        open=open_,
        lesser_copies=sums["lesser"] or 0,
        no_thumbnail=sums["bare"] or 0,
        stored_bytes=sums["size"] or 0,
        groups=None if new else groups_of(importer, row),
        last_runs=runs,
        expectation=_expectation(row, remaining, latest, now, budget) if remaining and latest else Expectation(),
        command=command,
        edited_since=0 if new else edited_since(row).count(),
        relink=advice.existing("relink_filemaker", importer.name),
        not_covered=_not_covered(importer, row.layout, left),
        by_road={} if new else by_road_of(row, totals),
    )


def _not_covered(importer: ContainerImport, layout: str, left: LeftBehind) -> tuple[UncoveredFigures, ...]:
    """Those of the table that this import reads: as far as its layout, or the table's name, tells."""
    layouts = {name for name in (layout, importer.layout, importer.response_layout) if name}
    tables = {importer.table.casefold()} if importer.table else set()
    return tuple(one for one in left.fields if layouts & set(one.layouts) or one.table.casefold() in tables)


def _expectation(
    row: Source, remaining: int, latest: Sequence[Run], now: datetime, budget: Budget | None
) -> Expectation:
    runs = tuple(run_figures(run, now) for run in latest)
    outlook = outlook_of(remaining, sizes_seen(row), known=sizes_known(row), speed=speed_of(latest))
    return expectation(remaining, runs, now, outlook=outlook, budget=budget)


def _warnings(source: SourceFigures) -> list[str]:
    found = []
    if not source.sees_all:
        found.append(
            f"{source.name}: this account sees {source.found:,} records, the table has {source.total:,}. "
            "Compare its privileges with what FileMaker Pro shows with full access."
        )
    if source.vanished:
        found.append(
            f"{source.name}: the source counts {plural(source.vanished, ('record', 'records'))} fewer than are known; "
            "a full listing will tell which are gone."
        )
    if source.edited_since:
        found.append(
            f"{source.name}: {plural(source.edited_since, ('record was', 'records were'))} edited after "
            f"{'its file was' if source.edited_since == 1 else 'their files were'} fetched; whether a file was replaced "
            f"is not known. {source.command} --refetch-changed fetches them once more."
        )
    died = next((run for run in source.last_runs[:1] if run.outcome == "died"), None)
    if died:
        found.append(f"{source.name}: run {died.number} ended without a word; the next run picks up what it left.")
    return found


def allowance_figures(budget: Budget | None, now: datetime, host: Host | None = None) -> AllowanceFigures:
    """Every limit's figures at `now`, and what was ever booked for `host`."""
    usage = TransferUsage.objects.filter(host=host) if host else TransferUsage.objects.all()
    limits = tuple(_limit(room, usage, now) for room in (budget.headroom(now) if budget else ()))
    return AllowanceFigures(limits, booked=_charged(usage))


def _limit(room: Room, usage: QuerySet[TransferUsage], now: datetime) -> LimitFigures:
    """A limit's figures. Reservations of other processes are among the spent bytes; here they are told apart."""
    limit = room.limit
    foreign = 0
    if limit.period.kind != "run":
        foreign = _charged(usage.filter(settled=False, opened_at__gte=limit.period.window(now).start)) - room.held
    foreign = min(max(0, foreign), room.used)
    return LimitFigures(
        name=limit.name,
        size=limit.size,
        reserve=limit.reserve,
        used=room.used - foreign,
        held=room.held + foreign,
        left=max(0, room.left),
        resets_at=room.resets_at,
    )


def _charged(usage: QuerySet[TransferUsage]) -> int:
    return usage.aggregate(sum=Sum("charged"))["sum"] or 0


def host_of(key: str | None) -> Host | None:
    """The ledger's row of a host; without a key the one that was heard of last."""
    if key is not None:
        return Host.objects.filter(key=key).first()
    return Host.objects.order_by("-updated_at").first()


def breaker_figures(host: Host | None) -> BreakerFigures:
    """What the ledger remembers of the host's health."""
    if host is None:
        return BreakerFigures()
    try:
        state = BreakerState.from_json(host.breaker or {})
    except (ValueError, TypeError):
        return BreakerFigures(phase="open", retry_at=host.retry_at, detail="its remembered state cannot be read")
    phase = "open" if host.retry_at and state.phase == "closed" else state.phase
    return BreakerFigures(
        phase=phase,
        cause=state.cause,
        opened_at=state.opened_at,
        retry_at=state.retry_at or host.retry_at,
        detail=state.detail or host.resting_because,
    )
