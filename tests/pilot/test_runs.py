"""`--pilot N`: the sample really goes the whole way, nothing of it is fetched again, and a page says what was learnt."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.fmp12road.files import as_database
from tests.folder.exports import by_script
from tests.voyage.harness import FULL, HTML, LESSER, MISSING, PATH_ONLY, Port, PortMaker, cargo, photo, raw, record
from unlade.errors import UsageError
from unlade.options import RunOptions

ODD = {
    40: record(40, owner=99),
    90: record(90, **{FULL: MISSING, LESSER: photo("ninety")}),
    140: record(140, **{FULL: PATH_ONLY}),
    190: record(190, image_small=photo("small", 900)),
    240: record(240, **{FULL: raw(HTML)}),
    250: record(250, **{FULL: ""}),
}


def command(port: Port, monkeypatch: pytest.MonkeyPatch, *words: str, name: str = "images") -> tuple[int, str]:
    """The command in this process: exit code, standard output."""
    for key, value in port.settings(UNLADE_DECODERS="1").items():
        monkeypatch.setenv(key, value)
    out = io.StringIO()
    try:
        call_command(f"import_filemaker_{name}", *words, stdout=out, stderr=io.StringIO(), verbosity=1)
    except SystemExit as error:
        return int(error.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_sample_goes_the_whole_way_and_nothing_twice(make_port: PortMaker) -> None:
    with make_port(cargo(300, special=ODD)) as port:
        told = port.run(pilot=20)
        assert (told["outcome"], told["exit"]) == ("limit", 3)
        port.check()
        voyage = port.ended.voyage
        assert voyage is not None
        assert voyage.pilot is not None
        assert voyage.pilot.listed == 200
        settled = {rid for rid, item in port.items().items() if item.state != "pending"}
        # The pages that the pilot read are remembered; only its items were fetched.
        assert len(port.items()) == 200
        assert len(voyage.pilot.items) == 20
        assert len({rid for rid, _ in port.downloads()}) <= 20
        assert "300" in settled
        assert "1" in settled
        before = port.downloads()
        port.until_done(retry_failed=False)
        totals = port.check()
        assert totals["pending"] == 0
        assert {key for key in before if port.downloads()[key] > before[key]} == set()


def test_a_small_listing_is_read_whole_and_stays_known(any_port: PortMaker) -> None:
    with any_port(cargo(30)) as port:
        told = port.run(pilot=5)
        assert told["this_run"]["imported"] == 5
        assert len(port.items()) == 30
        listed = port.sim.stats()["requests"]["records"]
        again = port.run(pilot=5)
        assert again["this_run"]["imported"] == 5
        assert port.sim.stats()["requests"]["records"] - listed <= 4
        assert port.until_done()["totals"]["imported"] == 30
        assert port.twice() == {}


def test_the_page_says_what_was_learnt(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with make_port(cargo(260, special=ODD), environ={"UNLADE_ALLOWANCE": "1GB"}) as port:
        code, out = command(port, monkeypatch, "--pilot", "24", "--json")
        told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        assert code == told["exit"] == 3
        pilot = told["pilot"]
        assert (pilot["asked"], pilot["taken"], pilot["listed"]) == (24, 24, 240)
        assert sum(pilot["states"].values()) == 24
        assert pilot["containers"][0] | {"downloads": 0} == {
            "mode": "protected", "relative_redirect": True, "cookie": True, "downloads": 0
        }  # fmt: skip
        assert set(pilot["sizes_by_field"]) >= {FULL, "image_small"}
        reasons = {one["reason"]: one for one in pilot["failures"]}
        assert reasons["reference_only"]["records"] == ["140"]
        assert reasons["reference_only"]["remedy"]
        forecast = pilot["forecast"]
        assert forecast["limits"] == ["year"]
        assert forecast["within_limits"]["bytes"][1] > 0
        assert forecast["without_limits"]["done_at"]
        # The few small pictures of the sample do not pull the mean of the listing down.
        assert 2500 < forecast["mean_size"] < 3500
        page = Path(pilot["page"])
        assert page.parent == port.folder / "reports"
        text = page.read_text("utf-8")
        assert "Pilot of images" in text
        assert "://" not in text
        assert "IMG " not in text
        code, out = command(port, monkeypatch, "--pilot", "6")
        assert "what was learnt" in out
        assert "protected, a redirect to a relative address" in " ".join(out.split())
        assert str(port.folder / "reports") in out


@pytest.mark.parametrize("road", ["file", "folder"])
def test_by_a_file_and_by_a_folder(road: str, make_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cargo(40)
    with make_port(data) as port:
        if road == "file":
            path = as_database(data, port.folder / "clinic.fmp12")
        else:
            path = port.folder / "export"
            by_script(data, path)
        code, out = command(port, monkeypatch, "--pilot", "8", "--from", str(path), "--yes", "--json")
        told = json.loads(out.strip().splitlines()[-1])
        assert code == 0, told
        assert told["pilot"]["taken"] == told["this_run"]["imported"] == 8
        assert told["pilot"]["containers"] == []
        code, out = command(port, monkeypatch, "--from", str(path), "--yes", "--json")
        told = json.loads(out.strip().splitlines()[-1])
        assert (code, told["this_run"]["imported"], told["totals"]["imported"]) == (0, 32, 40)


def test_after_a_wait_the_same_sample_goes_on(make_port: PortMaker) -> None:
    with make_port(cargo(30)) as port:
        bad = {"on": "container", "nth": {"from": 3, "to": 5}, "do": {"status": 502, "body": "html"}}
        port.sim.set_faults([bad])
        told = port.run(pilot=8, wait=True, concurrency=1, env={"UNLADE_COOLDOWNS": "1s"})
        voyage = port.ended.voyage
        assert voyage is not None
        assert voyage.pilot is not None
        assert len(voyage.pilot.items) == 8
        assert told["outcome"] == "limit"
        touched = {rid for rid, item in port.items().items() if item.state != "pending"}
        assert len(touched) == 8
        assert port.twice() == {}


def test_a_pilot_chooses_by_itself() -> None:
    for more in ({"limit": 5}, {"only": ("1",)}, {"final": True}, {"dry_run": True}, {"retry_failed": True}):
        with pytest.raises(UsageError, match="do not go together"):
            RunOptions(pilot=5, **more)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="1 or more"):
        RunOptions(pilot=0)
