"""What answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import Wire
from unlade.errors import (
    AllowanceSpent,
    Final,
    ItemError,
    ProtocolError,
    SignInRefused,
    SourceError,
    Transient,
    UnladeError,
)
from unlade.filemaker.errors import Reply, hardship, parse_reply, refusal, retry_after

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


def reply(code: str | None, status: int = 500, kind: str = "json") -> Reply:
    return Reply(status, kind, code, {}, {}, Wire(api=10))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [("messages", "response"), ("response", "messages")])
def test_the_order_of_members_does_not_matter(order: tuple[str, str]) -> None:
    parts = {"messages": [{"message": "x", "code": "952"}], "response": {}}
    parsed = parse_reply(401, {}, json.dumps({name: parts[name] for name in order}).encode(), Wire())
    assert (parsed.code, parsed.kind, parsed.session_died) == ("952", "json", True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"  \r\n", "empty"),
        (b"<!DOCTYPE html>", "html"),
        (b"Bad Gateway", "other"),
        (b"[1]", "other"),
        (b"{", "other"),
        (b'{"a": 1}', "json"),
        (b'{"messages": "x", "response": []}', "json"),
        (b"\xff\xfe", "other"),
        (b'{"a":' * 100_000, "other"),
        (b'{"a": ' + b"1" * 5000 + b"}", "other"),
    ],
)
def test_bodies_that_are_no_data_api_json(body: bytes, kind: str) -> None:
    parsed = parse_reply(200, {}, body, Wire())
    assert (parsed.kind, parsed.code, parsed.ok) == (kind, None, False)


def test_control_characters_in_strings_are_taken_as_they_are() -> None:
    parsed = parse_reply(200, {}, b'{"response":{"a":"x\ry\x01"},"messages":[{"code":"0"}]}', Wire())
    assert parsed.ok and parsed.response == {"a": "x\ry\x01"}


def test_filemaker_s_code_holds_over_the_status() -> None:
    assert hardship(reply("401"), NOW) is None, "an empty find is HTTP 500"
    assert hardship(reply("952", 503), NOW) is None
    assert hardship(reply(None, 500, "html"), NOW) is not None
    assert not reply("952", 200).ok
    assert (
        reply("112", 500).session_died and not reply("401", 500).session_died and reply(None, 401, "html").session_died
    )


@pytest.mark.parametrize(
    "code",
    [
        *range(1, 20),
        *range(100, 130),
        *range(200, 230),
        *range(300, 310),
        *range(400, 420),
        *range(500, 514),
        802,
        953,
        958,
        960,
        1627,
        1700,
        1704,
        1711,
        9999,
    ],
)
def test_every_code_becomes_an_error_that_names_it(code: int) -> None:
    error = refusal(reply(str(code)), "Reading record 7")
    assert isinstance(error, SourceError | ItemError | AllowanceSpent)
    assert f"{code}" in str(error) and str(error).startswith("Reading record 7")
    assert getattr(error, "code", str(code)) == str(code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (953, AllowanceSpent),
        (306, Transient),
        (301, Transient),
        (303, Transient),
        (504, Final),
        (212, SignInRefused),
        (1711, SourceError),
    ],
)
def test_kinds(code: int, kind: type[UnladeError]) -> None:
    assert isinstance(refusal(reply(str(code)), "x"), kind)


def test_answers_without_a_code() -> None:
    for status in (200, 204, 301, 400, 403, 404, 405, 413):
        error = refusal(reply(None, status, "html"), "Reading")
        assert isinstance(error, SourceError) and str(status) in str(error)
    assert isinstance(refusal(reply(None, 401, "html"), "x"), Transient)
    assert isinstance(refusal(reply(None, 401, "html"), "x", signing_in=True), SignInRefused)
    assert isinstance(refusal(reply(None, 415), "x"), ProtocolError)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("Tue, 10 Mar 2026 08:01:30 GMT", 90),
        ("Tue, 10 Mar 2020 08:00:00 GMT", 0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.binary(max_size=300), st.integers(100, 599))
def test_no_body_breaks_the_reading(body: bytes, status: int) -> None:
    parsed = parse_reply(status, {}, body, Wire())
    if not parsed.ok:
        assert isinstance(hardship(parsed, NOW) or refusal(parsed, "x"), UnladeError)
