"""Claris ID by account and password. Cognito itself cannot be had here: a stand-in with its surface takes its place."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from unlade.errors import ConnectionBroken, SettingsError, SignInRefused, SourceError, UnladeError
from unlade.filemaker.claris import CLIENT, POOL, ClarisIdentity, _cognito


class Refusal(Exception):
    def __init__(self, code: str) -> None:
        super().__init__("the password pw-1 is wrong")
        self.response = {"Error": {"Code": code}}


class SoftwareTokenMFAChallengeException(Exception):
    pass


class Cognito:
    def __init__(self, *, sign_in: Exception | None = None, refresh: Exception | None = None) -> None:
        self.sign_in, self.refresh = sign_in, refresh
        self.calls: list[str] = []
        self.id_token = ""

    def authenticate(self, password: str) -> None:
        assert password == "pw-1"
        self.calls.append("authenticate")
        if self.sign_in:
            raise self.sign_in
        self.id_token = f"id-{len(self.calls)}"

    def renew_access_token(self) -> None:
        self.calls.append("renew")
        if self.refresh:
            raise self.refresh
        self.id_token = f"id-{len(self.calls)}"


def test_signs_in_first_and_refreshes_afterwards() -> None:
    cognito = Cognito()
    identity = ClarisIdentity("me@example.com", "pw-1", cognito=cognito)
    assert [identity.headers(fresh=False)["Authorization"] for _ in range(2)] == ["FMID id-1", "FMID id-2"]
    assert cognito.calls == ["authenticate", "renew"]
    identity.headers(fresh=True)
    assert cognito.calls[2:] == ["authenticate"]


def test_a_refresh_token_that_has_expired() -> None:
    cognito = Cognito(refresh=Refusal("NotAuthorizedException"))
    identity = ClarisIdentity("me@example.com", "pw-1", cognito=cognito)
    identity.headers(fresh=False)
    identity.headers(fresh=False)
    assert cognito.calls == ["authenticate", "renew", "authenticate"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refusal("NotAuthorizedException"), SignInRefused),
        (Refusal("UserNotFoundException"), SignInRefused),
        (Refusal("PasswordResetRequiredException"), SignInRefused),
        (SoftwareTokenMFAChallengeException(), SignInRefused),
        (Refusal("TooManyRequestsException"), SignInRefused),
        (ConnectionResetError(), ConnectionBroken),
        (ValueError("x"), SourceError),
    ],
)
def test_refusals_are_typed_and_quote_nothing(error: Exception, kind: type[UnladeError]) -> None:
    with pytest.raises(kind) as caught:
        ClarisIdentity("me@example.com", "pw-1", cognito=Cognito(sign_in=error)).headers(fresh=False)
    assert "pw-1" not in str(caught.value)


def test_the_real_library_takes_our_settings() -> None:
    cognito: Any = _cognito("me@example.com")
    assert (cognito.user_pool_id, cognito.client_id, cognito.username) == (POOL, CLIENT, "me@example.com")
    assert callable(cognito.authenticate) and callable(cognito.renew_access_token)
    config = cognito.client.meta.config
    assert (config.connect_timeout, config.read_timeout, cognito.client.meta.region_name) == (10, 60, "us-west-2")


def test_without_the_library_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycognito", None)
    with pytest.raises(SettingsError) as caught:
        ClarisIdentity("me@example.com", "pw-1")
    assert "unlade[claris]" in caught.value.remedy
