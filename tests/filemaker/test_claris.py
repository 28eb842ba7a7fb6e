"""Signing in with a Claris ID over real HTTP; the simulator plays Cognito."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.filemaker.claris import (
    ACCOUNT,
    PASSWORD,
    Make,
    client_of,
    code_of,
    tokens_of,
    wall,
)
from unlade.errors import ConnectionBroken, HostBusy, SettingsError, SignInRefused, SourceError
from unlade.filemaker.cognito import Challenge, Cognito, SignInOver, TokenRefused, Tokens, WrongCode
from unlade.filemaker.config import ClarisPool


def test_a_password_alone_and_the_host_takes_the_token(cloud: Make) -> None:
    host = cloud()
    reply = client_of(host).sign_in(ACCOUNT, PASSWORD)
    assert isinstance(reply, Tokens) and reply.refresh and reply.new_device is None and not reply.external
    calls = host.cognito()["calls"]
    assert calls == {"InitiateAuth USER_SRP_AUTH": 1, "RespondToAuthChallenge PASSWORD_VERIFIER": 1}
    assert host.stats()["requests"]["session"] == 0  # the identity service is no part of the host


@pytest.mark.parametrize("kind", ["sms", "totp"])
def test_a_second_factor(cloud: Make, kind: str) -> None:
    host = cloud(mfa=kind)
    cognito = client_of(host)
    asked = cognito.sign_in(ACCOUNT, PASSWORD)
    assert isinstance(asked, Challenge) and asked.factor == kind
    assert asked.where == ("+*******1234" if kind == "sms" else "")
    with pytest.raises(WrongCode):
        cognito.answer(asked, "000000")
    assert isinstance(cognito.answer(asked, code_of(host, kind)), Tokens)


def test_an_authenticators_code_works_once(cloud: Make) -> None:
    host = cloud(mfa="totp")
    cognito = client_of(host)
    code = code_of(host, "totp")
    for kind in (Tokens, WrongCode):
        asked = cognito.sign_in(ACCOUNT, PASSWORD)
        assert isinstance(asked, Challenge)
        if kind is Tokens:
            assert isinstance(cognito.answer(asked, code), Tokens)
        else:
            with pytest.raises(WrongCode):
                cognito.answer(asked, code)


def test_two_factors_to_choose_from(cloud: Make) -> None:
    host = cloud(mfa="both")
    cognito = client_of(host)
    asked = cognito.sign_in(ACCOUNT, PASSWORD)
    assert isinstance(asked, Challenge) and asked.options == ("sms", "totp")
    text = cognito.choose(asked, "sms")
    assert isinstance(text, Challenge) and text.factor == "sms"
    assert isinstance(cognito.answer(text, code_of(host, "sms")), Tokens)


@pytest.mark.parametrize("wrong_code", ["again", "ends"])
def test_a_sign_in_that_took_too_long_is_over(cloud: Make, wrong_code: str) -> None:
    host = cloud(mfa="sms", wrong_code=wrong_code)
    cognito = client_of(host)
    asked = cognito.sign_in(ACCOUNT, PASSWORD)
    assert isinstance(asked, Challenge)
    code = code_of(host, "sms")
    if wrong_code == "ends":
        with pytest.raises(WrongCode):
            cognito.answer(asked, "000000")
    else:
        host.advance(181)
    with pytest.raises(SignInOver):
        cognito.answer(asked, code)


@pytest.mark.parametrize("tracking", ["always", "opt-in"])
def test_a_remembered_device_takes_no_second_factor(cloud: Make, tracking: str) -> None:
    host = cloud(mfa="totp", device_tracking=tracking)
    cognito = client_of(host)
    tokens = tokens_of(host, cognito)
    device = cognito.remember(tokens)
    assert device is not None
    assert cognito.refresh(tokens.refresh, device.key).id
    with pytest.raises(TokenRefused):
        cognito.refresh(tokens.refresh)
    again = cognito.sign_in(ACCOUNT, PASSWORD, device)
    assert isinstance(again, Tokens)
    assert "RespondToAuthChallenge DEVICE_PASSWORD_VERIFIER" in host.cognito()["calls"]
    # A device that the pool forgot, or that is not ours, is no obstacle: the code is asked for again.
    for changed in (replace(device, password="other"), device):
        if changed is device:
            host.change_account(forget_devices=True)
        assert isinstance(cognito.sign_in(ACCOUNT, PASSWORD, changed), Challenge)


def test_forgetting_and_revoking(cloud: Make) -> None:
    host = cloud(device_tracking="always")
    cognito = client_of(host)
    tokens = tokens_of(host, cognito)
    device = cognito.remember(tokens)
    assert device is not None and host.cognito()["users"][ACCOUNT]["devices"] == [device.key]
    cognito.forget(tokens, device)
    cognito.forget(tokens, device)
    cognito.revoke(tokens.refresh)
    assert host.cognito()["users"][ACCOUNT]["devices"] == []
    assert host.cognito()["users"][ACCOUNT]["refresh_tokens"] == 0
    with pytest.raises(TokenRefused, match="ended"):
        cognito.refresh(tokens.refresh, device.key)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"external": True}, SignInRefused, "external identity provider"),
        ({"disabled": True}, SignInRefused, "switched off"),
        ({"must_reset": True}, SignInRefused, "new password"),
        ({"new_password": True}, SignInRefused, "new password"),
        ({"throttle": 1}, HostBusy, "patience"),
        ({"password": "another"}, SignInRefused, "password is wrong"),
    ],
)
def test_refusals_are_typed_and_quote_nothing(
    cloud: Make, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    host = cloud()
    host.change_account(**change)
    with pytest.raises(error) as caught:
        client_of(host).sign_in(ACCOUNT, PASSWORD)
    said = f"{caught.value} {getattr(caught.value, 'remedy', '')}"
    assert words in said
    assert PASSWORD not in said and caught.value.__cause__ is None


@pytest.mark.parametrize("answer", ["NotAuthorizedException", "UserNotFoundException", "UserLambdaValidationException"])
@pytest.mark.parametrize("existence", ["hidden", "told"])
def test_an_outside_identity_provider_is_named_whatever_the_pool_says(cloud: Make, answer: str, existence: str) -> None:
    host = cloud(external_answer=answer, user_existence=existence)
    host.change_account(external=True)
    with pytest.raises(SignInRefused) as caught:
        client_of(host).sign_in(ACCOUNT, PASSWORD)
    assert "external identity provider" in caught.value.remedy
    with pytest.raises(SignInRefused):
        client_of(host).sign_in("nobody@example.com", PASSWORD)


def test_a_token_of_an_outside_identity_provider_is_recognised(cloud: Make) -> None:
    host = cloud()
    host.change_account(external=True)
    assert Tokens(host.claris_token(), "").external
    host.change_account(external=False)
    assert not Tokens(host.claris_token(), "").external


def test_a_pool_or_client_that_is_not_claris(cloud: Make) -> None:
    host = cloud()
    pool = replace(ClarisPool(url=host.url), client="another")
    with pytest.raises(Exception, match="user pool or client"):
        Cognito(pool, clock=wall(host)).sign_in(ACCOUNT, PASSWORD)


def test_addresses_that_cannot_be(cloud: Make) -> None:
    for wrong in ({"url": "http://cognito.example.com"}, {"pool": "pool"}):
        with pytest.raises(SettingsError):
            ClarisPool(**wrong)
    assert ClarisPool().address == "https://cognito-idp.us-west-2.amazonaws.com/"


def test_a_service_that_is_no_cognito_or_not_there(cloud: Make) -> None:
    host = cloud()
    clock = wall(host)
    with pytest.raises(SourceError, match="404"):
        Cognito(ClarisPool(url=f"{host.url}/-/fmdapi.log"), clock=clock).sign_in(ACCOUNT, PASSWORD)
    host.stop()
    with pytest.raises(ConnectionBroken) as caught:
        Cognito(ClarisPool(url=host.url), clock=clock).sign_in(ACCOUNT, PASSWORD)
    assert "network" in caught.value.remedy
