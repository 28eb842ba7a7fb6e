"""Crontab lines: when, quoted for the shell, escaped for cron; and edits that leave everything else alone."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.schedule.entries import DAILY, NASTY, PLACE, entry, every
from unlade.errors import UsageError
from unlade.schedule.cron import Cron, command, edited, lines, timing
from unlade.schedule.steps import EditCrontab
from unlade.schedule.timing import Schedule


@pytest.mark.parametrize(
    ("schedule", "fields"),
    [
        (DAILY, "0 2 * * *"),
        (every(minutes=1), "* * * * *"),
        (every(minutes=15), "7-59/15 * * * *"),
        (every(hours=1), "37 * * * *"),
        (every(hours=6), "37 */6 * * *"),
        (every(days=1), "37 0 * * *"),
    ],
)
def test_when(schedule: Schedule, fields: str) -> None:
    assert timing(schedule, 37) == fields


@given(
    st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440]), st.integers(0, 59)
)
def test_runs_are_evenly_apart(minutes: int, offset: int) -> None:
    """Read as crontab(5) says, over two days."""
    minute, hour, *rest = timing(Schedule(every=timedelta(minutes=minutes)), offset).split()
    assert rest == ["*", "*", "*"]
    starts = [m for m in range(2 * 1440) if _on(minute, m % 60, 60) and _on(hour, m // 60 % 24, 24)]
    assert {later - earlier for earlier, later in pairwise(starts)} == {minutes}


def _on(field: str, value: int, top: int) -> bool:
    span, _, step = field.partition("/")
    first, _, last = span.partition("-")
    low, high = (0, top - 1) if span == "*" else (int(first), int(last or first))
    return low <= value <= high and (value - low) % int(step or 1) == 0


@pytest.mark.parametrize("span", [{"hours": 7}, {"minutes": 7}, {"minutes": 90}, {"days": 2}, {"seconds": 90}])
def test_what_cron_cannot_say_is_refused_with_what_it_can(span: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot run something every") as caught:
        timing(every(**span), 0)
    assert "--every" in caught.value.remedy and "--as systemd" in caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_the_shell_gets_the_words_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s 100% "here" $HOME `id` \\ & <b>'
    folder.mkdir()
    script = "import json, os, sys; print(json.dumps([os.getcwd(), sys.argv[1:], os.umask(0)]))"
    made = entry(folder=str(folder), command=(sys.executable, "-c", script, NASTY, "%", ""), log=f"{folder}/images.log")
    line = command(made)
    assert "%" not in line.replace(r"\%", "")  # cron would cut it off there
    subprocess.run(["/bin/sh", "-c", line.replace(r"\%", "%")], check=True)  # what cron hands over
    assert json.loads((folder / "images.out").read_text()) == [str(folder), [NASTY, "%", ""], 0o077]


def test_a_line_that_cron_would_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="bytes long"):
        lines(entry(folder="/srv/" + "a" * 400))


def test_control_characters_never_reach_a_scheduler() -> None:
    with pytest.raises(UsageError, match="control character"):
        entry(folder="/srv/clinic\n* * * * * rm -rf /")


plain = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12).filter(lambda line: "unlade" not in line)
tables = st.lists(plain).map(lambda kept: "\n".join(kept) + "\n" if kept else "")
blocks = st.lists(plain.filter(bool), min_size=1, max_size=3)


@given(tables, blocks, blocks)
def test_edits_touch_nothing_else(table: str, block: list[str], other: list[str]) -> None:
    assume("new" not in [*table.splitlines(), *other])  # by which ours is told from all else below
    once = edited(edited(table, "theirs", other), "ours", block)
    assert edited(once, "ours", block) == once
    assert edited(once, "ours", ["new"]).replace("\nnew\n", "\n" + "\n".join(block) + "\n") == once
    assert edited(once, "ours", []) == edited(table, "theirs", other)
    assert edited(edited(once, "ours", []), "theirs", []) == table


def test_a_last_line_without_an_end_and_a_doubled_block() -> None:
    assert edited("a b", "x", ["c"]) == "a b\n# unlade begin x\nc\n# unlade end x\n"
    doubled = "# unlade begin x\n1\n# unlade end x\nmine\n# unlade begin x\n2\n# unlade end x\n"
    assert edited(doubled, "x", ["3"]) == "# unlade begin x\n3\n# unlade end x\nmine\n"
    assert edited("# unlade begin x\nmine\n", "x", []) == "mine\n"  # its end was cut: nothing more is ours


def test_a_trial_is_dated_and_goes() -> None:
    made = entry()
    (step,) = Cron().start(made, PLACE, datetime(2026, 12, 31, 23, 58, 40, tzinfo=UTC))
    assert isinstance(step, EditCrontab)
    assert [line.split(" (")[0] for line in step.lines[1:]] == ["59 23 31 12 *", "0 0 1 1 *", "1 0 1 1 *"]
    assert Cron().started(made, PLACE) == (EditCrontab(step.ident),)
    assert EditCrontab(step.ident) in Cron().remove(made.ident, PLACE)
