"""What runs sign in with: a password, or what somebody's sign-in left."""

from __future__ import annotations

import hashlib
import json
import logging
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import pytest

from tests.filemaker.claris import (
    ACCOUNT,
    PASSWORD,
    Drawer,
    Make,
    client_of,
    left_behind,
    wall,
)
from tests.filemaker.conftest import Books
from unlade.errors import HostBusy, PersonNeeded, SignInRefused
from unlade.filemaker import DataApiSource, FileMakerConfig
from unlade.filemaker.claris import ClarisIdentity, KeptIdentity, SignIn
from unlade.filemaker.cognito import Tokens
from unlade.filemaker.config import ClarisPool


def test_a_run_by_password_refreshes_and_signs_in_again_when_it_must(cloud: Make) -> None:
    host = cloud()
    identity = ClarisIdentity(ACCOUNT, PASSWORD, client_of(host))
    first, second = identity.headers(fresh=False), identity.headers(fresh=False)
    assert first != second and first["Authorization"].startswith("FMID ")
    host.change_account(revoke=True)
    identity.headers(fresh=False)
    calls = host.cognito()["calls"]
    assert (calls["InitiateAuth USER_SRP_AUTH"], calls["InitiateAuth REFRESH_TOKEN_AUTH"]) == (2, 2)


def test_a_run_by_password_that_meets_a_second_factor_names_the_command(cloud: Make) -> None:
    host = cloud(mfa="sms")
    with pytest.raises(PersonNeeded) as caught:
        ClarisIdentity(ACCOUNT, PASSWORD, client_of(host)).headers(fresh=False)
    assert "filemaker_login" in caught.value.remedy


def test_a_kept_sign_in_needs_no_password_for_a_year_and_not_a_day_more(cloud: Make) -> None:
    host = cloud(mfa="totp", device_tracking="always")
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    assert drawer.kept is not None
    identity = KeptIdentity(drawer, "", cognito, wall(host))
    host.advance(364 * 86400)
    assert identity.headers(fresh=False)["Authorization"].startswith("FMID ")
    assert drawer.saves == 0 and drawer.kept.good_until == drawer.kept.signed_in_at + timedelta(days=365)
    host.advance(2 * 86400)
    for _ in range(3):
        with pytest.raises(PersonNeeded, match="expired") as caught:
            identity.headers(fresh=False)
        assert "filemaker_login" in caught.value.remedy
    assert drawer.kept.over == "has expired" and drawer.saves == 1
    assert host.cognito()["calls"]["InitiateAuth REFRESH_TOKEN_AUTH"] == 2  # asked once in vain, and never again


def test_a_sign_in_that_somebody_made_meanwhile_is_taken(cloud: Make) -> None:
    host = cloud()
    cognito = client_of(host)
    old, new = left_behind(host, cognito), left_behind(host, cognito)
    assert old.kept is not None
    cognito.revoke(old.kept.refresh_token)

    class Turning(Drawer):
        """Another process signs in between our first look and our second."""

        def load(self) -> SignIn | None:
            kept, self.kept = self.kept, new.kept
            return kept

    assert KeptIdentity(Turning(old.kept), "", cognito, wall(host)).headers(fresh=False)


@pytest.mark.parametrize("device_tracking", ["off", "always"])
def test_a_password_in_the_settings_makes_an_ended_sign_in_anew(cloud: Make, device_tracking: str) -> None:
    host = cloud(mfa="totp", device_tracking=device_tracking)
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    host.change_account(revoke=True)
    identity = KeptIdentity(drawer, PASSWORD, cognito, wall(host))
    if device_tracking == "always":
        assert identity.headers(fresh=False) and identity.headers(fresh=False)
        assert drawer.kept is not None and not drawer.kept.over and drawer.kept.device is not None
        return
    for _ in range(2):
        with pytest.raises(PersonNeeded):
            identity.headers(fresh=False)
    assert host.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 2  # at the terminal, and once in vain


def test_a_wrong_password_is_not_tried_twice(cloud: Make) -> None:
    host = cloud()
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    host.change_account(password="another")
    identity = KeptIdentity(drawer, PASSWORD, cognito, wall(host))
    with pytest.raises(SignInRefused):
        identity.headers(fresh=False)
    with pytest.raises(PersonNeeded):
        identity.headers(fresh=False)
    assert host.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 2


def test_a_network_that_is_down_ends_no_sign_in(cloud: Make) -> None:
    host = cloud()
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    host.change_account(throttle=1)
    identity = KeptIdentity(drawer, "", cognito, wall(host))
    with pytest.raises(HostBusy):
        identity.headers(fresh=False)
    assert drawer.saves == 0 and identity.headers(fresh=False)


def test_records_come_for_hours_by_a_kept_sign_in(cloud: Make, books: Books) -> None:
    host = cloud(mfa="sms", device_tracking="always")
    clock = wall(host)
    drawer = left_behind(host, client_of(host))
    config = FileMakerConfig(
        url=host.url, database=host.database, auth="claris-id", claris_pool=ClarisPool(url=host.url), kept=drawer
    )
    source = DataApiSource(
        config, layout="Photos", containers=("photo",), toll=books, gate=books, clock=clock, sleep=lambda _: None
    )
    for _ in range(30):
        assert source.count().found == 6
        host.advance(600)
    source.close()
    stats = host.stats()
    assert stats["statuses"].get("401", 0) == 0 and stats["open_sessions"] == 0 and stats["logins"] > 4


def test_nothing_that_is_logged_or_shown_holds_a_secret(
    cloud: Make, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    host = cloud(mfa="sms", device_tracking="always")
    cognito = client_of(host)
    with caplog.at_level(logging.DEBUG):
        drawer = left_behind(host, cognito)
        KeptIdentity(drawer, "", cognito, wall(host)).headers(fresh=False)
        host.change_account(revoke=True)
        with pytest.raises(PersonNeeded) as caught:
            KeptIdentity(drawer, "", cognito, wall(host)).headers(fresh=False)
    kept = drawer.kept
    assert kept is not None and kept.device is not None
    config = FileMakerConfig(url="https://h", database="d", auth="claris-id", kept=drawer)
    everything = caplog.text + repr(kept) + repr(config) + repr(caught.value) + json.dumps(host.log())
    for secret in (PASSWORD, kept.refresh_token, kept.device.password, hashlib.sha256(b"").hexdigest()):
        assert secret not in everything


def test_what_tests_may_change_can_be_changed_over_http(cloud: Make) -> None:
    host = cloud()

    def put(wishes: dict[str, Any]) -> int:
        request = urllib.request.Request(f"{host.url}/-/cognito", json.dumps(wishes).encode(), method="PUT")
        try:
            with urllib.request.urlopen(request) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert put({"mfa": "totp", "revoke": True}) == 200
    assert put({"account": "writer", "password": "new"}) == 200
    assert (put({"mfa": "carrier pigeon"}), put({"account": "no one", "revoke": True})) == (400, 400)
    with urllib.request.urlopen(f"{host.url}/-/cognito") as reply:
        said = json.loads(reply.read())
    assert said["users"][ACCOUNT]["mfa"] == "totp" and len(said["users"][ACCOUNT]["authenticator_code"]) == 6
    assert isinstance(client_of(host).sign_in("writer", "new"), Tokens)
    with pytest.raises(SignInRefused):
        client_of(host).sign_in("writer", "w")
