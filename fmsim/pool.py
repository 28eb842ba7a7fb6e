"""The people of a simulated Cognito user pool: passwords, second factors, devices, tokens; all of it may change at run time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fmsim import srp
from fmsim.clock import Clock
from fmsim.dataset import DataSet
from fmsim.switches import Switches

POOL = "us-west-2_NqkuZcXQY"  #: FILEMAKER.md 1.5
CLIENT = "4l9rvl4mv5es1eep1qe97cautn"
FACTORS = ("none", "sms", "totp", "both")
_STEP = 30  #: seconds of one authenticator code (RFC 6238)


@dataclass(slots=True, eq=False)
class Device:
    """One remembered (or not yet confirmed) device."""

    key: str
    group: str
    verifier: int = 0
    salt: int = 0
    confirmed: bool = False
    remembered: bool = False


@dataclass(slots=True, eq=False)
class User:
    """One Claris ID. `user_id` is what the pool itself calls it."""

    name: str
    user_id: str
    password: str = field(repr=False)
    factor: str = "none"
    secret: bytes = field(default=b"", repr=False)  #: of the authenticator
    external: bool = False  #: signs in at a company's own identity provider
    disabled: bool = False
    must_reset: bool = False
    new_password: bool = False
    text_message: str = ""  #: the code that was sent last
    used_step: int = -1
    devices: dict[str, Device] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Grant:
    """What one sign-in gave: dies with its refresh token."""

    user: User
    authenticated: float
    ends: float
    device: Device | None
    revoked: bool = False


@dataclass(slots=True, eq=False)
class IdToken:
    """An id token that was issued."""

    account: str
    issued: float
    ends: float


class People:
    """All users of the pool, made from the data set's accounts, and every token that was given out.

    Everything that looks random follows from `seed` and from how often something was asked for.
    """

    def __init__(self, data: DataSet, switches: Switches, clock: Clock, seed: int) -> None:
        self.switches, self.clock, self._seed = switches, clock, seed
        self.users = {
            account.name: User(
                account.name,
                str(uuid.uuid5(uuid.NAMESPACE_OID, f"user {seed} {account.name}")),
                account.password,
                switches.mfa,
                self.seeded("authenticator " + account.name, 20),
            )
            for account in data.accounts
        }
        self.id_tokens: dict[str, IdToken] = {}
        self.access_tokens: dict[str, tuple[Grant, float]] = {}
        self.grants: dict[str, Grant] = {}
        self.calls: Counter[str] = Counter()
        self.throttle = 0  #: so many calls more are answered TooManyRequestsException
        self._count = 0

    # what looks random

    def seeded(self, what: str, size: int) -> bytes:
        """The same bytes for the same words."""
        return hashlib.shake_256(f"{what} {self._seed}".encode()).digest(size)

    def fresh(self, what: str, size: int) -> bytes:
        """Other bytes at each call."""
        self._count += 1
        return self.seeded(f"{what} {self._count}", size)

    # second factors

    def authenticator_code(self, user: User, step: int | None = None) -> str:
        """The six digits that the user's app shows now, by the simulator's clock (RFC 6238)."""
        step = int(self.clock.now() // _STEP) if step is None else step
        digest = hmac.digest(user.secret, step.to_bytes(8, "big"), "sha1")
        at = digest[-1] & 15
        return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"

    def send_text_message(self, user: User) -> None:
        """A new code goes to the user's phone; former ones are void."""
        user.text_message = f"{int.from_bytes(self.fresh('text message', 4), 'big') % 1_000_000:06}"

    def step_of(self, user: User, code: str) -> int | None:
        """Which time step a code belongs to: this one, or one beside it."""
        now = int(self.clock.now() // _STEP)
        return next((step for step in (now, now - 1, now + 1) if self.authenticator_code(user, step) == code), None)

    # tokens

    def grant(self, user: User, device: Device | None) -> tuple[str, Grant]:
        """A refresh token for a sign-in that is complete."""
        now = self.clock.now()
        token = "eyJ" + base64.urlsafe_b64encode(self.fresh("refresh", 900)).decode().rstrip("=")
        self.grants[token] = Grant(user, now, now + self.switches.claris_refresh_days * 86400, device)
        return token, self.grants[token]

    def id_token(self, account: str, minutes: float, authenticated: float, user_id: str = "") -> str:
        """A new id token, which the simulated host then takes until it ends."""
        now = self.clock.now()
        claims = {"sub": user_id or str(uuid.uuid5(uuid.NAMESPACE_OID, account)), "token_use": "id", "email": account}
        user = self.users.get(account)
        if user is not None and user.external:
            claims["identities"] = [{"userId": account, "providerName": "Company", "providerType": "SAML"}]  # type: ignore[assignment]
        token = self._jwt({**claims, "aud": CLIENT, "auth_time": int(authenticated)}, now, minutes)
        self.id_tokens[token] = IdToken(account, now, now + minutes * 60)
        return token

    def access_token(self, grant: Grant) -> str:
        """A new access token."""
        now, minutes = self.clock.now(), self.switches.claris_token_minutes
        token = self._jwt({"sub": grant.user.user_id, "token_use": "access", "client_id": CLIENT}, now, minutes)
        self.access_tokens[token] = (grant, now + minutes * 60)
        return token

    def _jwt(self, claims: dict[str, Any], now: float, minutes: float) -> str:
        claims |= {"iat": int(now), "exp": int(now + minutes * 60), "jti": self.fresh("jti", 8).hex()}
        parts = [{"alg": "RS256", "kid": "fmsim"}, claims]
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        signature = base64.urlsafe_b64encode(self.fresh("signature", 256)).decode().rstrip("=")
        return ".".join([*encoded, signature])

    # what tests and people at other desks do

    def revoke(self, user: User) -> None:
        """Every token of a user is void: signed out everywhere."""
        for grant in self.grants.values():
            if grant.user is user:
                grant.revoked = True

    def change(self, name: str, wishes: dict[str, Any]) -> None:
        """What happens to an account at run time.

        Args:
            name: the account.
            wishes: `mfa` (`none`, `sms`, `totp`, `both`), `password`, `revoke`, `forget_devices`, `external`,
                `disabled`, `must_reset`, `new_password` (truth values); `throttle` (calls).

        Raises:
            ValueError: an account or a wish that is not known.
        """
        if name not in self.users:
            raise ValueError(f"no account {name!r}")
        user = self.users[name]
        for wish, value in wishes.items():
            match wish:
                case "mfa" if value in FACTORS:
                    user.factor = value
                case "password":
                    user.password = str(value)
                    if self.switches.password_revokes:
                        self.revoke(user)
                case "revoke":
                    if value:
                        self.revoke(user)
                case "forget_devices":
                    if value:
                        user.devices.clear()
                case "external" | "disabled" | "must_reset" | "new_password":
                    setattr(user, wish, bool(value))
                case "throttle":
                    self.throttle = int(value)
                case _:
                    raise ValueError(f"{wish}={value!r} is not understood")

    def as_json(self) -> dict[str, Any]:
        """The object of `GET /-/cognito`."""
        now = self.clock.now()
        return {
            "calls": dict(self.calls),
            "users": {
                user.name: {
                    "mfa": user.factor,
                    "text_message": user.text_message,
                    "authenticator_code": self.authenticator_code(user),
                    "authenticator_secret": base64.b32encode(user.secret).decode(),
                    "devices": [device.key for device in user.devices.values() if device.confirmed],
                    "refresh_tokens": sum(
                        grant.user is user and not grant.revoked and grant.ends > now for grant in self.grants.values()
                    ),
                }
                for user in self.users.values()
            },
        }

    def proof(self, user: User, client_value: int) -> srp.Exchange:
        """The server's half of a sign-in with this user's password."""
        salt = int.from_bytes(self.seeded("salt " + user.name + user.password, 16), "big")
        group = POOL.partition("_")[2]
        known = srp.verifier(group, user.user_id, user.password, salt)
        return srp.Exchange(group, user.user_id, known, salt, client_value, self._secret())

    def device_proof(self, device: Device, client_value: int) -> srp.Exchange:
        """The same for a device that was confirmed."""
        return srp.Exchange(device.group, device.key, device.verifier, device.salt, client_value, self._secret())

    def _secret(self) -> int:
        return int.from_bytes(self.fresh("secret", 128), "big") % srp.PRIME
