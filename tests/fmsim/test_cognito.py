"""The sign-in service beside the host: what it refuses, asked by hand; tests/filemaker/test_claris.py asks the rest."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from fmsim import Simulator
from tests.fmsim.sample import Client, data_set

CLIENT = "4l9rvl4mv5es1eep1qe97cautn"


def ask(sim: Simulator, call: str, **body: Any) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        sim.url + "/", json.dumps(body).encode(), {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{call}"}
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status), json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("call", "body", "name"),
    [
        ("DeleteUserPool", {}, "UnknownOperationException"),
        ("InitiateAuth", {}, "InvalidParameterException"),
        ("InitiateAuth", {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {}}, "InvalidParameterException"),
        ("InitiateAuth", {"ClientId": "other", "AuthFlow": "USER_SRP_AUTH"}, "ResourceNotFoundException"),
        ("InitiateAuth", {"AuthFlow": "USER_SRP_AUTH", "AuthParameters": {"USERNAME": "reader", "SRP_A": "0"}}, "InvalidParameterException"),
        ("InitiateAuth", {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": "x"}}, "NotAuthorizedException"),
        ("RespondToAuthChallenge", {"ChallengeName": "SMS_MFA", "Session": "x", "ChallengeResponses": {"SMS_MFA_CODE": "1"}}, "NotAuthorizedException"),
        ("ConfirmDevice", {"AccessToken": "x", "DeviceKey": "us-west-2_1"}, "NotAuthorizedException"),
        ("GlobalSignOut", {"AccessToken": "x"}, "NotAuthorizedException"),
    ],
)  # fmt: skip
def test_what_it_refuses(call: str, body: dict[str, Any], name: str) -> None:
    with Simulator(data_set()) as sim:
        status, said = ask(sim, call, **{"ClientId": CLIENT, **body})
        assert (status, said["__type"]) == (400, name)
        assert sim.stats()["statuses"] == {}


def test_the_host_takes_only_tokens_that_were_given_out_and_are_not_old() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        good = sim.claris_token()
        head, claims, _ = good.split(".")
        for forged in (f"{head}.{claims}.c2lnbmF0dXJl", f"{head}.{claims}.", "x"):
            assert client.log_in(Authorization=f"FMID {forged}").status == 401
        assert client.log_in(Authorization=f"FMID {good}").status == 200
        sim.advance(3601)
        assert client.log_in(Authorization=f"FMID {good}").status == 401


def test_a_new_password_holds_for_both_kinds_of_accounts_and_over_a_reset() -> None:
    with Simulator(data_set()) as sim, Client(sim) as client:
        sim.change_account(password="n3w")
        assert (client.log_in().code, sim.password) == ("212", "n3w")
        sim.reset()
        with Client(sim, "reader", "n3w") as again:
            assert again.log_in().status == 200
        with pytest.raises(ValueError, match="no account"):
            sim.change_account("no one", revoke=True)
