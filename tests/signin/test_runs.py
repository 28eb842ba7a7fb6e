"""Runs by a kept sign-in: for weeks without anybody, and one clear word when somebody is needed."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.notify.conftest import Ear, ear
from tests.signin.conftest import Strongbox, everything_in
from tests.voyage.harness import Port, PortMaker, cargo
from unlade.doctor.examine import examine
from unlade.doctor.lines import Line
from unlade.errors import PersonNeeded, SettingsError
from unlade.filemaker.claris import signed_in
from unlade.filemaker.cognito import Challenge, Cognito
from unlade.importer import get_import
from unlade.notify import after_error, after_run
from unlade.report.status import gather
from unlade.report.status_text import render

__all__ = ["ear"]

CLOUD = {"cloud": "true", "mfa": "totp", "device_tracking": "always"}


def claris(port: Port, **more: str) -> Port:
    """From now on runs of this port sign in with a Claris ID, and go by the host's clock."""
    port.environ |= {
        "FILEMAKER_AUTH": "claris-id",
        "UNLADE_CLARIS_URL": port.sim.url,
        "FILEMAKER_PASSWORD": "",
        "UNLADE_SIGN_IN": "file",
        **more,
    }
    port.clock = lambda: datetime.fromtimestamp(port.sim.clock.now(), UTC)
    return port


def sign_in(port: Port, password: str = "") -> None:
    """What `filemaker_login` does, without the terminal."""
    rig = port.rigging()
    cognito = Cognito(rig.claris_pool(), clock=rig.clock)
    reply = cognito.sign_in(port.sim.account, password or port.sim.password)
    while isinstance(reply, Challenge):
        reply = cognito.answer(reply, port.sim.cognito()["users"][port.sim.account]["authenticator_code"])
    keeping = rig.keeping()
    keeping.save(signed_in(cognito, port.sim.account, reply, rig.clock()), keeping.choose())


def run(port: Port, **options: Any) -> dict[str, Any]:
    """A run, and what is told of it, as the command does both."""
    ended = port.run(**options)
    after_run(port.ended, port.rigging())
    return ended


def refreshes(port: Port) -> int:
    return int(port.sim.cognito()["calls"].get("InitiateAuth REFRESH_TOKEN_AUTH", 0))


def test_five_weeks_without_anybody(make_port: PortMaker) -> None:
    with make_port(cargo(8), switches=CLOUD) as port:
        sign_in(claris(port))
        for week in range(1, 5):
            ended = run(port, limit=2)
            assert (ended["exit"], ended["totals"]["imported"]) == (0, 2 * week)
            port.sim.advance(7 * 86400)
        assert port.sim.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 1


@pytest.mark.parametrize(
    "happens",
    [
        {"password": "a-new-passw0rd"},
        {"mfa": "sms", "revoke": True},
        {"disabled": True},
        {"forget_devices": True},
    ],
    ids=["password", "code", "disabled", "device"],
)
def test_a_run_that_needs_a_person_ends_once_says_so_once_and_asks_no_more(
    make_port: PortMaker, ear: Ear, happens: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with make_port(cargo(6), switches=CLOUD, environ=ear.settings) as port, caplog.at_level(logging.DEBUG):
        sign_in(claris(port))
        assert run(port, limit=2)["exit"] == 0
        port.sim.change_account(**happens)
        ended = run(port, limit=2)
        assert (ended["exit"], ended["outcome"]) == (1, "failed")
        assert isinstance(port.ended.error, PersonNeeded) and "filemaker_login" in port.ended.error.remedy
        asked, logins = dict(port.sim.cognito()["calls"]), port.sim.stats()["logins"]
        for _ in range(3):
            assert run(port, limit=2)["exit"] == 1
            assert isinstance(port.ended.error, PersonNeeded)
        assert (dict(port.sim.cognito()["calls"]), port.sim.stats()["logins"]) == (asked, logins)
        assert ear.events() == ["sign_in"]
        told = next(body for _, _, body in ear.heard if body)
        assert "filemaker_login" in told["text"]
        status = gather({"images": get_import("images")}, port.clock())
        assert "filemaker_login" in status.next_command and render(status).count("filemaker_login") >= 2

        # Somebody signs in, and it goes on by itself; a second time is told anew.
        port.sim.change_account(disabled=False, mfa="none")
        sign_in(port)
        assert run(port)["totals"]["imported"] == 6
        assert ear.events() == ["sign_in", "completed"]
        port.sim.change_account(revoke=True)
        assert run(port)["exit"] == 1
        assert ear.events() == ["sign_in", "completed", "sign_in"]
        kept = port.rigging().keeping().load()
        assert kept is not None
        seen = caplog.text + json.dumps([body for _, _, body in ear.heard]) + json.dumps(ended, default=str)
        for secret in (kept.refresh_token, port.sim.password, kept.device.password if kept.device else "no device"):
            assert secret not in seen


def test_a_password_run_that_meets_a_second_factor_sends_one_text_message(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(4), switches={"cloud": "true"}, environ=ear.settings) as port:
        claris(port, FILEMAKER_PASSWORD=port.sim.password)
        assert run(port, limit=1)["exit"] == 0
        port.sim.change_account(mfa="sms")
        for _ in range(3):
            assert run(port, limit=1)["exit"] == 1
            assert isinstance(port.ended.error, PersonNeeded)
        assert port.sim.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 2  # the good one, and one in vain
        assert ear.events() == ["sign_in"]
        port.sim.change_account(mfa="totp")
        sign_in(port)
        assert run(port)["totals"]["imported"] == 4


def test_nobody_has_signed_in_yet(make_port: PortMaker, ear: Ear) -> None:
    with make_port(cargo(2), switches=CLOUD, environ=ear.settings) as port:
        claris(port)
        for _ in range(2):
            with pytest.raises(SettingsError, match="Nobody has signed in") as caught:
                port.run()
            after_error("images", caught.value, port.rigging())
        assert "filemaker_login" in caught.value.remedy
        assert ear.events() == ["failed"] and port.sim.cognito()["calls"] == {}


def test_a_sign_in_of_another_account_or_pool_is_not_used(make_port: PortMaker) -> None:
    with make_port(cargo(2), switches=CLOUD) as port:
        sign_in(claris(port))
        rig = port.rigging()
        assert rig.kept_sign_in() is not None
        assert port.rigging(FILEMAKER_ACCOUNT="").kept_sign_in() is not None
        assert port.rigging(FILEMAKER_ACCOUNT="UNLADE").kept_sign_in() is not None
        assert port.rigging(FILEMAKER_ACCOUNT="somebody@else.example").kept_sign_in() is None
        assert port.rigging(UNLADE_CLARIS_POOL="us-west-2_other").kept_sign_in() is None
        assert port.rigging(FILEMAKER_AUTH="basic").kept_sign_in() is None
        assert port.rigging(FILEMAKER_CLARIS_TOKEN="ready").kept_sign_in() is None


def test_a_ready_token_goes_before_everything(make_port: PortMaker) -> None:
    with make_port(cargo(2), switches=CLOUD) as port:
        claris(port, FILEMAKER_CLARIS_TOKEN=port.sim.claris_token())
        assert run(port)["totals"]["imported"] == 2
        assert port.sim.cognito()["calls"] == {}


def test_runs_by_the_keyring_leave_no_secret_on_the_disk(
    make_port: PortMaker, strongbox: Strongbox, tmp_path: Path
) -> None:
    with make_port(cargo(3), switches=CLOUD) as port:
        sign_in(claris(port, UNLADE_SIGN_IN="auto"))
        assert run(port)["totals"]["imported"] == 3
        kept = port.rigging().keeping().load()
        assert kept is not None and kept.device is not None and strongbox.entries
        disk = everything_in(tmp_path)
        for secret in (kept.refresh_token, kept.device.password, port.sim.password):
            assert secret.encode() not in disk
        strongbox.locked = True
        ended = run(port)
        assert ended["exit"] == 1 and "keyring" in ended["reason"]
        strongbox.locked = False
        assert run(port)["exit"] == 0  # a locked keyring is no refusal: nothing is remembered against the sign-in


# the doctor and the command, in process


def lines(port: Port) -> list[Line]:
    return [line for line in examine([get_import("images")], port.rigging()) if line.topic in ("sign-in", "login")]


def test_the_doctor_says_until_when_it_is_good(make_port: PortMaker) -> None:
    with make_port(cargo(2), switches=CLOUD) as port:
        claris(port)
        (nobody, *_) = lines(port)
        assert nobody.level == "error" and "filemaker_login" in nobody.remedy
        sign_in(port)
        kept, login = lines(port)
        assert (kept.level, login.level) == ("ok", "ok")
        assert "good until about" in kept.message and "by Claris's word" in kept.message
        assert str(port.folder / "sign-in.json") in kept.message and "device key" in kept.message
        port.sim.advance(340 * 86400)
        assert lines(port)[0].level == "warning"
        port.sim.change_account(revoke=True)
        assert run(port)["exit"] == 1
        before = refreshes(port)
        ended, login = lines(port)
        assert ended.level == "error" and "filemaker_login" in ended.remedy and login.skipped
        assert refreshes(port) == before


def test_the_doctor_about_tokens_passwords_and_open_files(make_port: PortMaker) -> None:
    with make_port(cargo(1), switches={"cloud": "true"}) as port:
        claris(port, FILEMAKER_CLARIS_TOKEN=port.sim.claris_token())
        assert "nothing here can renew it" in lines(port)[0].message
        port.environ["FILEMAKER_CLARIS_TOKEN"] = port.sim.claris_token(-1)
        assert lines(port)[0].level == "error"
        port.environ["FILEMAKER_CLARIS_TOKEN"] = "opaque"
        assert "cannot be read" in lines(port)[0].message
        port.sim.change_account(external=True)
        port.environ["FILEMAKER_CLARIS_TOKEN"] = port.sim.claris_token()
        assert "external identity provider" in lines(port)[0].remedy
        port.sim.change_account(external=False)
        port.environ |= {"FILEMAKER_CLARIS_TOKEN": "", "FILEMAKER_PASSWORD": port.sim.password}
        assert "FILEMAKER_PASSWORD" in lines(port)[0].message
        sign_in(port)
        port.rigging().keeping().path.chmod(0o644)
        assert any("read by others" in line.message for line in lines(port))
        port.environ["FILEMAKER_AUTH"] = "basic"
        assert [line.topic for line in lines(port)] == ["login"]
