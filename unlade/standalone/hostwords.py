"""What a pull over the API says to a person: where it stands, what it cost, what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from unlade.standalone.hosted import HostPull
from unlade.standalone.hostrequest import HostPulled
from unlade.states import ItemState
from unlade.units import format_duration, format_size

S = ItemState


def show_host_pull(console: Console, pulled: HostPulled, host_pull: HostPull) -> None:
    """How a pull ended, or, without runs, where it stands."""
    if pulled.forecasts:
        for name, forecast in pulled.forecasts.items():
            console.print(f"[bold]{escape(name)}[/]")
            console.print(escape(forecast.text("records")))
        return
    standing, totals = pulled.standing, pulled.standing.totals
    left = [
        f"{totals[state]:,} {word}"
        for state, word in ((S.PENDING, "to come"), (S.FAILED, "failed"), (S.EMPTY, "records without a file"))
        if totals[state]
    ]
    more = f"; {', '.join(left)}" if left else ""
    console.print(
        f"[bold]{standing.files:,}[/] files ({format_size(standing.bytes)}) are at {escape(host_pull.url)}{more}."
    )
    if pulled.runs:
        wire = sum(pulled.of_all_runs("bytes", kind) for kind in ("api", "container", "headers"))
        console.print(
            f"Fetched now: {pulled.of_all_runs('this_run', 'imported'):,} in {format_duration(pulled.seconds)}; "
            f"{format_size(wire)} over the line in {pulled.of_all_runs('requests'):,} requests."
        )
    if standing.thumbnails:
        console.print(f"Thumbnails: {standing.thumbnails:,}.")
    if totals[S.QUARANTINED]:
        console.print(f"[yellow]{totals[S.QUARANTINED]:,} of them are damaged or no file, by the host's own bytes.[/]")
    for sentence in standing.trouble:
        console.print(f"  {escape(sentence)}")
    if totals[S.FAILED] + totals[S.QUARANTINED] > len(standing.trouble):
        console.print("  and more; the manifest has them all.")
    for line in (*host_pull.notes(), *host_pull.allowance_lines()):
        console.print(escape(line))
    if pulled.error is not None:
        console.print(f"[yellow]{escape(str(pulled.error))}[/]")
        if pulled.error.remedy:
            console.print(escape(pulled.error.remedy))
    if pulled.retry_at is not None:
        console.print(f"Go on from {pulled.retry_at:%Y-%m-%d %H:%M} UTC (--wait waits by itself).")
    elif totals[S.PENDING]:
        console.print(f"To go on: {escape(host_pull.command)}", soft_wrap=True)
