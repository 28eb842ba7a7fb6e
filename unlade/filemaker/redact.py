"""Takes what is as good as a password out of a text: tokens, cookies, sign-in headers, container links.

The room's own messages hold none of it; this is the fence behind them, for texts that come from elsewhere.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(Bearer|Basic|FMID)\s+[^\s,;'\"]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"(X-FM[\w-]*['\"]?\s*[:=,]\s*b?['\"]?)[^\s;,'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(Set-Cookie|Cookie)(['\"]?\s*[:=,]\s*)[^\r\n]+", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"(/sessions/)[^\s/?'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(?:https?:)?(?://[^/\s]*)?/Streaming(?:_SSL)?/\S*", re.IGNORECASE), f"[container link {HIDDEN[1:]}"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{50,64}(?![0-9A-Za-z])"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), HIDDEN),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without anything that gives access; `secrets` are taken out literally, wherever they stand."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts every record that passes, its traceback too. Put it on a handler."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage(), self._secrets), ()
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info), self._secrets)
            record.exc_info = None
        return True
