"""Sign-in with a Claris ID by account and password: Cognito SRP through pycognito (FILEMAKER.md 1.5).

Needs the extra `unlade[claris]`. The password goes to Amazon's sign-in service by SRP, which never sends it.
"""

from __future__ import annotations

import importlib
from typing import Any

from unlade.errors import ConnectionBroken, SettingsError, SignInRefused, SourceError

REGION = "us-west-2"
POOL = "us-west-2_NqkuZcXQY"
CLIENT = "4l9rvl4mv5es1eep1qe97cautn"

_REMEDY = "Check FILEMAKER_ACCOUNT and FILEMAKER_PASSWORD with a sign-in at the Claris ID page."


class ClarisIdentity:
    """A Claris ID. The id token lives an hour; it is renewed by its refresh token, or else by signing in again."""

    renewable = True

    def __init__(self, account: str, password: str, *, cognito: Any = None) -> None:
        self._account = account
        self._password = password
        self._cognito = cognito if cognito is not None else _cognito(account)
        self._signed_in = False

    def headers(self, *, fresh: bool) -> dict[str, str]:
        """Headers with an id token that was made for this sign-in.

        Raises `SignInRefused`, `ConnectionBroken` when the sign-in service cannot be reached.
        """
        if not self._signed_in or fresh or not self._refresh():
            self._authenticate()
        self._signed_in = True
        return {"Authorization": f"FMID {self._cognito.id_token}"}

    def _refresh(self) -> bool:
        try:
            self._cognito.renew_access_token()
        except Exception as error:  # noqa: BLE001 - every error leaves typed; botocore makes its classes at run time
            if _error_name(error) == "NotAuthorizedException":
                return False
            raise _typed(error) from None
        return True

    def _authenticate(self) -> None:
        try:
            self._cognito.authenticate(password=self._password)
        except Exception as error:  # noqa: BLE001 - every error leaves typed; botocore makes its classes at run time
            raise _typed(error) from None


def _cognito(account: str) -> Any:
    try:
        pycognito = importlib.import_module("pycognito")
        botocore_config = importlib.import_module("botocore.config")
        botocore = importlib.import_module("botocore")
    except ImportError:
        raise SettingsError(
            "Signing in with a Claris ID and password needs a package that is not installed",
            remedy="Install unlade[claris], or put a ready token into FILEMAKER_CLARIS_TOKEN.",
        ) from None
    # Unsigned: the pool is public, and nobody's own AWS credentials have any business here.
    config = botocore_config.Config(
        signature_version=botocore.UNSIGNED, connect_timeout=10, read_timeout=60, retries={"max_attempts": 2}
    )
    return pycognito.Cognito(POOL, CLIENT, user_pool_region=REGION, username=account, botocore_config=config)


def _error_name(error: Exception) -> str:
    """Cognito's name of an error; pycognito's own errors (challenges) go by their class."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def _typed(error: Exception) -> Exception:
    name = _error_name(error)
    if name in {"NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException"}:
        return SignInRefused("The Claris ID or its password is wrong", remedy=_REMEDY)
    if name == "PasswordResetRequiredException" or "NewPassword" in name or "ForceChange" in name:
        return SignInRefused("The Claris ID needs a new password", remedy="Set one at the Claris ID page.")
    if "MFA" in name:
        return SignInRefused(
            "The Claris ID asks for a second factor, which a program cannot give",
            remedy="Use an account without it, or put a ready token into FILEMAKER_CLARIS_TOKEN.",
        )
    if name in {"TooManyRequestsException", "LimitExceededException"}:
        return SignInRefused("The Claris ID was asked too often", remedy="Wait an hour, then try again.")
    if "Connection" in name or "Timeout" in name or isinstance(error, OSError):
        return ConnectionBroken("The Claris ID sign-in service cannot be reached")
    return SourceError(f"Signing in with the Claris ID failed ({name})", remedy=_REMEDY)
