"""Every behaviour that FILEMAKER.md marks as unknown [U] or disputed [X], as a named switch with a default.

`python -m fmsim --switches` prints this table. A client must work under every value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self


def _switch(default: Any, mark: str, about: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"mark": mark, "about": about, "choices": choices})


@dataclass(slots=True)
class Switches:
    """The values in force. Marks: C certain, L likely, M general knowledge, X disputed, U unknown (FILEMAKER.md)."""

    # sessions (FILEMAKER.md 1)
    idle_minutes: float = _switch(15.0, "C", "a session dies this long after its last use")
    validate_resets_idle: bool = _switch(True, "U", "validateSession counts as a use of the session")
    streaming_resets_idle: bool = _switch(
        False, "U", "a container request with the bearer counts as a use of the session"
    )
    session_cap: int = _switch(500, "U", "open sessions before a login gets 812; 0: no ceiling")
    capacity_status: int = _switch(500, "L", "HTTP status of 812")
    token_digits: str = _switch(
        "natural", "L", "hex digits of a token: 51 now and then, or always", ("natural", "51", "52")
    )
    second_logout: str = _switch("952", "U", "what a second DELETE of one session gets", ("952", "ok"))
    database_case: str = _switch(
        "exact", "C", "whether a token asks for the database name's exact case", ("exact", "ignore")
    )
    cloud: bool = _switch(False, "C", "FileMaker Cloud: token in the header only, body `{}`, 401 as HTML")
    login_body: str = _switch(
        "any", "X", "a login without a body works, as clients in use prove, or gets 1710", ("any", "object")
    )
    claris_token_minutes: float = _switch(60.0, "C", "life of a Claris ID token")
    claris_session_minutes: float = _switch(
        60.0, "C", "a Claris ID session gets 401 in HTML after this, used or not; 0: never"
    )
    claris_refresh_days: float = _switch(365.0, "C", "life of a Claris ID refresh token")
    mfa: str = _switch("none", "U", "second factor that a Claris ID asks for", ("none", "sms", "totp", "both"))
    wrong_code: str = _switch("again", "U", "after a wrong code the sign-in waits on, or is over", ("again", "ends"))
    auth_session_minutes: float = _switch(3.0, "U", "how long a challenge of a sign-in waits for its answer")
    device_tracking: str = _switch(
        "off", "U", "devices of Claris IDs: not known, remembered, or if the user says so", ("off", "always", "opt-in")
    )
    user_existence: str = _switch(
        "hidden", "U", "an unknown Claris ID: a wrong password, or UserNotFoundException", ("hidden", "told")
    )
    external_answer: str = _switch(
        "NotAuthorizedException", "U", "what an account of an external identity provider gets",
        ("NotAuthorizedException", "UserNotFoundException", "UserLambdaValidationException"),
    )  # fmt: skip
    password_revokes: bool = _switch(True, "U", "a new password of a Claris ID voids its refresh tokens")
    no_fmrest_code: int = _switch(9, "L", "code for an account without fmrest (9 or 212), HTTP 401")
    strict_content_type: bool = _switch(True, "L", "415 for a JSON call without Content-Type: application/json")
    charset_parameter: str = _switch(
        "auto", "L", "`application/json; charset=utf-8` gets 400 (auto: on FMS 18)", ("auto", "accept", "reject")
    )
    filter_databases: bool = _switch(False, "C", "the list of databases asks for an account")
    shuffle_members: bool = _switch(True, "C", "error replies vary the order of their members")
    serial_sessions: bool = _switch(False, "L", "one call at a time in a session, the others wait")

    # records and finds (FILEMAKER.md 2, 3)
    record_missing_status: int = _switch(500, "L", "HTTP status of 101 (500 or 404)")
    past_end: str = _switch("101", "M", "GET records past the end", ("101", "401", "empty"))
    empty_table: str = _switch("401", "U", "GET records of an empty table", ("empty", "401", "101"))
    bad_parameter_code: int = _switch(960, "U", "code for an unusable limit or offset (960 or 1708)")
    empty_find_code: int = _switch(400, "L", "code for a find without criteria (400, 958 or 960)")
    file_dates: str = _switch("us", "U", "the file's own date form, for dateformats=1", ("us", "eu", "de"))
    iso_timestamp: str = _switch("T", "U", "between date and time with dateformats=2", ("T", "space"))
    old_dateformats: str = _switch("ignore", "U", "dateformats on a host before FMS 20", ("ignore", "1706"))
    portal_data_info: str = _switch(
        "auto", "L", "portalDataInfo in records (auto: from FMS 18, if there are portals)", ("auto", "never")
    )
    hidden_records: int = _switch(0, "C", "so many records (the last of each table) are hidden from every account")
    hidden_answer: int = _switch(101, "U", "code for a hidden record that is asked for by id (101 or 200)")

    # container links and streams (FILEMAKER.md 4)
    link_folder: str = _switch("MainDB", "C", "folder in the link: MainDB, Additional_1, ...")
    link_type: str = _switch(
        "EmbeddedRCFileProcessor", "X", "RCType in the link", ("EmbeddedRCFileProcessor", "RCFileProcessor")
    )
    link_extension: str = _switch("media", "C", "which links end in the file's extension", ("media", "always", "never"))
    link_host: str = _switch("", "L", "host in the link; empty: the one that the simulator listens on")
    link_port: str = _switch(
        "", "C", "port in the link (443: `:443` is written out); empty: the real one; none: left out"
    )
    link_scheme: str = _switch("", "U", "scheme in the link; empty: the real one", ("", "http", "https"))
    link_relative: bool = _switch(False, "U", "the link is only a path")
    link_minutes: float = _switch(0.0, "U", "a link dies so long after it was given out; 0: with its session")
    links_outlive_session: bool = _switch(False, "U", "links work on after their session ended")
    dead_link: str = _switch(
        "401", "C", "hop 1 of a dead link: 401, 404, or a 302 without a cookie", ("401", "404", "302")
    )
    missing_at: str = _switch(
        "link", "U", "a missing file is 404 at the link, or after the redirect", ("link", "redirect")
    )
    location: str = _switch(
        "auto", "C", "Location of hop 1 (auto: relative from FMS 20)", ("auto", "relative", "absolute")
    )
    redirect_suffix: bool = _switch(True, "L", "Location ends in `&Redirect`")
    cookie_uses: str = _switch("many", "U", "how often a hop-2 cookie is good", ("many", "once"))
    shared_cookie: bool = _switch(False, "L", "a new hop-1 cookie of a session voids its former ones")
    range: str = _switch(
        "off", "U", "Range on the body: ignored, honoured, or announced and ignored", ("off", "on", "lies")
    )
    chunked: bool = _switch(False, "U", "bodies come chunked, without Content-Length")
    content_disposition: bool = _switch(False, "U", "the body's head names the file")
    crash_parallel: int = _switch(
        0, "U", "more downloads at once than this bring the web layer down: 502 for everything; 0: none do"
    )
    crash_seconds: float = _switch(90.0, "U", "how long such a crash lasts")
    etag: bool = _switch(False, "U", "the body's head has an ETag")
    head_burns: bool = _switch(True, "U", "HEAD uses a link up as GET does")

    # the allowance (FILEMAKER.md 6)
    meter_counts_containers: bool = _switch(True, "U", "container bytes count against the meter")
    meter_stops_login: bool = _switch(False, "U", "over the limit, a login gets 953 too")
    meter_stops_containers: bool = _switch(
        True, "U", "over the limit, container links get 953 too (if their bytes count)"
    )
    meter_lag_minutes: float = _switch(0.0, "C", "the meter sees what was sent only after so long")

    @classmethod
    def of(cls, given: Mapping[str, Any] | Iterable[str]) -> Self:
        """From a mapping, or from `NAME=VALUE` texts; `-` and `_` in names are the same.

        Raises:
            ValueError: no such switch, or not one of its values.
        """
        pairs = given.items() if isinstance(given, Mapping) else [text.partition("=")[::2] for text in given]
        known = {f.name: f for f in fields(cls)}
        values: dict[str, Any] = {}
        for raw, value in pairs:
            name = raw.strip().replace("-", "_")
            if name not in known:
                raise ValueError(f"no switch named {raw!r}; --switches lists them")
            values[name] = _read(name, value, known[name].default, known[name].metadata["choices"])
        return cls(**values)


def _read(name: str, value: Any, default: Any, choices: tuple[str, ...]) -> Any:
    text = str(value).strip()
    try:
        if isinstance(default, bool):
            return {
                "true": True,
                "1": True,
                "on": True,
                "yes": True,
                "false": False,
                "0": False,
                "off": False,
                "no": False,
            }[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except (KeyError, ValueError):
        raise ValueError(f"switch {name}: not a {type(default).__name__}: {text!r}") from None
    if choices and text not in choices:
        raise ValueError(f"switch {name}: {text!r} is not one of {', '.join(repr(c) for c in choices)}")
    return text


def table() -> str:
    """All switches with default, certainty and meaning, one a line."""
    lines = []
    for f in fields(Switches):
        assert f.default is not MISSING
        default = str(f.default).lower() if isinstance(f.default, bool) else f.default
        choices = f.metadata["choices"]
        about = f.metadata["about"] + (f" ({' | '.join(c or 'empty' for c in choices)})" if choices else "")
        lines.append(f"{f'{f.name}={default}':44} [{f.metadata['mark']}] {about}")
    return "\n".join(lines)
