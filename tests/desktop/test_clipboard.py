"""FileMaker's clipboard formats, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlade.desktop.script import clipboard
from unlade.errors import SourceError, UsageError

TEXT = '<fmxmlsnippet type="FMObjectList"><Step enable="True" id="89" name="Kommentar"><Text>Größe 写真</Text></Step></fmxmlsnippet>'


def test_windows_counts_bytes_not_characters() -> None:
    payload = clipboard.windows_payload("<fmx é>")
    assert payload == b"\x08\x00\x00\x00<fmx \xc3\xa9>"


def test_windows_payload_as_captured_from_filemaker() -> None:
    # A clip of 131 bytes begins 7F 00 00 00 3C 66 6D (DESKTOP.md 1.4).
    payload = clipboard.windows_payload("<fm" + "x" * 124)
    assert (len(payload), payload[:7].hex()) == (131, "7f0000003c666d")


def test_formats() -> None:
    assert [clipboard.windows_format(kind) for kind in ("script", "steps")] == ["Mac-XMSC", "Mac-XMSS"]
    assert [clipboard.mac_class(kind) for kind in ("script", "steps")] == ["XMSC", "XMSS"]


def test_applescript_carries_the_bytes() -> None:
    assert clipboard.applescript("steps", "<fmx é>") == "set the clipboard to «data XMSS3C666D7820C3A93E»\n"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.binary(max_size=8))
def test_round_trips(text: str, behind: bytes) -> None:
    assert clipboard.from_windows_payload(clipboard.windows_payload(text) + behind) == text
    script = clipboard.applescript("script", text).removeprefix("set the clipboard to ")
    assert clipboard.from_applescript_data(script.encode()) == text


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        clipboard.windows_payload(TEXT) + b"\0\0",
        f"«data XMSC{TEXT.encode().hex()}»\n".encode(),
    ],
    ids=["utf-8", "mark", "utf-16", "windows", "applescript"],
)
def test_saved_snippets(data: bytes) -> None:
    assert clipboard.read_snippet(data) == TEXT


def test_what_is_no_snippet() -> None:
    for payload in (b"", b"\x01", b"\xff\x00\x00\x00<fm"):
        with pytest.raises(SourceError):
            clipboard.from_windows_payload(payload)
    with pytest.raises(SourceError):
        clipboard.read_snippet(b"\x80\x81\x82")


def test_elsewhere_it_is_explained() -> None:
    with pytest.raises(UsageError) as copying:
        clipboard.copy_snippet("script", TEXT, platform="linux")
    assert "--copy" in copying.value.remedy and ".txt" in copying.value.remedy
    with pytest.raises(UsageError):
        clipboard.paste_snippet(platform="linux")
