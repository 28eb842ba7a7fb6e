"""Nothing that gives access gets into a message or a log."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.filemaker.rawhost import CLOSE, RESET, FakeHost, Script, always, answer, fm, html, row
from unlade.errors import UnladeError
from unlade.filemaker import DataApiSource
from unlade.filemaker.redact import RedactingFilter, redact

Connect = Callable[..., DataApiSource]
MARK = "MARKED"
WORD = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\"'\\;,:/?#% "), min_size=1, max_size=20
)


@given(WORD, WORD)
def test_forms_that_give_access_are_taken_out(before: str, rest: str) -> None:
    secret = MARK + rest
    for text in (
        f"{before} Authorization: Bearer {secret}",
        f"Basic {secret}",
        f"FMID {secret} {before}",
        f"DELETE /fmi/data/vLatest/databases/x/sessions/{secret}",
        f"Set-Cookie: X-FMS-Session-Key={secret}; HttpOnly",
        f"{{'X-FM-Data-Access-Token': '{secret}'}}",
        f"(b'X-FM-Data-Access-Token', b'{secret}')",
        f"see https://h/Streaming_SSL/MainDB/{secret}?RCType={secret}",
        f"/Streaming/{secret}",
    ):
        assert MARK not in redact(text), text


@given(st.text(), WORD)
def test_known_secrets_are_taken_out_wherever_they_stand(text: str, rest: str) -> None:
    secret = "~" + MARK + rest
    assert MARK not in redact(f"{text}{secret}{text}", [secret, ""]).replace(redact(text, [secret]), "")


def test_plain_texts_stay_as_they_are() -> None:
    text = "Record 17, field image_Full: its link is no longer good (HTTP 401)"
    assert redact(text) == text


def test_the_filter_covers_arguments_and_tracebacks() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(["pw-" + MARK]))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"Bearer {MARK}")
    except ValueError:
        logger.exception("said %s", f"pw-{MARK}")
    assert MARK not in stream.getvalue() and "ValueError" in stream.getvalue() and "[hidden]" in stream.getvalue()


SCRIPTS: list[Script] = [
    [html(502)], [html(401)], [html(404)], [html(200)], [fm(code=952)], [fm(code=102)], [fm(code=212)], [fm(code=953)], [fm(code=9999)],
    [CLOSE], [RESET], [answer(200, b"{" + MARK.encode(), length=99), CLOSE], [answer(302, headers={"Set-Cookie": f"K={MARK}", "Location": f"https://evil/{MARK}"})],
    [answer(302, headers={"Location": f"/Streaming_SSL/{MARK}"})], [answer(200, f'{{"messages":[{{"code":"5","message":"{MARK}"}}]}}'.encode())],
    [b"HTTP/1.1 garbage " + MARK.encode() + b"\r\n\r\n"], [answer(200, b"x", {"Content-Encoding": "gzip"})],
]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SCRIPTS), st.sampled_from(["sessions", "records", "1", "stream", "API_Images", "productInfo"]), WORD
)
def test_no_answer_makes_us_say_a_secret(
    connect: Connect, caplog: pytest.LogCaptureFixture, script: Script, where: str, rest: str
) -> None:
    """Token, password, link and field values are marked; whatever a host does, no exception and no record holds the mark."""
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    link = f"https://h/Streaming_SSL/MainDB/{MARK}{rest}.jpg"
    with FakeHost([row("1", id=MARK, **{"photo(1)": link}), row("2")]) as host:
        good = fm({"token": MARK + "x"}, headers={"X-FM-Data-Access-Token": MARK + "x"})
        host.tokens = {MARK + "x"}
        host.on["POST", "sessions"] = always(good)
        said: list[str] = []
        source = connect(host.url, config={"password": MARK + rest, "account": "reader"})
        try:
            source.count()
            record = source.page(1, 2).records[0]
            said.append(repr(record.containers))
            for method in ("POST", "GET"):
                host.on[method, where] = always(*script)
            source.read("1")
            source.page(1, 2)
            with source.download(record, record.containers["photo"]) as download:
                list(download.chunks())
        except UnladeError as error:
            said += [str(error), repr(error), error.remedy, "".join(traceback.format_exception(error))]
        source.close()
        said += [r.getMessage() for r in caplog.records]
        # The traceback shows our own source lines, in which the mark does not stand.
        assert MARK not in json.dumps(said)
