"""Which call a request is: its kind for the counters, and its parts (FILEMAKER.md 1.1, 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from fmsim.wire import Request

VERSIONS = frozenset({"v1", "v2", "vLatest"})


@dataclass(slots=True)
class Call:
    """One request, read."""

    action: str
    kind: str = "metadata"
    database: str = ""
    layout: str = ""
    record_id: str | None = None
    field: str | None = None
    repetition: str = "1"
    name: str = ""  #: a script's, or a token


# path pattern -> verb -> action, kind. `*` stands for one segment.
_ROUTES: dict[tuple[str, ...], dict[str, tuple[str, str]]] = {
    ("productInfo",): {"GET": ("product_info", "metadata")},
    ("validateSession",): {"GET": ("validate", "session")},
    ("databases",): {"GET": ("databases", "metadata")},
    ("databases", "*", "sessions"): {"POST": ("log_in", "session")},
    ("databases", "*", "sessions", "*"): {"DELETE": ("log_out", "session")},
    ("databases", "*", "layouts"): {"GET": ("layouts", "metadata")},
    ("databases", "*", "layouts", "*"): {"GET": ("layout", "metadata")},
    ("databases", "*", "scripts"): {"GET": ("scripts", "metadata")},
    ("databases", "*", "globals"): {"PATCH": ("set_globals", "edit")},
    ("databases", "*", "layouts", "*", "records"): {"GET": ("records", "records"), "POST": ("create", "edit")},
    ("databases", "*", "layouts", "*", "records", "*"): {
        "GET": ("record", "record"), "PATCH": ("edit", "edit"), "DELETE": ("delete", "edit"), "POST": ("duplicate", "edit"),
    },
    ("databases", "*", "layouts", "*", "records", "*", "containers", "*"): {"POST": ("upload", "edit")},
    ("databases", "*", "layouts", "*", "records", "*", "containers", "*", "*"): {"POST": ("upload", "edit")},
    ("databases", "*", "layouts", "*", "_find"): {"POST": ("find", "find")},
    ("databases", "*", "layouts", "*", "script", "*"): {"GET": ("run_script", "metadata")},
}  # fmt: skip
_BY_LENGTH: dict[int, list[tuple[tuple[str, ...], dict[str, tuple[str, str]]]]] = {}
for _pattern, _verbs in _ROUTES.items():
    _BY_LENGTH.setdefault(len(_pattern), []).append((_pattern, _verbs))


def read(request: Request) -> Call:
    """The call behind a Data API request. `action` is `wrong_verb` or `unknown` where there is none."""
    segments = request.segments
    if segments and segments[-1] == "":  # clients log in at `.../sessions/`
        segments = segments[:-1]
    if segments[:2] != ["fmi", "data"] or len(segments) < 4 or segments[2] not in VERSIONS:
        return Call("unknown")
    rest = segments[3:]
    for pattern, verbs in _BY_LENGTH.get(len(rest), ()):
        if all(want in ("*", have) for want, have in zip(pattern, rest, strict=True)):
            action, kind = verbs.get(request.method, ("wrong_verb", next(iter(verbs.values()))[1]))
            return _fill(Call(action, kind), rest)
    return Call("unknown")


def _fill(call: Call, rest: list[str]) -> Call:
    if len(rest) > 1:
        call.database = rest[1]
    if len(rest) > 3:
        if rest[2] == "sessions":
            call.name = rest[3]
        else:
            call.layout = rest[3]
    if len(rest) > 5:
        if rest[4] == "records":
            call.record_id = rest[5]
        else:
            call.name = rest[5]
    if len(rest) > 7:
        call.field = rest[7]
    if len(rest) > 8:
        call.repetition = rest[8]
    return call
