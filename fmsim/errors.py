"""What a FileMaker host answers when it cannot: codes, their texts and HTTP statuses (FILEMAKER.md 1.7, 2.6, 6.3)."""

from __future__ import annotations

MESSAGES = {
    0: "OK",
    9: "Insufficient privileges",
    10: "HTTP Authorization header or OAuth headers are missing.",
    101: "Record is missing",
    102: "Field is missing",
    104: "Script is missing",
    105: "Layout is missing",
    106: "Table is missing",
    111: "Field repetition is invalid",
    112: "Window is missing",
    200: "Record access is denied",
    201: "Field cannot be modified",
    202: "Field access is denied",
    204: "No access privileges to sort",
    205: "User does not have access privileges to create new records",
    212: "Invalid user account and/or password; please try again",
    214: "Too many login attempts",
    219: "Cannot open file; must be licensed user; contact team manager",
    301: "Record is in use by another user",
    303: "Database schema is in use by another user",
    306: "Record modification ID does not match",
    400: "Find criteria are empty",
    401: "No records match the request",
    500: "Date value does not meet validation entry options",
    501: "Time value does not meet validation entry options",
    502: "Number value does not meet validation entry options",
    509: "Field requires a value",
    802: "Unable to open file",
    812: "Exceeded host's capacity",
    952: "Invalid FileMaker Data API token (*)",
    953: "Exceeded limit on data the FileMaker Data API and OData can transmit (*)",
    958: "Parameter missing",
    960: "Parameter is invalid",
    1630: "URL format is incorrect",
    1700: "Resource does not exist",
    1701: "Host is currently unable to receive requests",
    1704: "Resource doesn't support the specified HTTP verb",
    1705: "Required HTTP header is missing",
    1706: "Parameter is not supported",
    1707: "Required parameter is missing",
    1708: "Parameter value is invalid (*)",
    1710: "Syntax error in JSON",
    1711: "Host's license has expired (*)",
}
OLD_953 = "Exceeded limit on data the FileMaker Data API can transmit (*)"  # older copies of the table, without OData

_STATUSES = {9: 401, 10: 401, 212: 401, 952: 401, 1700: 404, 1701: 503, 1704: 405, 1705: 415}
_STATUSES |= {1706: 400, 1707: 400, 1708: 400, 1710: 400, 958: 400, 960: 400}


def http_status(code: int) -> int:
    """HTTP 500 for FileMaker's own errors, 4xx for those of the request itself (FILEMAKER.md 2.6)."""
    return 200 if code == 0 else _STATUSES.get(code, 500)


class HostError(Exception):
    """An answer with a FileMaker error code.

    Args:
        code: FileMaker's error number.
        message: another text than the usual one.
        status: another HTTP status than the usual one.
    """

    def __init__(self, code: int, message: str | None = None, status: int | None = None) -> None:
        self.code = code
        self.message = message if message is not None else MESSAGES.get(code, "Unknown error")
        self.status = status if status is not None else http_status(code)
        super().__init__(f"{code}: {self.message}")


class HtmlUnauthorized(Exception):
    """FileMaker Cloud refuses a Claris ID with a page instead of JSON (FILEMAKER.md 1.5)."""
