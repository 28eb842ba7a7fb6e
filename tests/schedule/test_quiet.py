"""Quiet hours: no request in them, and what is under way comes to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.voyage.harness import PortMaker, cargo
from unlade.errors import NotNow, SettingsError, UsageError
from unlade.governor.quiet import parse_quiet_hours
from unlade.rigging import Rigging
from unlade.schedule.quiet import curfew
from unlade.settings import Settings


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 25, hour, minute, tzinfo=UTC)


def test_curfew() -> None:
    now = at(7, 59)
    check = curfew(parse_quiet_hours("08:00-18:00", UTC), lambda: now)
    check()
    now = at(8)
    with pytest.raises(NotNow) as caught:
        check()
    assert caught.value.retry_at == at(18)
    assert caught.value.exit_code == 75
    now = at(18)
    check()
    curfew(None, lambda: now)()


def test_a_run_that_starts_in_them_asks_nothing(make_port: PortMaker) -> None:
    with make_port(
        cargo(4), environ={"UNLADE_QUIET_HOURS": "22:00-06:00", "UNLADE_TIME_ZONE": "Europe/Zurich"}
    ) as port:
        port.clock = lambda: at(21, 30)
        ended = port.run()
        assert (ended["outcome"], ended["exit"], ended["retry_at"]) == ("paused", 75, "2026-11-26T05:00:00+00:00")
        assert sum(port.sim.stats()["requests"].values()) == 0
        assert "Quiet hours" in ended["reason"] and "06:00 CET" in ended["reason"]
        assert port.run(quiet_hours="01:00-02:00")["outcome"] == "done"  # the option goes before the setting


def test_a_dry_run_asks_nothing_either(make_port: PortMaker) -> None:
    from unlade.importer import get_import
    from unlade.importing import run_dry
    from unlade.options import RunOptions

    with make_port(cargo(4)) as port:
        port.clock = lambda: at(9)
        with pytest.raises(NotNow, match="Quiet hours"):
            run_dry(get_import("images"), port.rigging(), RunOptions(quiet_hours="08:00-18:00", dry_run=True))
        assert sum(port.sim.stats()["requests"].values()) == 0


def test_a_run_under_way_finishes_what_is_in_hand(make_port: PortMaker) -> None:
    with make_port(cargo(60), latency=0.02) as port:
        port.clock = lambda: (
            at(8) - timedelta(minutes=1) + timedelta(minutes=10) * (port.sim.stats()["requests"]["container"] >= 10)
        )
        ended = port.run(quiet_hours="08:00-18:00", concurrency=2)
        assert (ended["outcome"], ended["exit"], ended["retry_at"]) == ("paused", 75, "2026-11-25T18:00:00+00:00")
        started = port.sim.stats()["requests"]["container"]
        assert 10 <= started < 60
        assert ended["this_run"]["imported"] == started == sum(port.downloads().values())
        port.check()
        port.clock = lambda: at(18)
        assert port.run(quiet_hours="08:00-18:00")["outcome"] == "done"
        assert port.check()["imported"] == 60
        assert not port.twice()


@pytest.mark.django_db
def test_hours_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match=r"--quiet-hours.*8-18"):
        Rigging(Settings({})).quiet_hours("8-18")
    with pytest.raises(SettingsError, match=r"UNLADE_QUIET_HOURS.*at night"):
        Rigging(Settings({"UNLADE_QUIET_HOURS": "at night"})).quiet_hours()
    assert Rigging(Settings({})).quiet_hours() is None
