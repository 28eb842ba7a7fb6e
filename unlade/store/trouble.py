"""What an object store's refusal means, and what to do about it.

obstore gives the answer's body in the text of its exceptions; the codes are those of S3's "Error responses" page.
No message repeats that text: it names keys, hosts and sometimes accounts.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass

from unlade.errors import StoreBusy, StoreError, StoreRefused, StoreSlow

_CODE = re.compile(r"<Code>(\w+(?:\.\w+)*)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>")

#: S3's name of the permission that each of our verbs needs.
PERMISSIONS = {"write": "s3:PutObject", "read": "s3:GetObject", "list": "s3:ListBucket", "remove": "s3:DeleteObject"}

_BUSY_CODES = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted", "Throttling",
               "ThrottlingException", "RequestLimitExceeded", "BandwidthLimitExceeded", "TooManyRequests", "ServerBusy"}  # fmt: skip
_SLOW_CODES = {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded",
               "BandwidthLimitExceeded", "TooManyRequests", "ServerBusy"}  # fmt: skip
_REGION_CODES = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "TemporaryRedirect",
}

#: Code -> (what happened, remedy). `{bucket}`, `{permission}` and `{profile}` are filled in.
_REFUSALS: dict[str, tuple[str, str]] = {
    "NoSuchBucket": ("the bucket {bucket} does not exist", "Create it, or correct UNLADE_STORE."),
    "InvalidBucketName": ("{bucket} is no name for a bucket", "Correct UNLADE_STORE."),
    "AccessDenied": (
        "{permission} is missing",
        "Give the account {permission} for this bucket and prefix; `filemaker_doctor --iam-policy` prints the least policy.",
    ),
    "AllAccessDisabled": ("access to the bucket {bucket} is switched off", "Ask the bucket's owner."),
    "AccountProblem": ("the store's account has a problem", "Ask the store's provider (unpaid bill, closed account)."),
    "InvalidAccessKeyId": ("the access key does not exist", "Correct AWS_ACCESS_KEY_ID or the profile."),
    "SignatureDoesNotMatch": ("the secret key is wrong", "Correct AWS_SECRET_ACCESS_KEY or the profile; look for blanks."),
    "ExpiredToken": ("the sign-in has expired", "Sign in again{profile}, then run again: nothing is lost."),
    "ExpiredTokenException": ("the sign-in has expired", "Sign in again{profile}, then run again: nothing is lost."),
    "TokenRefreshRequired": ("the sign-in has expired", "Sign in again{profile}, then run again: nothing is lost."),
    "InvalidToken": ("the session token is not valid", "Sign in again{profile}; remove a stale AWS_SESSION_TOKEN."),
    "RequestTimeTooSkewed": ("this machine's clock is wrong by more than 15 minutes", "Set the clock (switch on NTP)."),
    "QuotaExceeded": ("the store's quota is used up", "Make room or raise the quota."),
    "XMinioStorageFull": ("the store is full", "Make room on the store's disks."),
    "InsufficientCapacity": ("the store is full", "Make room on the store's disks."),
    "EntityTooLarge": ("the file is larger than the store allows", "Raise the store's limit."),
    "KMS.DisabledException": ("the encryption key is disabled", "Enable the bucket's KMS key."),
    "KMS.NotFoundException": ("the encryption key does not exist", "Correct the bucket's default encryption."),
    "KMS.AccessDeniedException": ("the encryption key may not be used", "Allow kms:GenerateDataKey and kms:Decrypt on it."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """What messages say of a store: its URL, bucket, endpoint ("" for the provider's own) and the profile used."""

    url: str
    bucket: str
    endpoint: str = ""
    region: str = ""
    profile: str = ""
    scheme: str = "s3"

    def permission(self, verb: str) -> str:
        """The permission that `verb` needs, by the name that the provider gives it."""
        return PERMISSIONS[verb] if self.scheme == "s3" else f"permission to {verb}"

    @property
    def sign_in(self) -> str:
        """How to give credentials."""
        return _SIGN_IN[self.scheme]


def translate(error: Exception, verb: str, key: str, place: Place) -> StoreError:
    """Our error for obstore's. `verb` is one of write, read, list, remove."""
    text = str(error)
    code_match, status_match = _CODE.search(text), _STATUS.search(text)
    code = code_match[1] if code_match else ""
    status = int(status_match[1]) if status_match else 0
    subject = f"Cannot {verb} {key or 'anything'} in {place.url}"
    if code in _REGION_CODES or status == 301 or "without LOCATION" in text:
        return _wrong_region(subject, text, place)
    if code in _REFUSALS:
        why, remedy = _REFUSALS[code]
        words = {
            "bucket": place.bucket,
            "permission": place.permission(verb),
            "profile": f" (`aws sso login --profile {place.profile}`)" if place.profile else "",
        }
        return StoreRefused(f"{subject}: {why.format(**words)}.", remedy=remedy.format(**words))
    if status == 404:
        return StoreRefused(
            f"{subject}: there is no bucket {place.bucket} at this address.",
            remedy="Correct UNLADE_STORE, or the endpoint in AWS_ENDPOINT_URL.",
        )
    if code in _BUSY_CODES or status in (429, 500, 502, 503, 504, 507):
        kind = StoreSlow if code in _SLOW_CODES or status in (429, 503) else StoreBusy
        return kind(
            f"{subject}: the store is overloaded or out of order ({code or status}).", remedy="Run again later."
        )
    if ("External" in text and "credential provider" in text) or type(error).__name__ == "UnauthenticatedError":
        return _no_sign_in(subject, text, place)
    if "169.254.169.254" in text or "metadata endpoint" in text.lower():
        return StoreRefused(f"{subject}: there are no credentials.", remedy=place.sign_in)
    if status in (401, 403):
        return StoreRefused(
            f"{subject}: the store refuses it (HTTP {status}); it may be {place.permission(verb)} that is missing.",
            remedy=f"Give the account {place.permission(verb)}."
            + (" Without s3:ListBucket S3 answers so for an object that is not there." if place.scheme == "s3" else ""),
        )
    if "HTTP error" in text or "Http(" in text:
        return _no_answer(subject, text)
    return StoreError(f"{subject}: the store answered {code or status or type(error).__name__}.")


NO_CREDENTIALS = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment or .env;"
    " `aws sts get-caller-identity` shows what the AWS command line would use."
)
_SIGN_IN = {
    "s3": NO_CREDENTIALS,
    "gs": "Name a service account's key file in GOOGLE_APPLICATION_CREDENTIALS.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY.",
}


def bucket_region(bucket: str, endpoint: str, timeout: float = 5) -> str:
    """The region that the bucket lies in, as any answer of S3 to an unsigned request says it; "" when it does not."""
    url = f"{(endpoint or 'https://s3.amazonaws.com').rstrip('/')}/{bucket}"
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.headers.get("x-amz-bucket-region") or ""
    except urllib.error.HTTPError as error:
        with error:
            return error.headers.get("x-amz-bucket-region") or ""
    except (OSError, ValueError):
        return ""


def _no_answer(subject: str, text: str) -> StoreError:
    if "BadScheme" in text:
        return StoreRefused(f"{subject}: the endpoint is no http or https address.", remedy="Correct AWS_ENDPOINT_URL.")
    if "certificate" in text.lower():
        return StoreRefused(
            f"{subject}: the certificate of the endpoint is not trusted.",
            remedy="Name the authority's file in AWS_CA_BUNDLE.",
        )
    why = "has a name that cannot be resolved" if "dns error" in text else "does not answer"
    return StoreBusy(
        f"{subject}: the endpoint {why}.", remedy="Is the network up, the store running, AWS_ENDPOINT_URL right?"
    )


def _wrong_region(subject: str, text: str, place: Place) -> StoreRefused:
    match = _REGION.search(text)
    region = match[1] if match else bucket_region(place.bucket, place.endpoint)
    if region:
        return StoreRefused(
            f"{subject}: the bucket {place.bucket} lies in {region}, not in {place.region or 'the region given'}.",
            remedy=f"Set AWS_REGION={region}.",
        )
    return StoreRefused(
        f"{subject}: the bucket {place.bucket} lies in another region than {place.region or 'the one given'}.",
        remedy="Set AWS_REGION to the bucket's region.",
    )


def _no_sign_in(subject: str, text: str, place: Place) -> StoreRefused:
    lowered = text.lower()
    if "sso" in lowered or "token has expired" in lowered or "expired" in lowered:
        login = f"aws sso login --profile {place.profile}" if place.profile else "aws sso login"
        return StoreRefused(f"{subject}: the sign-in has expired.", remedy=f"Run `{login}`, then run again.")
    return StoreRefused(f"{subject}: the credentials could not be had.", remedy=place.sign_in)
