"""`unlade pull --url`: files of a hosted database over the Data API, with the engine that projects use.

Allowance, pace, breaker, resume and the order of writes are the engine's. Here is what goes around it: which layouts and
fields, one run after the other within the limits of the command, and the manifest that is made from the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from unlade.errors import UsageError
from unlade.standalone.hostrequest import KEY, HostPulled, Request, shown
from unlade.standalone.manifest import made_over_the_api, replace_file, sums_of
from unlade.standalone.pullplan import PLAN, Plan, load_plan
from unlade.standalone.targets import Target, open_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unlade.dryrun import Forecast
    from unlade.importing import Ended
    from unlade.progress import Reporter
    from unlade.rigging import Rigging
    from unlade.standalone.layoutfields import Asked, ContainerField
    from unlade.standalone.layouts import LayoutImport
    from unlade.standalone.ledgerlines import Standing
    from unlade.voyage import Voyage


@contextmanager
def opened(request: Request, *, known: bool = True, write: bool = True) -> Iterator[HostPull]:
    """The pull that `request` asks for, with its ledger and its target open; to `write`, for this process alone.

    Without `known` it must have been begun before. To write, a password that is missing is asked for.
    Raises `UsageError`, `SettingsError`, `LockedElsewhere`, `StoreError`.
    """
    from unlade.standalone.project import connect

    if not known and not (request.folder / PLAN).is_file():
        raise UsageError(
            f"No pull over the API to {request.to} has begun.",
            remedy="Begin it with --url, --database and --layout, or name a database file. --help has examples.",
        )
    with ExitStack() as stack:
        target = stack.enter_context(closing(open_target(request.to, write=write, state=request.folder)))
        plan = load_plan(request.folder)
        if plan is None and made_over_the_api(target.manifest) is False:
            raise UsageError(
                f"{target.url} holds what was pulled from a database file.", remedy="Name another place with --to."
            )
        if plan is not None:
            request = _as_planned(request, plan)
        rig = stack.enter_context(connect(request.folder, request.settings(), ask=write))
        yield HostPull(request, plan, target, rig)


def _as_planned(request: Request, plan: Plan) -> Request:
    """The request with what was said the first time. Raises `UsageError` where it says something else now."""
    for name, option in (("url", "--url"), ("database", "--database"), ("key", "--key")):
        said, planned = getattr(request, name).rstrip("/"), getattr(plan, name)
        if said and said != planned:
            raise UsageError(
                f"{request.folder} belongs to a pull with {option} {planned}.",
                remedy="Leave the option out to go on with it, or name another --to and --state.",
            )
    return replace(
        request, url=plan.url, database=plan.database, key=plan.key, layouts=request.layouts or tuple(plan.chosen)
    )


class HostPull:
    """One pull over the API; made by `opened`."""

    def __init__(self, request: Request, plan: Plan | None, target: Target, rig: Rigging) -> None:
        config = rig.filemaker_config()
        self._request, self._target, self._rig = request, target, rig
        self._plan = plan or Plan(config.url, config.database, request.key or KEY)

    @property
    def url(self) -> str:
        """Where the files go, for people."""
        return self._target.url

    @property
    def command(self) -> str:
        """What goes on with this pull."""
        state = f" --state {self._request.state}" if self._request.state else ""
        return f"unlade pull --to {self._target.url}{state}"

    def places(self) -> dict[str, str]:
        """Where things are, for `--json`."""
        return {
            "target": self._target.url,
            "manifest": str(self._target.manifest),
            "state": str(self._request.folder),
            "database": self._plan.database,
        }

    def notes(self) -> list[str]:
        """What a person should know of the choice of fields."""
        known, chosen = self._plan.known, self._plan.chosen
        left_out = [
            f"{layout}.{one.name}"
            for layout, fields in known.items()
            for one in fields
            if one.is_related and one.name not in chosen.get(layout, [])
        ]
        if not left_out:
            return []
        return [f"Left out, as they belong to related records: {', '.join(left_out)}. Name them to pull them too."]

    def allowance_lines(self) -> list[str]:
        """What is used of the allowance, and what is wrong with the host, by the ledger's word."""
        from unlade.report.status import gather
        from unlade.report.status_text import breaker_line, limit_line

        rig, now = self._rig, self._rig.clock()
        status = gather({}, now, budget=rig.budget(), host_key=rig.host().key, zone=rig.zone())
        lines = [breaker_line(status.breaker, now, rig.zone())]
        if status.allowance.year:
            lines.append(f"Allowance: {limit_line(status.allowance.year, now, rig.zone())}")
        return [line for line in lines if line]

    @property
    def importers(self) -> list[LayoutImport]:
        """What the ledger knows of, in order."""
        from unlade.importer import Thumbnail
        from unlade.standalone.layouts import imports_of

        box = self._request.thumbnails
        return imports_of(self._plan.asked, self._plan.key, Thumbnail(*box) if box else None)

    def standing(self) -> Standing:
        """How far it is, without asking the host."""
        from unlade.standalone.ledgerlines import standing_of

        return standing_of(self.importers)

    def run(self, reporter: Callable[[str], Reporter], on_start: Callable[[Voyage], None] | None = None) -> HostPulled:
        """Pull all layouts, one after the other. `reporter` is asked for one by the layout's name.

        Errors of a run are its outcome. Raises `UnladeError` where no run could begin.
        """
        began = time.monotonic()
        self._prepare()
        ends: list[Ended] = []
        forecasts: dict[str, Forecast] = {}
        try:
            for importer in self.importers:
                if importer.layout not in self._request.layouts:
                    continue
                if self._request.dry_run:
                    forecasts[shown(importer.name)] = self._look_ahead(importer)
                    continue
                options = self._options(ends, time.monotonic() - began)
                if options is None:
                    break
                ends.append(self._sail(importer, options, reporter(importer.layout), on_start))
                if ends[-1].exit_code not in (0, 3):
                    break
            if self._request.thumbnails and not self._request.dry_run and all(e.exit_code in (0, 3) for e in ends):
                self._late_thumbnails()
        finally:
            if not self._request.dry_run:
                self._write_manifest()
        return self._result(ends, forecasts, time.monotonic() - began)

    # -- what is to be pulled --

    def _prepare(self) -> None:
        """Settle layouts, fields and key, and keep them. Raises `UsageError`, and what the host says to a question."""
        from unlade.standalone.layoutfields import check_api_key, choose_fields

        request, plan = self._request, self._plan
        if not request.layouts:
            raise UsageError(
                "no layout is named", remedy="Say --layout NAME; `unlade survey` shows the layouts there are."
            )
        named = list(dict.fromkeys(request.layouts))
        fresh = self._ask_fields([layout for layout in named if request.changed or layout not in plan.known])
        known = {layout: fresh[layout] if layout in fresh else plan.known[layout] for layout in named}
        wider = Plan(plan.url, plan.database, plan.key, {**plan.known, **known}, dict(plan.chosen))
        anew = wider.widen(self._chosen(choose_fields(known, request.fields)))
        if not any(one.fields for one in wider.asked):
            raise UsageError(
                f"{', '.join(named)}: no container field is shown there.",
                remedy="Put the container fields on the layout.",
            )
        check_api_key(wider.key, wider.asked)
        if not request.dry_run:
            self._list_anew(anew)
            wider.save(request.folder)
        self._plan = wider

    def _chosen(self, asked: Sequence[Asked]) -> list[Asked]:
        """Without names, a layout that is being pulled keeps the fields it has been pulled with."""
        if self._request.fields:
            return [one for one in asked if one.fields]
        return [one for one in asked if one.layout not in self._plan.chosen or self._request.changed]

    def _ask_fields(self, layouts: Sequence[str]) -> dict[str, list[ContainerField]]:
        """The container fields of these layouts, by the host's word."""
        from unlade.errors import Transient
        from unlade.hostline import ApiLine
        from unlade.importing import unreadable
        from unlade.options import RunOptions
        from unlade.standalone.layoutfields import Asked, container_fields
        from unlade.standalone.layouts import LayoutImport

        if not layouts:
            return {}
        line = ApiLine(LayoutImport(Asked(layouts[0], ()), self._plan.key, None), self._rig, RunOptions())
        try:
            line.gate.check()
            return {layout: container_fields(line.source.layout_fields(layout)) for layout in layouts}
        except Transient as error:
            raise unreadable(error, line.gate) from error
        finally:
            line.source.close()
            line.hang_up()

    def _list_anew(self, layouts: Sequence[str]) -> None:
        """More fields are wanted of these layouts: records that are known have values that are not."""
        from unlade.ledger.models import Source

        Source.objects.filter(layout__in=layouts).update(listed_through=0, anchor="", listing_complete=False)

    # -- runs --

    def _options(self, ends: Sequence[Ended], seconds: float) -> Any:
        """Options of the next run: what earlier ones left of the command's limits. None when one is used up."""
        from unlade.options import RunOptions

        request, runs = self._request, [ended.books.run for ended in ends]
        limit = None if request.limit is None else request.limit - sum(run.downloads for run in runs)
        wire = sum(run.api_bytes + run.container_bytes + run.header_bytes for run in runs)
        max_bytes = None if request.max_bytes is None else request.max_bytes - wire
        max_time = None if request.max_time is None else request.max_time - timedelta(seconds=seconds)
        if runs and (
            (limit is not None and limit <= 0)
            or (max_bytes is not None and max_bytes <= 0)
            or (max_time is not None and max_time <= timedelta(0))
        ):
            return None
        settings = self._rig.settings
        return RunOptions(
            limit=limit,
            batch_size=settings["UNLADE_BATCH_SIZE"],
            concurrency=request.concurrency or settings["UNLADE_CONCURRENCY"],
            max_bytes=max_bytes,
            max_time=max_time,
            retry_failed=request.retry_failed,
            changed=request.changed,
            refetch_changed=request.changed,
            wait=request.wait,
            dry_run=request.dry_run,
        )

    def _sail(
        self, importer: LayoutImport, options: Any, reporter: Reporter, on_start: Callable[[Voyage], None] | None
    ) -> Ended:
        from unlade.importing import run_import
        from unlade.standalone.layouts import open_layout

        return run_import(importer, self._rig, options, reporter, on_start=on_start, line_of=open_layout)

    def _look_ahead(self, importer: LayoutImport) -> Forecast:
        from unlade.importing import run_dry
        from unlade.standalone.layouts import open_layout

        return run_dry(importer, self._rig, self._options([], 0.0), line_of=open_layout)

    def _late_thumbnails(self) -> None:
        """Thumbnails of files that were pulled before any were asked for."""
        from unlade.standalone.latethumbs import make_late

        assert self._request.thumbnails is not None
        make_late(self.importers, self._rig, self._request.thumbnails, self._target)

    # -- the end --

    def _write_manifest(self) -> None:
        from unlade.standalone.ledgerlines import lines_of

        replace_file(self._target.manifest, (line.dump() for line in lines_of(self.importers)))
        self._target.finish(sums_of(lines_of(self.importers)))

    def _result(self, ends: Sequence[Ended], forecasts: dict[str, Forecast], seconds: float) -> HostPulled:
        from unlade.report.runs import run_json
        from unlade.report.summary import worst_exit, worst_outcome

        pulled = HostPulled(self.standing(), forecasts=forecasts, seconds=seconds)
        pulled.runs = [run_json(ended.books.run) for ended in ends]
        pulled.outcome = worst_outcome([ended.outcome for ended in ends])
        pulled.exit_code = worst_exit([ended.exit_code for ended in ends])
        for ended in ends:
            if ended.error is not None:
                pulled.error, pulled.retry_at = ended.error, ended.retry_at
        return pulled
