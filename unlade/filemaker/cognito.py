"""Amazon Cognito, which checks Claris IDs: the few calls of its public API that a sign-in takes, over HTTPS.

Written out here on httpx2 rather than with pycognito (2024.5.1, its last) over boto3. pycognito cannot be given a
remembered device in `Cognito.authenticate`, sends no device key with a refresh (which a pool that tracks devices refuses,
re:Post "Invalid Refresh Token"), confirms devices at an address of its own, passes no session on to a device's
challenges, and calls `datetime.utcnow`, which newer Pythons warn of; botocore logs whole requests, tokens among them,
when somebody turns debugging on. What is left is six POSTs without a signature. pycognito's arithmetic judges ours in
the tests, and pycognito itself the simulator.

Sources: API reference of Amazon Cognito user pools; "Working with user devices in your user pool"; FILEMAKER.md 1.5.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import httpx2

from unlade.errors import (
    ConnectionBroken,
    HostBusy,
    HostTimeout,
    ProtocolError,
    SignInRefused,
    SourceError,
)
from unlade.filemaker import srp
from unlade.filemaker.config import ClarisPool

Factor = Literal["sms", "totp", "email", "choose"]

_FACTORS: dict[str, Factor] = {"SMS_MFA": "sms", "SOFTWARE_TOKEN_MFA": "totp", "EMAIL_OTP": "email"}
_NAMES = {factor: name for name, factor in _FACTORS.items()}
_DEVICE = "unlade"  #: what this machine is called in the list of a Claris ID's devices

#: What a person can do about an account that cannot be let in, in every case in which we cannot tell which it is.
EXTERNAL = (
    "An account that signs in at a company's own page (an external identity provider) cannot be used by programs: "
    "FileMaker Cloud's Data API takes Claris IDs alone."
)

logging.getLogger("httpx2").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Device:
    """This machine, as the pool remembers it. With it a sign-in takes no second factor."""

    key: str
    group: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh gives. `refresh`: "" where the former one stays good."""

    id: str = field(repr=False)
    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    new_device: tuple[str, str] | None = field(default=None, repr=False)  #: key and group of a device to be confirmed

    @property
    def external(self) -> bool:
        """The account comes from an external identity provider: Cognito then names it in the token."""
        return bool(claims_of(self.id).get("identities"))


@dataclass(frozen=True, slots=True)
class Challenge:
    """A second factor is asked for. `where` says where the code went, masked; `options` are to choose from."""

    factor: Factor
    username: str = field(repr=False)
    session: str = field(repr=False)
    where: str = ""
    options: tuple[Factor, ...] = ()


class WrongCode(SignInRefused):
    """The code is not right; another try is possible."""


class SignInOver(SignInRefused):
    """This sign-in took too long, or had too many wrong codes; it can begin anew."""


class TokenRefused(SignInRefused):
    """The refresh token is not good any more. `why` says it in a few words of our own."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The kept sign-in {why}")
        self.why = why


class _Refused(Exception):
    """Cognito's error, by its name. Its words are looked at, and never passed on."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(name)
        self.name, self.words = name, words.lower()


class Cognito:
    """One pool. Safe to use from any thread. `clock` gives aware times, `random` unforeseeable bytes."""

    def __init__(
        self,
        pool: ClarisPool,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.pool = pool
        self._clock, self._random = clock, random

    # signing in

    def sign_in(self, account: str, password: str, device: Device | None = None) -> Tokens | Challenge:
        """Prove `password`, and the device where one is remembered.

        Raises `SignInRefused`, `HostBusy`, `ConnectionBroken`, `HostTimeout`, `SourceError`.
        """
        try:
            return self._sign_in(account, password, device)
        except _Refused as refused:
            raise _typed(refused) from None
        except (KeyError, ValueError):
            raise ProtocolError("The Claris ID sign-in service left out what a sign-in takes") from None

    def _sign_in(self, account: str, password: str, device: Device | None) -> Tokens | Challenge:
        with_device = {"DEVICE_KEY": device.key} if device else {}
        proof = srp.Proof(self._random)
        start = {"USERNAME": account, "SRP_A": proof.opening, **with_device}
        try:
            asked = self._call("InitiateAuth", AuthFlow="USER_SRP_AUTH", AuthParameters=start)
            _expect(asked, "PASSWORD_VERIFIER")
            given = asked["ChallengeParameters"]
            username = given.get("USERNAME", account)
            answer = self._claim(proof, self.pool.group, given["USER_ID_FOR_SRP"], password, given)
            reply = self._respond("PASSWORD_VERIFIER", asked, {"USERNAME": username, **answer, **with_device})
        except _Refused as refused:
            if device is None or refused.name != "ResourceNotFoundException":
                raise
            return self._sign_in(account, password, None)  # the pool has forgotten this machine
        if reply.get("ChallengeName") == "DEVICE_SRP_AUTH" and device is not None:
            try:
                reply = self._prove_device(username, device, reply)
            except _Refused as refused:
                if refused.name not in ("ResourceNotFoundException", "NotAuthorizedException"):
                    raise
                return self._sign_in(account, password, None)
        return self._outcome(reply, username)

    def _prove_device(self, username: str, device: Device, reply: dict[str, Any]) -> dict[str, Any]:
        proof, who = srp.Proof(self._random), {"USERNAME": username, "DEVICE_KEY": device.key}
        asked = self._respond("DEVICE_SRP_AUTH", reply, {**who, "SRP_A": proof.opening})
        _expect(asked, "DEVICE_PASSWORD_VERIFIER")
        answer = self._claim(proof, device.group, device.key, device.password, asked["ChallengeParameters"])
        return self._respond("DEVICE_PASSWORD_VERIFIER", asked, {**who, **answer})

    def _claim(
        self, proof: srp.Proof, group: str, name: str, password: str, given: Mapping[str, str]
    ) -> dict[str, str]:
        stamp, block = srp.timestamp(self._clock()), given["SECRET_BLOCK"]
        signature = proof.signature(
            group, name, password, salt=given["SALT"], server=given["SRP_B"], secret_block=block, timestamp=stamp
        )
        return {"TIMESTAMP": stamp, "PASSWORD_CLAIM_SECRET_BLOCK": block, "PASSWORD_CLAIM_SIGNATURE": signature}

    def choose(self, challenge: Challenge, factor: Factor) -> Tokens | Challenge:
        """Take one of a challenge's `options`. Raises as `sign_in` does, and `SignInOver`."""
        return self._continue(challenge, "SELECT_MFA_TYPE", {"ANSWER": _NAMES[factor]})

    def answer(self, challenge: Challenge, code: str) -> Tokens | Challenge:
        """Answer with the code that the person typed. Raises as `sign_in` does, `WrongCode` and `SignInOver`."""
        name = _NAMES[challenge.factor]
        return self._continue(challenge, name, {f"{name}_CODE": code})

    def _continue(self, challenge: Challenge, name: str, answer: dict[str, str]) -> Tokens | Challenge:
        try:
            reply = self._respond(name, {"Session": challenge.session}, {"USERNAME": challenge.username, **answer})
            return self._outcome(reply, challenge.username)
        except _Refused as refused:
            if refused.name == "CodeMismatchException":
                raise WrongCode("That code is not right") from None
            if refused.name == "ExpiredCodeException":
                raise WrongCode("That code was used already, or is too old") from None
            if refused.name == "NotAuthorizedException":
                raise SignInOver("The sign-in took too long, or had too many wrong codes") from None
            raise _typed(refused) from None

    def _outcome(self, reply: dict[str, Any], username: str) -> Tokens | Challenge:
        name, given = reply.get("ChallengeName"), reply.get("ChallengeParameters") or {}
        if name is None:
            return _tokens(reply)
        session = str(reply.get("Session", ""))
        if name in _FACTORS:
            return Challenge(_FACTORS[name], username, session, str(given.get("CODE_DELIVERY_DESTINATION", "")))
        if name == "SELECT_MFA_TYPE":
            offered = [_FACTORS[each] for each in json.loads(given.get("MFAS_CAN_CHOOSE", "[]")) if each in _FACTORS]
            return Challenge("choose", username, session, options=tuple(offered))
        raise _Refused(str(name), "")

    # keeping it going

    def refresh(self, token: str, device_key: str = "") -> Tokens:
        """New tokens for a refresh token. Raises `TokenRefused`, `HostBusy`, `ConnectionBroken`, `HostTimeout`."""
        given = {"REFRESH_TOKEN": token, **({"DEVICE_KEY": device_key} if device_key else {})}
        try:
            return _tokens(self._call("InitiateAuth", AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters=given))
        except _Refused as refused:
            if refused.name in ("NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException"):
                raise TokenRefused(_why(refused)) from None
            raise _typed(refused) from None

    def remember(self, tokens: Tokens) -> Device | None:
        """Confirm this machine as a device of the account; None where the pool keeps no devices.

        Must be done before the first refresh. Raises as `sign_in` does.
        """
        if tokens.new_device is None:
            return None
        key, group = tokens.new_device
        device = Device(key, group, base64.b64encode(self._random(40)).decode())
        value, salt = srp.verifier(group, key, device.password, self._random)
        try:
            reply = self._call(
                "ConfirmDevice",
                AccessToken=tokens.access,
                DeviceKey=key,
                DeviceName=_DEVICE,
                DeviceSecretVerifierConfig={"PasswordVerifier": value, "Salt": salt},
            )
            if reply.get("UserConfirmationNecessary"):
                self._call(
                    "UpdateDeviceStatus", AccessToken=tokens.access, DeviceKey=key, DeviceRememberedStatus="remembered"
                )
        except _Refused as refused:
            raise _typed(refused) from None
        return device

    def forget(self, tokens: Tokens, device: Device) -> None:
        """Take this machine out of the account's devices; one that is gone is none to forget. Raises as `sign_in`."""
        try:
            self._call("ForgetDevice", AccessToken=tokens.access, DeviceKey=device.key)
        except _Refused as refused:
            if refused.name != "ResourceNotFoundException":
                raise _typed(refused) from None

    def revoke(self, token: str) -> None:
        """Void a refresh token and all that came from it. Raises as `sign_in` does."""
        try:
            self._call("RevokeToken", Token=token)
        except _Refused as refused:
            raise _typed(refused) from None

    # the wire

    def _respond(self, name: str, before: Mapping[str, Any], answer: dict[str, str]) -> dict[str, Any]:
        session = {"Session": before["Session"]} if before.get("Session") else {}
        return self._call("RespondToAuthChallenge", ChallengeName=name, ChallengeResponses=answer, **session)

    def _call(self, call: str, **body: Any) -> dict[str, Any]:
        if "AccessToken" not in body:
            body["ClientId"] = self.pool.client
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{call}",
        }
        try:
            with httpx2.Client(timeout=httpx2.Timeout(30.0, connect=10.0)) as client:
                reply = client.post(self.pool.address, content=json.dumps(body).encode(), headers=headers)
        except httpx2.TimeoutException:
            raise HostTimeout("The Claris ID sign-in service did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            raise ConnectionBroken(
                "The Claris ID sign-in service cannot be reached",
                remedy="Check this machine's network and that it may reach cognito-idp.us-west-2.amazonaws.com.",
            ) from None
        return _read(reply.status_code, reply.content)


def _read(status: int, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content or b"{}")
    except ValueError:
        body = None
    if status >= 500:
        raise ConnectionBroken(f"The Claris ID sign-in service is in trouble (HTTP {status})", status=status)
    if not isinstance(body, dict):
        raise ProtocolError(
            f"The Claris ID sign-in service answered with no JSON (HTTP {status})",
            remedy="A proxy may stand between; UNLADE_CLARIS_URL must be empty, or a service that speaks Cognito.",
            status=status,
        )
    if status != 200:
        name = str(body.get("__type", "")).rpartition("#")[2]
        raise _Refused(name or f"HTTP {status}", str(body.get("message", "")))
    return body


def _expect(reply: Mapping[str, Any], name: str) -> None:
    if reply.get("ChallengeName") != name:
        raise _Refused(str(reply.get("ChallengeName")), "")


def _tokens(reply: Mapping[str, Any]) -> Tokens:
    result = reply.get("AuthenticationResult") or {}
    new = result.get("NewDeviceMetadata") or {}
    if not isinstance(result.get("IdToken"), str):
        raise ProtocolError("The Claris ID sign-in service accepted the sign-in but gave no token")
    return Tokens(
        result["IdToken"],
        str(result.get("AccessToken", "")),
        str(result.get("RefreshToken") or ""),
        (str(new["DeviceKey"]), str(new.get("DeviceGroupKey", ""))) if new.get("DeviceKey") else None,
    )


def claims_of(token: str) -> dict[str, Any]:
    """What an id token says of itself, unchecked; {} for what is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _why(refused: _Refused) -> str:
    if "revoked" in refused.words:
        return "was ended: somebody signed out everywhere, or changed the password"
    if "expired" in refused.words:
        return "has expired"
    if "disabled" in refused.words:
        return "is of an account that was switched off"
    return "is not accepted any more"


def _typed(refused: _Refused) -> SourceError | HostBusy:
    name = refused.name
    remedy = "Try them at https://account.claris.com."
    if name in ("NotAuthorizedException", "UserNotFoundException"):
        if "disabled" in refused.words:
            return SignInRefused("The Claris ID was switched off", remedy="Ask the team's manager.")
        return SignInRefused("The Claris ID or its password is wrong", remedy=f"{remedy} {EXTERNAL}")
    if name == "UserLambdaValidationException":
        return SignInRefused("The sign-in service does not let this account in", remedy=EXTERNAL)
    if name == "UserNotConfirmedException":
        return SignInRefused("The Claris ID was never confirmed", remedy="Follow the link in the mail from Claris.")
    if name in ("PasswordResetRequiredException", "NEW_PASSWORD_REQUIRED"):
        return SignInRefused("The Claris ID needs a new password", remedy="Set one at https://account.claris.com.")
    if name == "MFA_SETUP":
        return SignInRefused(
            "The Claris ID must set up two-step verification first", remedy="Do so at https://account.claris.com."
        )
    if name in ("TooManyRequestsException", "LimitExceededException"):
        return HostBusy("The Claris ID sign-in service asks for patience", remedy="Try again in a few minutes.")
    if name == "ResourceNotFoundException":
        return SourceError(
            "The sign-in service does not know this user pool or client",
            remedy="UNLADE_CLARIS_POOL and UNLADE_CLARIS_CLIENT must be Claris's; leave them empty for those.",
        )
    return SourceError(f"Signing in with the Claris ID failed ({name[:60]})", remedy=remedy)
