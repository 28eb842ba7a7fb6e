"""The arithmetic of signing in, and the simulated pool, both judged by pycognito, which is neither."""

from __future__ import annotations

import base64
import random
import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from fmsim import Simulator
from tests.filemaker.claris import (
    ACCOUNT,
    PASSWORD,
    Make,
    code_of,
)
from unlade.filemaker import srp
from unlade.filemaker.config import ClarisPool


def test_our_numbers_are_those_of_pycognito() -> None:
    """The library is known to satisfy the real service."""
    aws_srp = pytest.importorskip("pycognito.aws_srp")
    rng = random.Random(11)
    for _ in range(25):
        proof = srp.Proof(rng.randbytes)
        theirs = aws_srp.AWSSRP(
            "ada", "pw-ü", "us-west-2_Pool", "client", client=object(),
            device_key="us-west-2_1", device_group_key="-g", device_password="d-pw",
        )  # fmt: skip
        theirs.small_a_value, theirs.large_a_value = proof._secret, proof.public
        server, salt = f"{rng.getrandbits(3071):x}", f"{rng.getrandbits(128):x}"
        block = base64.b64encode(rng.randbytes(80)).decode()
        given = {"USERNAME": "id-1", "USER_ID_FOR_SRP": "id-1", "SALT": salt, "SRP_B": server, "SECRET_BLOCK": block}
        for group, name, password, answer in (
            ("Pool", "id-1", "pw-ü", theirs.process_challenge),
            ("-g", "us-west-2_1", "d-pw", theirs.process_device_challenge),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # utcnow, on newer Pythons
                said = answer(given, {"USERNAME": "ada"}) if group == "Pool" else answer(given)
            ours = proof.signature(
                group, name, password, salt=salt, server=server, secret_block=block, timestamp=said["TIMESTAMP"]
            )
            assert ours == said["PASSWORD_CLAIM_SIGNATURE"]


def test_a_device_is_vouched_for_by_the_same_number_as_pycognito_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    aws_srp = pytest.importorskip("pycognito.aws_srp")
    rng = random.Random(5)
    for _ in range(10):
        secret, salt = rng.randbytes(40), rng.randbytes(16)
        monkeypatch.setattr(aws_srp.os, "urandom", lambda size, s=secret, t=salt: s if size == 40 else t)
        password, config = aws_srp.generate_hash_device("-group", "us-west-2_1f")
        ours = srp.verifier("-group", "us-west-2_1f", password, lambda _size, t=salt: t)
        assert ours == (config["PasswordVerifier"], config["Salt"])


def test_the_time_is_in_english_without_a_leading_zero() -> None:
    assert srp.timestamp(datetime(2026, 3, 5, 7, 8, 9, tzinfo=UTC)) == "Thu Mar 5 07:08:09 UTC 2026"


def test_a_server_that_cheats_is_found_out() -> None:
    with pytest.raises(ValueError, match="prime"):
        srp.Proof(random.Random(1).randbytes).signature(
            "g", "n", "p", salt="1", server=f"{srp.N:x}", secret_block="", timestamp=""
        )


# the simulator, judged by a client that is none of ours


def test_pycognito_signs_in_at_the_simulator_with_a_device_and_without(cloud: Make) -> None:
    boto3, aws_srp = pytest.importorskip("boto3"), pytest.importorskip("pycognito.aws_srp")
    exceptions = pytest.importorskip("pycognito.exceptions")
    from botocore import UNSIGNED
    from botocore.config import Config

    host = cloud(mfa="totp", device_tracking="always")
    boto = boto3.client(
        "cognito-idp", region_name="us-west-2", endpoint_url=host.url, config=Config(signature_version=UNSIGNED)
    )
    names = {"username": ACCOUNT, "password": PASSWORD, "pool_id": ClarisPool().pool, "client_id": ClarisPool().client}

    def sign_in(**device: str) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return aws_srp.AWSSRP(**names, client=boto, **device).authenticate_user()  # type: ignore[no-any-return]

    with pytest.raises(exceptions.SoftwareTokenMFAChallengeException) as asked:
        sign_in()
    challenge = asked.value.get_tokens()
    answer = {"USERNAME": challenge["ChallengeParameters"]["USER_ID_FOR_SRP"]}
    result = boto.respond_to_auth_challenge(
        ClientId=names["client_id"], ChallengeName="SOFTWARE_TOKEN_MFA", Session=challenge["Session"],
        ChallengeResponses={**answer, "SOFTWARE_TOKEN_MFA_CODE": code_of(host, "totp")},
    )["AuthenticationResult"]  # fmt: skip
    new = result["NewDeviceMetadata"]
    password, config = aws_srp.generate_hash_device(new["DeviceGroupKey"], new["DeviceKey"])
    confirmed = boto.confirm_device(
        AccessToken=result["AccessToken"], DeviceKey=new["DeviceKey"], DeviceSecretVerifierConfig=config
    )
    assert confirmed["UserConfirmationNecessary"] is False
    device = {"device_key": new["DeviceKey"], "device_group_key": new["DeviceGroupKey"], "device_password": password}
    assert sign_in(**device)["AuthenticationResult"]["IdToken"]
    with pytest.raises(boto.exceptions.NotAuthorizedException):  # re:Post: a refresh wants the device's key
        boto.initiate_auth(
            ClientId=names["client_id"], AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": result["RefreshToken"]},
        )  # fmt: skip


def test_authenticator_codes_are_those_of_rfc_6238(cloud: Make) -> None:
    host = cloud()
    user = replace_secret(host, b"12345678901234567890")
    for seconds, code in ((59, "94287082"), (1111111109, "07081804"), (2000000000, "69279037")):
        assert host.host.people.authenticator_code(user, seconds // 30) == code[-6:]


def replace_secret(host: Simulator, secret: bytes) -> Any:
    user = host.host.people.users[ACCOUNT]
    user.secret = secret
    return user
