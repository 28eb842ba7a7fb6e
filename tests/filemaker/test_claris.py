"""Claris IDs over real HTTP: the simulator plays Cognito, the clients are ours and, to judge the simulator, pycognito."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fmsim import Simulator
from tests.filemaker.conftest import Books
from tests.fmsim.sample import data_set
from unlade.errors import ConnectionBroken, HostBusy, PersonNeeded, SettingsError, SignInRefused, SourceError
from unlade.filemaker import DataApiSource, FileMakerConfig, srp
from unlade.filemaker.claris import ClarisIdentity, KeptIdentity, SignIn, signed_in
from unlade.filemaker.cognito import Challenge, Cognito, SignInOver, TokenRefused, Tokens, WrongCode
from unlade.filemaker.config import ClarisPool

ACCOUNT, PASSWORD = "reader", "s3cret-Wörd"
Make = Callable[..., Any]


@pytest.fixture
def simulate() -> Iterator[Make]:
    opened: list[Simulator] = []

    def make(**switches: str) -> Simulator:
        opened.append(Simulator(data_set(), switches={"cloud": "true", **switches}))
        opened[-1].start()
        return opened[-1]

    yield make
    for simulator in opened:
        simulator.stop()


def wall(host: Simulator) -> Callable[[], datetime]:
    return lambda: datetime.fromtimestamp(host.clock.now(), UTC)


def client_of(host: Simulator) -> Cognito:
    return Cognito(ClarisPool(url=host.url), clock=wall(host))


def code_of(host: Simulator, kind: str) -> str:
    return str(host.cognito()["users"][ACCOUNT][{"sms": "text_message", "totp": "authenticator_code"}[kind]])


def tokens_of(host: Simulator, cognito: Cognito) -> Tokens:
    reply = cognito.sign_in(ACCOUNT, PASSWORD)
    while isinstance(reply, Challenge):
        reply = cognito.answer(reply, code_of(host, reply.factor))
    return reply


class Drawer:
    """Keeps a sign-in in memory, and counts how often it is asked to."""

    def __init__(self, sign_in: SignIn | None) -> None:
        self.kept, self.saves = sign_in, 0

    def load(self) -> SignIn | None:
        return self.kept

    def save(self, sign_in: SignIn) -> None:
        self.kept, self.saves = sign_in, self.saves + 1


def left_behind(host: Simulator, cognito: Cognito) -> Drawer:
    return Drawer(signed_in(cognito, ACCOUNT, tokens_of(host, cognito), wall(host)()))


# the arithmetic


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


def test_pycognito_signs_in_at_the_simulator_with_a_device_and_without(simulate: Make) -> None:
    boto3, aws_srp = pytest.importorskip("boto3"), pytest.importorskip("pycognito.aws_srp")
    exceptions = pytest.importorskip("pycognito.exceptions")
    from botocore import UNSIGNED
    from botocore.config import Config

    host = simulate(mfa="totp", device_tracking="always")
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


def test_authenticator_codes_are_those_of_rfc_6238(simulate: Make) -> None:
    host = simulate()
    user = replace_secret(host, b"12345678901234567890")
    for seconds, code in ((59, "94287082"), (1111111109, "07081804"), (2000000000, "69279037")):
        assert host.host.people.authenticator_code(user, seconds // 30) == code[-6:]


def replace_secret(host: Simulator, secret: bytes) -> Any:
    user = host.host.people.users[ACCOUNT]
    user.secret = secret
    return user


# signing in


def test_a_password_alone_and_the_host_takes_the_token(simulate: Make) -> None:
    host = simulate()
    reply = client_of(host).sign_in(ACCOUNT, PASSWORD)
    assert isinstance(reply, Tokens) and reply.refresh and reply.new_device is None and not reply.external
    calls = host.cognito()["calls"]
    assert calls == {"InitiateAuth USER_SRP_AUTH": 1, "RespondToAuthChallenge PASSWORD_VERIFIER": 1}
    assert host.stats()["requests"]["session"] == 0  # the identity service is no part of the host


@pytest.mark.parametrize("kind", ["sms", "totp"])
def test_a_second_factor(simulate: Make, kind: str) -> None:
    host = simulate(mfa=kind)
    cognito = client_of(host)
    asked = cognito.sign_in(ACCOUNT, PASSWORD)
    assert isinstance(asked, Challenge) and asked.factor == kind
    assert asked.where == ("+*******1234" if kind == "sms" else "")
    with pytest.raises(WrongCode):
        cognito.answer(asked, "000000")
    assert isinstance(cognito.answer(asked, code_of(host, kind)), Tokens)


def test_an_authenticators_code_works_once(simulate: Make) -> None:
    host = simulate(mfa="totp")
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


def test_two_factors_to_choose_from(simulate: Make) -> None:
    host = simulate(mfa="both")
    cognito = client_of(host)
    asked = cognito.sign_in(ACCOUNT, PASSWORD)
    assert isinstance(asked, Challenge) and asked.options == ("sms", "totp")
    text = cognito.choose(asked, "sms")
    assert isinstance(text, Challenge) and text.factor == "sms"
    assert isinstance(cognito.answer(text, code_of(host, "sms")), Tokens)


@pytest.mark.parametrize("wrong_code", ["again", "ends"])
def test_a_sign_in_that_took_too_long_is_over(simulate: Make, wrong_code: str) -> None:
    host = simulate(mfa="sms", wrong_code=wrong_code)
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
def test_a_remembered_device_takes_no_second_factor(simulate: Make, tracking: str) -> None:
    host = simulate(mfa="totp", device_tracking=tracking)
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


def test_forgetting_and_revoking(simulate: Make) -> None:
    host = simulate(device_tracking="always")
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
    simulate: Make, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    host = simulate()
    host.change_account(**change)
    with pytest.raises(error) as caught:
        client_of(host).sign_in(ACCOUNT, PASSWORD)
    said = f"{caught.value} {getattr(caught.value, 'remedy', '')}"
    assert words in said
    assert PASSWORD not in said and caught.value.__cause__ is None


@pytest.mark.parametrize("answer", ["NotAuthorizedException", "UserNotFoundException", "UserLambdaValidationException"])
@pytest.mark.parametrize("existence", ["hidden", "told"])
def test_an_outside_identity_provider_is_named_whatever_the_pool_says(
    simulate: Make, answer: str, existence: str
) -> None:
    host = simulate(external_answer=answer, user_existence=existence)
    host.change_account(external=True)
    with pytest.raises(SignInRefused) as caught:
        client_of(host).sign_in(ACCOUNT, PASSWORD)
    assert "external identity provider" in caught.value.remedy
    with pytest.raises(SignInRefused):
        client_of(host).sign_in("nobody@example.com", PASSWORD)


def test_a_token_of_an_outside_identity_provider_is_recognised(simulate: Make) -> None:
    host = simulate()
    host.change_account(external=True)
    assert Tokens(host.claris_token(), "").external
    host.change_account(external=False)
    assert not Tokens(host.claris_token(), "").external


def test_a_pool_or_client_that_is_not_claris(simulate: Make) -> None:
    host = simulate()
    pool = replace(ClarisPool(url=host.url), client="another")
    with pytest.raises(Exception, match="user pool or client"):
        Cognito(pool, clock=wall(host)).sign_in(ACCOUNT, PASSWORD)


def test_addresses_that_cannot_be(simulate: Make) -> None:
    for wrong in ({"url": "http://cognito.example.com"}, {"pool": "pool"}):
        with pytest.raises(SettingsError):
            ClarisPool(**wrong)
    assert ClarisPool().address == "https://cognito-idp.us-west-2.amazonaws.com/"


def test_a_service_that_is_no_cognito_or_not_there(simulate: Make) -> None:
    host = simulate()
    clock = wall(host)
    with pytest.raises(SourceError, match="404"):
        Cognito(ClarisPool(url=f"{host.url}/-/fmdapi.log"), clock=clock).sign_in(ACCOUNT, PASSWORD)
    host.stop()
    with pytest.raises(ConnectionBroken) as caught:
        Cognito(ClarisPool(url=host.url), clock=clock).sign_in(ACCOUNT, PASSWORD)
    assert "network" in caught.value.remedy


# what runs sign in with


def test_a_run_by_password_refreshes_and_signs_in_again_when_it_must(simulate: Make) -> None:
    host = simulate()
    identity = ClarisIdentity(ACCOUNT, PASSWORD, client_of(host))
    first, second = identity.headers(fresh=False), identity.headers(fresh=False)
    assert first != second and first["Authorization"].startswith("FMID ")
    host.change_account(revoke=True)
    identity.headers(fresh=False)
    calls = host.cognito()["calls"]
    assert (calls["InitiateAuth USER_SRP_AUTH"], calls["InitiateAuth REFRESH_TOKEN_AUTH"]) == (2, 2)


def test_a_run_by_password_that_meets_a_second_factor_names_the_command(simulate: Make) -> None:
    host = simulate(mfa="sms")
    with pytest.raises(PersonNeeded) as caught:
        ClarisIdentity(ACCOUNT, PASSWORD, client_of(host)).headers(fresh=False)
    assert "filemaker_login" in caught.value.remedy


def test_a_kept_sign_in_needs_no_password_for_a_year_and_not_a_day_more(simulate: Make) -> None:
    host = simulate(mfa="totp", device_tracking="always")
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


def test_a_sign_in_that_somebody_made_meanwhile_is_taken(simulate: Make) -> None:
    host = simulate()
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
def test_a_password_in_the_settings_makes_an_ended_sign_in_anew(simulate: Make, device_tracking: str) -> None:
    host = simulate(mfa="totp", device_tracking=device_tracking)
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


def test_a_wrong_password_is_not_tried_twice(simulate: Make) -> None:
    host = simulate()
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    host.change_account(password="another")
    identity = KeptIdentity(drawer, PASSWORD, cognito, wall(host))
    with pytest.raises(SignInRefused):
        identity.headers(fresh=False)
    with pytest.raises(PersonNeeded):
        identity.headers(fresh=False)
    assert host.cognito()["calls"]["InitiateAuth USER_SRP_AUTH"] == 2


def test_a_network_that_is_down_ends_no_sign_in(simulate: Make) -> None:
    host = simulate()
    cognito = client_of(host)
    drawer = left_behind(host, cognito)
    host.change_account(throttle=1)
    identity = KeptIdentity(drawer, "", cognito, wall(host))
    with pytest.raises(HostBusy):
        identity.headers(fresh=False)
    assert drawer.saves == 0 and identity.headers(fresh=False)


def test_records_come_for_hours_by_a_kept_sign_in(simulate: Make, books: Books) -> None:
    host = simulate(mfa="sms", device_tracking="always")
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
    simulate: Make, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    host = simulate(mfa="sms", device_tracking="always")
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


def test_what_tests_may_change_can_be_changed_over_http(simulate: Make) -> None:
    host = simulate()

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
