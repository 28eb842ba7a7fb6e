"""Amazon Cognito's part in a sign-in with a Claris ID: the calls that a client makes, as AWS documents them.

`POST /` with `X-Amz-Target: AWSCognitoIdentityProviderService.<call>` and JSON; errors are HTTP 400 with `__type`.
Sources: API reference of Cognito user pools (InitiateAuth, RespondToAuthChallenge, ConfirmDevice, RevokeToken, ...);
"Working with user devices"; re:Post, "Invalid Refresh Token"; the published amazon-cognito-identity-js.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fmsim import srp
from fmsim.answer import Reply
from fmsim.pool import CLIENT, Device, Grant, People, User
from fmsim.wire import Request

_TIMESTAMP = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [1-9]\d? \d\d:\d\d:\d\d UTC \d{4}")
_DEVICE_KEY = re.compile(r"[\w-]+_[0-9a-f-]+")
_TYPE = "application/x-amz-json-1.1"
#: Wrong codes before a sign-in is over.
_TRIES = 5


class Refused(Exception):
    """An error of Cognito's: its name, and its words."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(slots=True, eq=False)
class Step:
    """Where a sign-in stands: the challenge that waits for its answer."""

    user: User
    challenge: str
    until: float
    device_key: str = ""
    exchange: srp.Exchange | None = None
    secret_block: str = ""
    known: bool = True  #: False: nobody by that name, which the answer must not tell
    wrong: int = 0


class Cognito:
    """One user pool with one app client."""

    def __init__(self, people: People) -> None:
        self.people = people
        self._switches = people.switches
        self._steps: dict[str, Step] = {}
        self._blocks: dict[str, Step] = {}
        self._calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "InitiateAuth": self._initiate,
            "RespondToAuthChallenge": self._respond,
            "ConfirmDevice": self._confirm_device,
            "UpdateDeviceStatus": self._update_device,
            "ForgetDevice": self._forget_device,
            "RevokeToken": self._revoke,
            "GlobalSignOut": self._sign_out,
        }

    def answer(self, request: Request) -> Reply:
        """The reply to one call."""
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            body = json.loads(request.body or b"{}")
            if name not in self._calls or not isinstance(body, dict):
                raise Refused("UnknownOperationException", "")
            flow = body.get("AuthFlow") or body.get("ChallengeName")
            self.people.calls[f"{name} {flow}" if flow else name] += 1
            if self.people.throttle:
                self.people.throttle -= 1
                raise Refused("TooManyRequestsException", "Rate exceeded")
            if body.get("ClientId", CLIENT) != CLIENT:
                raise Refused("ResourceNotFoundException", f"User pool client {body['ClientId']} does not exist.")
            return Reply(200, json.dumps(self._calls[name](body)).encode(), content_type=_TYPE)
        except Refused as refused:
            return _error(refused)
        except (KeyError, ValueError, TypeError) as problem:
            return _error(Refused("InvalidParameterException", f"Missing or bad parameter {problem}"))

    # signing in

    def _initiate(self, body: dict[str, Any]) -> dict[str, Any]:
        given = body["AuthParameters"]
        if body["AuthFlow"] in ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"):
            return self._refresh(given)
        if body["AuthFlow"] != "USER_SRP_AUTH":
            raise Refused("InvalidParameterException", f"{body['AuthFlow']} flow not enabled for this client")
        name = given["USERNAME"]
        user = self.people.users.get(name)
        if user is not None and user.external:
            raise self._external()
        if user is None and self._switches.user_existence == "told":
            raise Refused("UserNotFoundException", "User does not exist.")
        known = user is not None
        user = user or User(name, str(uuid.uuid5(uuid.NAMESPACE_OID, name)), str(self.people.fresh("nobody", 16)))
        if user.must_reset:
            raise Refused("PasswordResetRequiredException", "Password reset required for the user")
        device_key = given.get("DEVICE_KEY", "")
        if device_key and device_key not in user.devices and self._switches.device_tracking != "off":
            raise Refused("ResourceNotFoundException", "Device does not exist.")
        step = self._step(user, "PASSWORD_VERIFIER", device_key, known=known)
        return self._srp(step, self.people.proof(user, _number(given["SRP_A"])), user.user_id)

    def _external(self) -> Refused:
        """What an account of a company's own identity provider gets here; nobody has published it."""
        match self._switches.external_answer:
            case "UserNotFoundException":
                return Refused("UserNotFoundException", "User does not exist.")
            case "UserLambdaValidationException":
                return Refused("UserLambdaValidationException", "PreAuthentication failed with error external user.")
        return Refused("NotAuthorizedException", "Incorrect username or password.")

    def _step(self, user: User, challenge: str, device_key: str, *, known: bool = True) -> Step:
        until = self.people.clock.now() + self._switches.auth_session_minutes * 60
        return Step(user, challenge, until, device_key, known=known)

    def _srp(self, step: Step, exchange: srp.Exchange, user_id: str) -> dict[str, Any]:
        step.exchange = exchange
        step.secret_block = base64.b64encode(self.people.fresh("secret block", 600)).decode()
        self._blocks[step.secret_block] = step
        parameters = {
            "SALT": f"{exchange.salt:x}",
            "SRP_B": f"{exchange.value:x}",
            "SECRET_BLOCK": step.secret_block,
            "USERNAME": step.user.user_id,
        }
        if step.challenge == "DEVICE_PASSWORD_VERIFIER":
            return self._ask(step, {**parameters, "DEVICE_KEY": step.device_key})
        return self._ask(step, {**parameters, "USER_ID_FOR_SRP": user_id})

    def _ask(self, step: Step, parameters: dict[str, str]) -> dict[str, Any]:
        session = base64.b64encode(self.people.fresh("session", 300)).decode()
        self._steps[session] = step
        return {"ChallengeName": step.challenge, "ChallengeParameters": parameters, "Session": session}

    def _respond(self, body: dict[str, Any]) -> dict[str, Any]:
        name, given = body["ChallengeName"], body["ChallengeResponses"]
        step = self._steps.get(body.get("Session") or "")
        if step is None and name in ("PASSWORD_VERIFIER", "DEVICE_PASSWORD_VERIFIER"):
            step = self._blocks.get(given["PASSWORD_CLAIM_SECRET_BLOCK"])
        if step is None and name == "DEVICE_SRP_AUTH":  # clients are seen that send no session here
            waiting = (s for s in self._steps.values() if s.device_key == given["DEVICE_KEY"] and s.challenge == name)
            step = next(waiting, None)
        if step is None or step.challenge != name or self.people.clock.now() > step.until:
            raise Refused("NotAuthorizedException", "Invalid session for the user, session is expired.")
        match name:
            case "PASSWORD_VERIFIER":
                self._check_proof(step, given)
                return self._after_password(step)
            case "DEVICE_SRP_AUTH":
                device = step.user.devices[step.device_key]
                step = self._step(step.user, "DEVICE_PASSWORD_VERIFIER", step.device_key)
                return self._srp(step, self.people.device_proof(device, _number(given["SRP_A"])), "")
            case "DEVICE_PASSWORD_VERIFIER":
                self._check_proof(step, given)
                return self._done(step.user, step.user.devices[step.device_key])
            case "SELECT_MFA_TYPE":
                return self._factor(step, {"SMS_MFA": "sms", "SOFTWARE_TOKEN_MFA": "totp"}[given["ANSWER"]])
            case "SMS_MFA" | "SOFTWARE_TOKEN_MFA":
                self._check_code(step, given[f"{name}_CODE"])
                return self._done(step.user, None)
        raise Refused("InvalidParameterException", f"{name} is not answered here")

    def _check_proof(self, step: Step, given: dict[str, str]) -> None:
        assert step.exchange is not None
        self._blocks.pop(step.secret_block, None)
        self._drop(step)
        stamp, block = given["TIMESTAMP"], given["PASSWORD_CLAIM_SECRET_BLOCK"]
        if not _TIMESTAMP.fullmatch(stamp):
            raise Refused(
                "InvalidParameterException", "TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english."
            )
        try:
            claimed = base64.b64decode(given["PASSWORD_CLAIM_SIGNATURE"], validate=True)
            expected = step.exchange.signature(base64.b64decode(block, validate=True), stamp)
        except binascii.Error:
            claimed, expected = b"", b"x"
        if block != step.secret_block or not step.known or not hmac.compare_digest(claimed, expected):
            raise Refused("NotAuthorizedException", "Incorrect username or password.")
        if step.user.disabled:
            raise Refused("NotAuthorizedException", "User is disabled.")

    def _drop(self, step: Step) -> None:
        for session in [session for session, held in self._steps.items() if held is step]:
            del self._steps[session]

    def _after_password(self, step: Step) -> dict[str, Any]:
        user = step.user
        if user.new_password:
            return self._ask(self._step(user, "NEW_PASSWORD_REQUIRED", ""), {"requiredAttributes": "[]"})
        device = user.devices.get(step.device_key)
        if device is not None and device.remembered:
            following = self._step(user, "DEVICE_SRP_AUTH", device.key)
            return self._ask(following, {"USERNAME": user.user_id, "DEVICE_KEY": device.key})
        if user.factor == "both":
            parameters = {"MFAS_CAN_CHOOSE": '["SMS_MFA","SOFTWARE_TOKEN_MFA"]', "USER_ID_FOR_SRP": user.user_id}
            return self._ask(self._step(user, "SELECT_MFA_TYPE", ""), parameters)
        return self._done(user, None) if user.factor == "none" else self._factor(step, user.factor)

    def _factor(self, step: Step, factor: str) -> dict[str, Any]:
        user, parameters = step.user, {"USER_ID_FOR_SRP": step.user.user_id}
        self._drop(step)
        if factor == "sms":
            self.people.send_text_message(user)
            parameters |= {"CODE_DELIVERY_DELIVERY_MEDIUM": "SMS", "CODE_DELIVERY_DESTINATION": "+*******1234"}
            return self._ask(self._step(user, "SMS_MFA", ""), parameters)
        return self._ask(self._step(user, "SOFTWARE_TOKEN_MFA", ""), {**parameters, "FRIENDLY_DEVICE_NAME": "phone"})

    def _check_code(self, step: Step, code: str) -> None:
        user = step.user
        if step.challenge == "SMS_MFA":
            good = bool(user.text_message) and hmac.compare_digest(code, user.text_message)
        else:
            at = self.people.step_of(user, code)
            if at is not None and at <= user.used_step:
                raise Refused("ExpiredCodeException", "Your software token has already been used once.")
            good = at is not None
            user.used_step = at if at is not None else user.used_step
        if not good:
            step.wrong += 1
            if step.wrong >= _TRIES or self._switches.wrong_code == "ends":
                self._drop(step)
            raise Refused("CodeMismatchException", "Invalid code or auth state for the user.")
        user.text_message = ""
        self._drop(step)

    def _done(self, user: User, device: Device | None) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if device is None and self._switches.device_tracking != "off":
            key = f"us-west-2_{uuid.UUID(bytes=self.people.fresh('device', 16))}"
            device = user.devices[key] = Device(key, "-" + self.people.seeded("device group", 6).hex())
            result["NewDeviceMetadata"] = {"DeviceKey": key, "DeviceGroupKey": device.group}
        token, grant = self.people.grant(user, device)
        return {
            "AuthenticationResult": {**self._tokens(grant), "RefreshToken": token, **result},
            "ChallengeParameters": {},
        }

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        minutes, user = self._switches.claris_token_minutes, grant.user
        return {
            "AccessToken": self.people.access_token(grant),
            "IdToken": self.people.id_token(user.name, minutes, grant.authenticated, user.user_id),
            "ExpiresIn": int(minutes * 60),
            "TokenType": "Bearer",
        }

    def _refresh(self, given: dict[str, str]) -> dict[str, Any]:
        grant = self.people.grants.get(given["REFRESH_TOKEN"])
        if grant is None:
            raise Refused("NotAuthorizedException", "Invalid Refresh Token")
        if grant.revoked:
            raise Refused("NotAuthorizedException", "Refresh Token has been revoked")
        if self.people.clock.now() > grant.ends:
            raise Refused("NotAuthorizedException", "Refresh Token has expired")
        if grant.user.disabled:
            raise Refused("NotAuthorizedException", "User is disabled.")
        device = grant.device
        if device is not None and (
            not device.confirmed or given.get("DEVICE_KEY") != device.key or device.key not in grant.user.devices
        ):
            raise Refused("NotAuthorizedException", "Invalid Refresh Token")
        return {"AuthenticationResult": self._tokens(grant), "ChallengeParameters": {}}

    # devices and signing out

    def _holder(self, body: dict[str, Any]) -> Grant:
        grant, ends = self.people.access_tokens.get(body["AccessToken"], (None, 0.0))
        if grant is None:
            raise Refused("NotAuthorizedException", "Invalid Access Token")
        if grant.revoked or self.people.clock.now() > ends:
            raise Refused("NotAuthorizedException", "Access Token has been revoked")
        return grant

    def _confirm_device(self, body: dict[str, Any]) -> dict[str, Any]:
        device = self._device(self._holder(body), body)
        config = body["DeviceSecretVerifierConfig"]
        device.verifier = int.from_bytes(base64.b64decode(config["PasswordVerifier"], validate=True), "big")
        device.salt = int.from_bytes(base64.b64decode(config["Salt"], validate=True), "big")
        device.confirmed = True
        device.remembered = self._switches.device_tracking == "always"
        return {"UserConfirmationNecessary": not device.remembered}

    def _update_device(self, body: dict[str, Any]) -> dict[str, Any]:
        device = self._device(self._holder(body), body)
        device.remembered = body["DeviceRememberedStatus"] == "remembered"
        return {}

    def _forget_device(self, body: dict[str, Any]) -> dict[str, Any]:
        grant = self._holder(body)
        grant.user.devices.pop(self._device(grant, body).key, None)
        return {}

    @staticmethod
    def _device(grant: Grant, body: dict[str, Any]) -> Device:
        if not _DEVICE_KEY.fullmatch(body["DeviceKey"]):
            raise Refused("InvalidParameterException", "DeviceKey")
        device = grant.user.devices.get(body["DeviceKey"])
        if device is None:
            raise Refused("ResourceNotFoundException", "Device does not exist.")
        return device

    def _revoke(self, body: dict[str, Any]) -> dict[str, Any]:
        grant = self.people.grants.get(body["Token"])
        if grant is not None:
            grant.revoked = True
        return {}

    def _sign_out(self, body: dict[str, Any]) -> dict[str, Any]:
        self.people.revoke(self._holder(body).user)
        return {}


def _number(text: str) -> int:
    return int(text, 16)


def _error(refused: Refused) -> Reply:
    body = json.dumps({"__type": refused.name, "message": str(refused)}).encode()
    return Reply(400, body, content_type=_TYPE, headers=[("x-amzn-ErrorType", f"{refused.name}:")])
