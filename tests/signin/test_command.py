"""`filemaker_login` as a person meets it: in a process of its own, at a pseudo-terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.signin.conftest import at_a_terminal, everything_in
from tests.voyage.harness import ROOT, Port, PortMaker, cargo

CLOUD = {"cloud": "true", "mfa": "totp", "device_tracking": "always"}


def env_of(port: Port, **more: str) -> dict[str, str]:
    settings = port.settings(
        FILEMAKER_AUTH="claris-id", UNLADE_CLARIS_URL=port.sim.url, FILEMAKER_PASSWORD="", UNLADE_SIGN_IN="file", **more
    )
    return {name: value for name, value in settings.items() if value}


def code(port: Port, kind: str = "authenticator_code") -> Callable[[], str]:
    return lambda: str(port.sim.cognito()["users"][port.sim.account][kind])


def without_a_terminal(port: Port, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env={**_path(), **env_of(port), "DJANGO_DEBUG": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def _path() -> dict[str, str]:
    import os

    return {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "LANG") if name in os.environ}


def test_from_the_first_sign_in_to_the_last_word(make_port: PortMaker, tmp_path: Path) -> None:
    with make_port(cargo(4), switches=CLOUD) as port:
        state, password = tmp_path / "sign-in.json", port.sim.password
        steps: list[Any] = [
            ("Password of unlade", password), ("authenticator app", "000000"), ("authenticator app", code(port)),
        ]  # fmt: skip
        ended, shown, out = at_a_terminal(["filemaker_login", "--no-color"], env_of(port), steps, tmp_path)
        assert ended == 0, shown + out
        assert "That code is not right; try again." in shown
        assert "Signed in: unlade." in out and f"in the file {state}" in out and "filemaker_doctor" in out
        assert "This machine is remembered" in out
        secrets = json.loads(state.read_text())["secrets"]
        hidden = [password, secrets["refresh_token"], secrets["device"]["password"]]
        elsewhere = everything_in(tmp_path, but=[state]).decode("utf-8", "replace")
        assert not [secret for secret in hidden if secret in shown + out + elsewhere]
        assert password not in state.read_text()

        # All later runs: no person, no password, no code.
        status, told, err = port.command(env={**env_of(port), "FILEMAKER_PASSWORD": ""})
        assert (status, told["totals"]["imported"]) == (0, 4), err

        # Again, on a machine that is remembered: no code.
        steps = [("Password of unlade", password)]
        ended, shown, out = at_a_terminal(["filemaker_login", "--json"], env_of(port), steps, tmp_path)
        said = json.loads(out.splitlines()[-1])
        assert ended == 0 and "authenticator" not in shown
        assert (said["account"], said["kept_in"], said["device"], said["needs_person"]) == (
            "unlade",
            "file",
            True,
            None,
        )
        assert said["good_until"] > said["signed_in_at"]

        done = without_a_terminal(port, "filemaker_login", "--forget")
        assert (done.returncode, done.stdout) == (0, "Signed out, and deleted: unlade.\n")
        assert not state.exists() and port.sim.cognito()["users"]["unlade"]["devices"] == []
        # Of the two sign-ins the later one was kept, and is void now; the device went with it, so the first is too.
        done = without_a_terminal(port, "filemaker_login", "--status")
        assert done.returncode == 1 and "Nobody is signed in" in done.stdout


def test_a_text_message_that_came_too_late(make_port: PortMaker, tmp_path: Path) -> None:
    with make_port(cargo(1), switches={"cloud": "true", "mfa": "sms"}) as port:

        def late() -> str:
            port.sim.advance(200)
            return code(port, "text_message")()

        steps: list[Any] = [
            ("Password of unlade", port.sim.password), ("text message", late), ("text message", code(port, "text_message"))
        ]  # fmt: skip
        ended, shown, out = at_a_terminal(["filemaker_login"], env_of(port), steps, tmp_path)
        assert ended == 0, shown
        assert "It begins anew" in shown and "This machine is remembered" not in out


def test_a_wrong_password_is_said_once_and_shown_never(make_port: PortMaker, tmp_path: Path) -> None:
    with make_port(cargo(1), switches=CLOUD) as port:
        steps = [("Password of unlade", "wr0ng-pass")]
        ended, shown, out = at_a_terminal(["filemaker_login", "--json"], env_of(port), steps, tmp_path)
        assert ended == 1 and "password is wrong" in shown and "external identity provider" in shown
        assert json.loads(out.splitlines()[-1])["exit"] == 1
        assert "wr0ng-pass" not in shown + out and not (tmp_path / "sign-in.json").exists()
        assert port.sim.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 1


def test_nobody_at_the_terminal(make_port: PortMaker, tmp_path: Path) -> None:
    with make_port(cargo(1), switches=CLOUD) as port:
        done = without_a_terminal(port, "filemaker_login", "--json")
        assert done.returncode == 1 and "needs a person at a terminal" in done.stderr
        assert json.loads(done.stdout)["exit"] == 1
        done = without_a_terminal(port, "filemaker_login", "--status", "--forget")
        assert done.returncode == 2
        done = without_a_terminal(port, "filemaker_login", "--forget")
        assert (done.returncode, done.stdout) == (0, "Nobody was signed in.\n")
        assert port.sim.cognito()["calls"] == {}


@pytest.mark.parametrize("given", [["--account", "other@clinic.example"]])
def test_an_account_that_no_run_would_use(make_port: PortMaker, tmp_path: Path, given: list[str]) -> None:
    with make_port(cargo(1), switches=CLOUD) as port:
        ended, shown, _ = at_a_terminal(["filemaker_login", *given], env_of(port), [], tmp_path)
        assert ended == 2 and "FILEMAKER_ACCOUNT" in shown
