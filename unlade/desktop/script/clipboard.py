"""FileMaker's own clipboard formats, byte for byte, and the ways to the clipboard of macOS and Windows.

macOS: pasteboard classes `XMSS` (steps) and `XMSC` (whole scripts), the XML in UTF-8 and nothing else. Windows:
registered formats `Mac-XMSS` and `Mac-XMSC`, four bytes with the little-endian length of the UTF-8 bytes (not of the
characters), then the XML, no end mark. Source: DESKTOP.md 1.4.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import time
from typing import Any, Literal

from unlade.errors import SourceError, UsageError

Kind = Literal["script", "steps"]

_CLASSES: dict[Kind, str] = {"script": "XMSC", "steps": "XMSS"}
_OSASCRIPT = "/usr/bin/osascript"
_APPLE_DATA = re.compile(rb"\xc2\xabdata (XM[A-Z]{2})([0-9A-Fa-f\s]*)\xc2\xbb")
_GMEM_MOVEABLE = 2
_TRIES = 20  #: another program may hold the clipboard for a moment


def mac_class(kind: Kind) -> str:
    """The four-letter class on a Mac's pasteboard."""
    return _CLASSES[kind]


def windows_format(kind: Kind) -> str:
    """The name of the registered clipboard format on Windows."""
    return f"Mac-{_CLASSES[kind]}"


def mac_payload(xml: str) -> bytes:
    """What lies on a Mac's pasteboard: the XML in UTF-8."""
    return xml.encode("utf-8")


def windows_payload(xml: str) -> bytes:
    """What lies on the clipboard of Windows: the length in bytes, then the XML in UTF-8."""
    data = xml.encode("utf-8")
    return len(data).to_bytes(4, "little") + data


def from_windows_payload(payload: bytes) -> str:
    """The XML of a payload. Bytes behind the told length belong to the memory block, not to us.

    Raises `SourceError` when the length tells more than there is.
    """
    length = int.from_bytes(payload[:4], "little")
    if len(payload) < 4 or length > len(payload) - 4:
        raise SourceError("what is on the clipboard is no whole FileMaker snippet: it is shorter than it says")
    return payload[4 : 4 + length].decode("utf-8")


def applescript(kind: Kind, xml: str) -> str:
    """The AppleScript that puts the snippet on the pasteboard."""
    return f"set the clipboard to «data {mac_class(kind)}{mac_payload(xml).hex().upper()}»\n"


def from_applescript_data(output: bytes) -> str:
    """The XML in what AppleScript prints: `«data XMSS3C3F...»`. Raises `SourceError` when there is none."""
    match = _APPLE_DATA.search(output)
    if match is None:
        raise SourceError("AppleScript's answer holds no FileMaker snippet")
    return bytes.fromhex(match[2].decode("ascii")).decode("utf-8")


def read_snippet(data: bytes) -> str:
    """The XML of a saved snippet, however it was saved: plain, UTF-16, a raw clipboard of Windows, AppleScript's hex.

    Raises `SourceError` when it is none of these.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if _APPLE_DATA.search(data):
        return from_applescript_data(data)
    if data[4:9] == b"<fmxm" or data[4:9] == b"<?xml":
        return from_windows_payload(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError("the file is no FileMaker snippet: it is neither UTF-8 nor UTF-16") from None


def copy_snippet(kind: Kind, xml: str, *, platform: str = sys.platform) -> str:
    """Put the snippet on this machine's clipboard; returns where to paste it.

    Raises `UsageError` where FileMaker Pro does not run (with what to do instead), `SourceError` when the system
    refuses.
    """
    if platform == "darwin":
        _run_applescript(applescript(kind, xml))
        if _read_mac(kind) != xml:
            raise SourceError("the clipboard does not hold what was put on it; another program may have changed it")
    elif platform == "win32":
        _Windows().put(windows_format(kind), windows_payload(xml))
    else:
        raise UsageError(
            "FileMaker Pro runs on macOS and Windows, and only there its clipboard format means something",
            remedy="Take the .xml file to that machine and run this command there with --copy, or put it on the "
            "clipboard with a tool for FileMaker snippets; or type the script from the .txt file.",
        )
    return "the list of scripts in Script Workspace" if kind == "script" else "an open script in Script Workspace"


def paste_snippet(*, platform: str = sys.platform) -> str:
    """The snippet that is on this machine's clipboard, a whole script or steps.

    Raises `UsageError` where there is no such clipboard, `SourceError` when it holds no snippet.
    """
    if platform == "darwin":
        return _first_of(_read_mac)
    if platform == "win32":
        clipboard = _Windows()
        return _first_of(lambda kind: from_windows_payload(clipboard.get(windows_format(kind))))
    raise UsageError(
        "this system's clipboard cannot hold FileMaker snippets",
        remedy="Save what was copied in FileMaker to a file on that machine and give the file.",
    )


def _first_of(read: Any) -> str:
    for kind in _CLASSES:
        try:
            return str(read(kind))
        except SourceError:
            continue
    raise SourceError(
        "the clipboard holds no FileMaker script",
        remedy="Select the script in Script Workspace and copy it there.",
    )


def _read_mac(kind: Kind) -> str:
    # The `as` form: the `of` form fails when text is the first flavour on the pasteboard (DESKTOP.md 1.4).
    return from_applescript_data(_run_applescript(f"the clipboard as «class {mac_class(kind)}»\n"))


def _run_applescript(script: str) -> bytes:
    """The script goes in by standard input: a long one would not fit on a command line."""
    done = subprocess.run([_OSASCRIPT, "-"], input=script.encode("utf-8"), capture_output=True, check=False)
    if done.returncode:
        raise SourceError("macOS would not let the clipboard be used (osascript failed)")
    return done.stdout


class _Windows:
    """The clipboard of Windows by ctypes (learn.microsoft.com, "Clipboard Functions")."""

    def __init__(self) -> None:
        dll: Any = ctypes
        self.user = dll.WinDLL("user32", use_last_error=True)
        self.kernel = dll.WinDLL("kernel32", use_last_error=True)
        pointer, integer = ctypes.c_void_p, ctypes.c_uint
        for function, result, arguments in (
            (self.user.OpenClipboard, ctypes.c_int, [pointer]),
            (self.user.RegisterClipboardFormatW, integer, [ctypes.c_wchar_p]),
            (self.user.SetClipboardData, pointer, [integer, pointer]),
            (self.user.GetClipboardData, pointer, [integer]),
            (self.kernel.GlobalAlloc, pointer, [integer, ctypes.c_size_t]),
            (self.kernel.GlobalLock, pointer, [pointer]),
            (self.kernel.GlobalUnlock, ctypes.c_int, [pointer]),
            (self.kernel.GlobalSize, ctypes.c_size_t, [pointer]),
            (self.kernel.GlobalFree, pointer, [pointer]),
        ):
            function.restype, function.argtypes = result, arguments

    def put(self, format_name: str, payload: bytes) -> None:
        """Replace what is on the clipboard."""
        self._open()
        try:
            self.user.EmptyClipboard()
            number = self.user.RegisterClipboardFormatW(format_name)
            handle = self.kernel.GlobalAlloc(_GMEM_MOVEABLE, len(payload))
            place = self.kernel.GlobalLock(handle) if handle else None
            if not number or not place:
                raise SourceError("Windows has no memory for the clipboard")
            ctypes.memmove(place, payload, len(payload))
            self.kernel.GlobalUnlock(handle)
            if not self.user.SetClipboardData(number, handle):
                self.kernel.GlobalFree(handle)  # else it belongs to Windows now
                raise SourceError("Windows would not take the snippet onto the clipboard")
        finally:
            self.user.CloseClipboard()

    def get(self, format_name: str) -> bytes:
        """What lies there under that format. Raises `SourceError` when nothing does."""
        self._open()
        try:
            handle = self.user.GetClipboardData(self.user.RegisterClipboardFormatW(format_name))
            place = self.kernel.GlobalLock(handle) if handle else None
            if not place:
                raise SourceError(f"nothing of the format {format_name} is on the clipboard")
            try:
                return ctypes.string_at(place, self.kernel.GlobalSize(handle))
            finally:
                self.kernel.GlobalUnlock(handle)
        finally:
            self.user.CloseClipboard()

    def _open(self) -> None:
        for _ in range(_TRIES):
            if self.user.OpenClipboard(None):
                return
            time.sleep(0.05)
        raise SourceError("another program holds the clipboard", remedy="Try again in a moment.")
