"""`python -m fmsim`: serves a data set until it is told to stop (CONTRACT A5)."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fmsim.dataset import DataSet
from fmsim.faults import Plan
from fmsim.folder import BadDataSet, read, write
from fmsim.simulator import Simulator
from fmsim.streaming import MODES
from fmsim.switches import Switches, table
from fmsim.units import parse_seconds, parse_size


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 when told to stop, 1 if it cannot serve, 2 for wrong usage."""
    words = list(sys.argv[1:] if given is None else given)
    try:
        if words[:1] == ["write"]:
            return _write(words[1:])
        return _serve(words)
    except (BadDataSet, ValueError, OSError) as problem:
        print(f"fmsim: {problem}", file=sys.stderr)
        return 1


def _parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("--images", type=int, metavar="N", help="image records of the built-in clinic")
    parser.add_argument("--documents", type=int, metavar="N", help="document records of the built-in clinic")
    parser.add_argument("--patients", type=int, metavar="N", help="patients of the built-in clinic")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything that looks random (1)")
    return parser


def _unit(read_unit: Callable[[str], Any]) -> Callable[[str], Any]:
    def typed(text: str) -> Any:
        try:
            return read_unit(text)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return typed


def _serve(words: Sequence[str]) -> int:
    parser = _parser(
        "fmsim", "A simulator of FileMaker Server's Data API. `fmsim write FOLDER` writes the built-in clinic."
    )
    parser.add_argument("--dataset", default="clinic", metavar="clinic|FOLDER", help="what is served (clinic)")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="on loopback; 0: a free one")
    parser.add_argument("--tls", action="store_true", help="speak TLS; ca_file in the JSON line signs it")
    parser.add_argument(
        "--latency", type=_unit(parse_seconds), default=0.0, metavar="120ms", help="before every answer"
    )
    parser.add_argument("--bandwidth", type=_unit(parse_size), metavar="10MB/s", help="of the host's whole line")
    parser.add_argument("--streaming", choices=MODES, default="protected", metavar="MODE", help=" | ".join(MODES))
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="may be given more than once"
    )
    parser.add_argument("--switches", action="store_true", help="list all switches with their defaults and end")
    parser.add_argument("--faults", type=Path, metavar="FILE.json", help="a fault plan")
    parser.add_argument(
        "--meter-limit", type=_unit(parse_size), metavar="1GB", help="bytes that may be sent before error 953"
    )
    options = parser.parse_args(words)
    if options.switches:
        print(table())
        return 0
    faults = json.loads(options.faults.read_text(encoding="utf-8")) if options.faults else []
    Switches.of(options.switch), Plan(faults)  # a mistake in them is told before pictures are drawn
    simulator = Simulator(
        _data(options), streaming=options.streaming, latency=options.latency, bandwidth=options.bandwidth or None,
        switches=options.switch, faults=faults, meter_limit=options.meter_limit, tls=options.tls, seed=options.seed,
        port=options.port,
    )  # fmt: skip
    stopped = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: stopped.set())
    with simulator:
        line: dict[str, str | None] = {
            "url": simulator.url,
            "database": simulator.database,
            "account": simulator.account,
        }
        line |= {"password": simulator.password, "ca_file": simulator.ca_file}
        if simulator.host.switches.cloud:
            line["claris_token"] = simulator.claris_token()
        print(json.dumps(line, ensure_ascii=True), flush=True)
        while not stopped.wait(3600):
            pass
    return 0


def _write(words: Sequence[str]) -> int:
    parser = _parser("fmsim write", "Writes the built-in clinic as a data set folder.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(words)
    count = write(_clinic(options), options.folder)
    print(f"{options.folder}: {count} files", file=sys.stderr)
    return 0


def _data(options: argparse.Namespace) -> DataSet:
    return _clinic(options) if options.dataset == "clinic" else read(Path(options.dataset))


def _clinic(options: argparse.Namespace) -> DataSet:
    from fmsim.clinic import build  # the pictures need Pillow; a folder does not

    wanted = {"images": options.images, "documents": options.documents, "patients": options.patients}
    return build(**{name: number for name, number in wanted.items() if number is not None}, seed=options.seed)


if __name__ == "__main__":
    sys.exit(main())
