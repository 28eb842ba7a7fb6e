"""Whole runs against a simulated host, and what is told about them: each thing once, and nothing that names anybody."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from tests.notify.conftest import Ear
from tests.voyage.harness import FULL, MISSING, HandClock, Port, PortMaker, cargo, raw, record
from unlade.errors import SettingsError
from unlade.ledger.models import Notice
from unlade.notify import after_error, after_run


@pytest.fixture(autouse=True)
def mailbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.DEFAULT_FROM_EMAIL = "unlade@clinic.example"


def run(port: Port, **options: Any) -> dict[str, Any]:
    ended = port.run(**options)
    after_run(port.ended, port.rigging())
    return ended


def test_completion_is_told_once_and_a_heartbeat_after_every_run(make_port: PortMaker, ear: Ear) -> None:
    with make_port(
        cargo(6), environ={**ear.settings, "UNLADE_NOTIFY_TO": "ada@clinic.example, it@clinic.example"}
    ) as port:
        run(port, limit=3)
        assert (ear.events(), ear.beats(), mail.outbox) == ([], 1, [])
        run(port)
        assert (ear.events(), ear.beats()) == (["completed"], 2)
        run(port)
        assert (ear.events(), ear.beats()) == (["completed"], 3)
        (body,) = [body for method, _, body in ear.heard if method == "POST"]
        assert (body["source"], body["run"], body["exit"], body["found"]) == ("images", 2, 0, 6)
        assert body["totals"]["imported"] == 6 and "all 6 are accounted for" in body["text"]
        (message,) = mail.outbox
        assert message.subject == "[unlade] images: import complete"
        assert message.to == ["ada@clinic.example", "it@clinic.example"]
        assert message.body == body["text"]


def test_nothing_that_is_told_names_anybody(make_port: PortMaker, ear: Ear) -> None:
    special = {2: record(2, **{FULL: MISSING}), 3: record(3, **{FULL: raw(b"no picture", "Ada Lovelace.jpg")})}
    with make_port(
        cargo(4, special=special), environ={**ear.settings, "UNLADE_NOTIFY_TO": "it@clinic.example"}
    ) as port:
        run(port)
        everything = json.dumps([body for _, _, body in ear.heard]) + "".join(m.subject + m.body for m in mail.outbox)
        assert set(ear.events()) == {"completed", "person"}
        assert "s3cret" not in everything
        for item in port.items().values():
            for value in (item.identity, item.owner_ref, item.original_name, item.category, item.key):
                assert not value or value not in everything


def test_people_are_asked_for_once_until_the_list_is_empty(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(6, special={2: record(2, **{FULL: MISSING})}), environ=ear.settings) as port:
        run(port, limit=3)
        run(port, limit=1)
        assert ear.events() == ["person"]
        assert "1 item needs a person" in ear.heard[0][2]["text"]
        port.items()["2"].source.items.filter(record_id="2").update(state="accepted")
        run(port, limit=1)
        assert ear.events() == ["person"]
        port.items()["2"].source.items.filter(record_id="2").update(state="failed", final=True)
        run(port, limit=1)
        assert ear.events().count("person") == 2


def test_a_resting_host_is_told_once_a_rest(make_port: PortMaker, ear: Ear) -> None:
    clock = HandClock()
    sick = [{"on": "container", "do": {"status": 502, "body": "html"}}]
    with make_port(cargo(8), environ=ear.settings, faults=sick) as port:
        port.clock = clock
        assert run(port, concurrency=1)["exit"] == 75
        assert run(port, concurrency=1)["exit"] == 75
        clock.ahead += timedelta(minutes=2)
        assert run(port, concurrency=1)["exit"] == 75  # the trial fails: it is the same rest
        assert ear.events() == ["breaker"]
        assert "The host rests until" in ear.heard[0][2]["text"]
        assert ear.beats() == 3
        port.sim.set_faults([])
        clock.ahead += timedelta(minutes=10)
        assert run(port)["outcome"] == "done"
        port.sim.set_faults(sick)
        assert ear.events() == ["breaker", "completed"]


def test_a_refused_sign_in_is_told_once_and_not_as_a_failure_too(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2), environ=ear.settings) as port:
        for _ in range(3):
            ended = port.run(env={"FILEMAKER_PASSWORD": "wrong"})
            after_run(port.ended, port.rigging(FILEMAKER_PASSWORD="wrong"))
            assert ended["exit"] == 1
        assert ear.events() == ["sign_in"]
        run(port)
        assert ear.events() == ["sign_in", "completed"]


def test_failures_are_told_once_until_a_run_succeeds(make_port: PortMaker, ear: Ear) -> None:
    missing = [{"on": "records", "do": {"code": 105}}]
    with make_port(cargo(2), environ=ear.settings, faults=missing) as port:
        assert run(port)["exit"] == 1
        assert run(port)["exit"] == 1
        assert ear.events() == ["failed"]
        after_error("images", SettingsError("UNLADE_STORE is not set", remedy="Set it."), port.rigging())
        assert ear.events() == ["failed"]
        port.sim.set_faults([])
        run(port, limit=1)
        after_error("images", SettingsError("UNLADE_STORE is not set", remedy="Set it."), port.rigging())
        assert ear.events() == ["failed", "failed"]
        assert "UNLADE_STORE is not set Set it." in ear.heard[-2][2]["text"]


def test_each_share_of_the_allowance_once_a_year(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2), environ={**ear.settings, "UNLADE_ALLOWANCE": "100GB"}) as port:
        for used in (44, 46, 60, 73, 80, 82, 88):
            port.environ["UNLADE_ALLOWANCE_USED"] = f"{used}GB"
            run(port, limit=0)
        texts = [body["text"].split(" (")[0] for _, _, body in ear.heard if body]
        assert [text.split(" %")[0] for text in texts] == ["50", "80", "90"]
        assert "46 GB of 90 GB; 10 GB more are kept back" in texts[0]
        port.clock = HandClock(timedelta(days=366))
        run(port, limit=0)
        assert ear.events().count("allowance") == 4  # another year


def test_several_shares_at_once_are_one_notice(make_port: PortMaker, ear: Ear) -> None:
    limits = {"UNLADE_ALLOWANCE": "1GB", "UNLADE_ALLOWANCE_USED": "750MB"}
    with make_port(cargo(2), environ={**ear.settings, **limits}) as port:
        run(port, limit=1)
        (text,) = [body["text"] for _, _, body in ear.heard if body]
        assert text.startswith("80 %")
        assert Notice.objects.filter(kind="allowance").count() == 2


@pytest.mark.parametrize("trouble", ["dead", "500", "302"])
def test_what_is_not_taken_is_said_and_tried_again(
    make_port: PortMaker, ear: Ear, dead_url: str, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    if trouble != "dead":
        ear.status = int(trouble)
    bad = {"UNLADE_WEBHOOK_URL": dead_url, "UNLADE_HEARTBEAT_URL": dead_url} if trouble == "dead" else ear.settings
    with (
        make_port(cargo(2), environ={**bad, "UNLADE_NOTIFY_TO": "it@clinic.example"}) as port,
        caplog.at_level(logging.INFO),
    ):
        assert run(port)["exit"] == 0
        (notice,) = Notice.objects.filter(kind="completed")
        assert (notice.waits_for, notice.sent_at, notice.tries) == (["webhook"], None, 1)
        assert len(mail.outbox) == 1
        assert "the next run tries again" in caplog.text and "the heartbeat was not taken" in caplog.text
        assert "s3cret" not in caplog.text + notice.last_error
        ear.status, ear.heard[:] = 200, []
        port.environ.update(ear.settings)
        run(port)
        assert (ear.events(), ear.beats(), len(mail.outbox)) == (["completed"], 1, 1)
        notice.refresh_from_db()
        assert notice.sent_at is not None and notice.tries == 2


def test_mail_that_cannot_be_sent(make_port: PortMaker, settings: Any, dead_url: str) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(dead_url.split(":")[2].split("/")[0])
    with make_port(cargo(2), environ={"UNLADE_NOTIFY_TO": "it@clinic.example"}) as port:
        run(port)
        (notice,) = Notice.objects.all()
        assert notice.waits_for == ["mail"] and "ConnectionRefusedError" in notice.last_error


def test_who_is_set_up_later_hears_nothing_old(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2)) as port:
        run(port)
        port.environ.update(ear.settings)
        run(port)
        assert (ear.events(), ear.beats()) == ([], 1)


def test_another_process_that_sends_it_is_not_doubled(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2), environ=ear.settings) as port:
        ear.status = 500
        run(port)
        ear.status, ear.heard[:] = 200, []
        now: datetime = port.clock()
        Notice.objects.update(claimed_at=now)
        run(port)
        assert ear.events() == []
        Notice.objects.update(claimed_at=now - timedelta(hours=1))  # it died over it
        run(port)
        assert ear.events() == ["completed"]


def test_settings_that_cannot_be_used_fail_no_run(make_port: PortMaker, caplog: pytest.LogCaptureFixture) -> None:
    bad = {"UNLADE_WEBHOOK_URL": "hooks.example.com/s3cret", "UNLADE_HEARTBEAT_URL": "http://[s3cret"}
    with make_port(cargo(2), environ=bad) as port:
        assert run(port)["exit"] == 0
        assert "UNLADE_WEBHOOK_URL" in caplog.text and "UNLADE_HEARTBEAT_URL" in caplog.text
        assert "s3cret" not in caplog.text and "Traceback" not in caplog.text


@pytest.mark.slow
def test_a_server_that_never_answers_holds_nobody_up(make_port: PortMaker, ear: Ear) -> None:
    ear.silence = 60
    with make_port(cargo(2), environ={"UNLADE_WEBHOOK_URL": f"{ear.url}/hook/s3cret"}) as port:
        assert run(port)["exit"] == 0
        (notice,) = Notice.objects.filter(kind="completed")
        assert "ReadTimeout" in notice.last_error


@pytest.mark.slow
def test_the_command_tells(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2), environ=ear.settings) as port:
        code, told, err = port.command()
        assert (code, told["outcome"]) == (0, "done"), err
        assert (ear.events(), ear.beats()) == (["completed"], 1)
        code, _, _ = port.command(env={"UNLADE_STORE": "ftp://nowhere"})
        assert code == 1
        assert (ear.events(), ear.beats()) == (["completed", "failed"], 2)
