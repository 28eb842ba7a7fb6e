"""The calculations of the generated script, as FileMaker's language writes them.

Field names stand in them only as text and are looked up while the script runs (`GetField`), so that nothing depends
on ids, on how a name must be quoted, or on names that are resolved when the script is pasted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from unlade.desktop.script.plan import ExportPlan

RETURN = "Char ( 13 )"

#: What no file name may hold on one of the systems, and the two characters that our own names use.
_FORBIDDEN = '/\\:*?"<>|.~'
#: Control characters that get into fields: tab, line feed, vertical tab, return, group separator. Any other makes the
#: file's creation fail, which its line tells.
_TYPED_CONTROLS = (9, 10, 11, 13, 29)
#: Names that Windows keeps for devices.
_DEVICES = ["CON", "PRN", "AUX", "NUL", *(f"COM{n}" for n in range(1, 10)), *(f"LPT{n}" for n in range(1, 10))]
LONGEST_PART = 60  #: characters of one part of a path; the whole must fit 260 on Windows
_EXTENSION_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def quote(text: str) -> str:
    """A text literal. Inside one a bare ¶ would be a return, a backslash an escape."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("¶", "\\¶")
    return f'"{escaped}"'


def qualified(name: str) -> str:
    """The full name of a field, as text: `$table` is the occurrence the layout shows."""
    return quote(name) if "::" in name else f"$table & {quote('::' + name)}"


def value_of(name: str) -> str:
    """The contents of a field."""
    return f"GetField ( {qualified(name)} )"


def text_of(name: str) -> str:
    """The contents of a field as text; an empty text for no field."""
    return f"GetAsText ( {value_of(name)} )" if name else '""'


def lines(texts: Iterable[str]) -> str:
    """A list, one value a line."""
    return f" & {RETURN} & ".join(quote(text) for text in texts)


def parameter(key: str, default: str) -> str:
    """An entry of the script's parameter, or `default` (a formula)."""
    entry = f"JSONGetElement ( $parameter ; {quote(key)} )"
    return f'Let ( v = {entry} ; If ( IsEmpty ( v ) or Left ( v ; 1 ) = "?" ; {default} ; v ) )'


def safe_part(formula: str, missing: str) -> str:
    """One part of a path that every system accepts; it need not be unique, the file's name is."""
    swaps = [f"[ {quote(char)} ; {quote('_')} ]" for char in _FORBIDDEN]
    swaps += [f'[ Char ( {code} ) ; "_" ]' for code in _TYPED_CONTROLS]
    joined = " ; ".join(swaps)
    devices = quote("|" + "|".join(_DEVICES) + "|")
    return (
        f"Let ( [\n  a = Substitute ( Trim ( {formula} ) ; {joined} ) ;\n"
        f"  b = Trim ( Left ( a ; {LONGEST_PART} ) ) ;\n"
        f'  c = If ( PatternCount ( {devices} ; "|" & b & "|" ) ; "_" & b ; b )\n'
        f"] ; If ( IsEmpty ( c ) ; {quote(missing)} ; c ) )"
    )


def extension_of(name_formula: str) -> str:
    """What follows the last dot, in lower case; `bin` when that is no extension. The true type is found later."""
    return (
        f'Let ( [\n  n = {name_formula} ;\n  dots = PatternCount ( n ; "." ) ;\n'
        '  e = If ( dots ; Lower ( Middle ( n ; Position ( n ; "." ; 1 ; dots ) + 1 ; 20 ) ) ; "" ) ;\n'
        f"  ok = Length ( e ) > 0 and Length ( e ) <= 10 and Exact ( e ; Filter ( e ; {quote(_EXTENSION_CHARACTERS)} ) )\n"
        '] ; If ( ok ; e ; "bin" ) )'
    )


def field_type(name: str) -> str:
    """`Standard Container Unindexed 1`, in English everywhere; empty or `?` when there is no such field."""
    return f"FieldType ( Get ( FileName ) ; {qualified(name)} )"


def missing_fields(names: Sequence[str]) -> str:
    """The names of those that the table does not have, one a line."""
    checks = [
        f'Let ( t = {field_type(name)} ; If ( IsEmpty ( t ) or t = "?" ; {quote(name)} & {RETURN} ; "" ) )'
        for name in names
    ]
    return " &\n".join(checks)


def holds_dates(name: str) -> str:
    """True for fields of type date and timestamp: only those are taken apart; a text stays what was typed."""
    if not name:
        return "0"
    return (
        f'Let ( t = " " & {field_type(name)} & " " ; '
        'PatternCount ( t ; " date " ) > 0 or PatternCount ( t ; " timestamp " ) > 0 )'
    )


def iso_date(name: str) -> str:
    """By arithmetic, never as text: text depends on the file's locale (DESKTOP.md 8.2)."""
    if not name:
        return '""'
    return (
        f"Let ( [\n  v = {value_of(name)} ;\n  d = GetAsDate ( v )\n] ;\n"
        "  If ( $hasDates and not IsEmpty ( v ) and IsValid ( d ) ;\n"
        '    Right ( "000" & Year ( d ) ; 4 ) & "-" & Right ( "0" & Month ( d ) ; 2 ) & "-" & '
        'Right ( "0" & Day ( d ) ; 2 ) ;\n    "" ) )'
    )


def json_object(entries: Iterable[tuple[str, str, str]]) -> str:
    """`JSONSetElement` of (key, formula, type); keys are ours and hold no dots or brackets."""
    rows = " ;\n".join(f"  [ {quote(key)} ; {formula} ; JSON{kind} ]" for key, formula, kind in entries)
    return f'JSONSetElement ( "{{}}" ;\n{rows}\n)'


def result(outcome: str, *entries: tuple[str, str, str]) -> str:
    """What the script returns."""
    return json_object([("outcome", quote(outcome), "String"), *entries])


def head_line(plan: ExportPlan) -> str:
    """The first line of every part: what was asked for, where, by whom, with which names."""
    fields = json.dumps([{"n": c.name, "rep": c.repetition} for c in plan.containers], ensure_ascii=False)
    roles = {
        "pk": plan.identity,
        "owner": plan.owner,
        "date": plan.date,
        "cat": plan.category,
        "orig": plan.original_name,
    }
    named = json.dumps({key: name for key, name in roles.items() if name}, ensure_ascii=False)
    extras = json.dumps(list(plan.extras), ensure_ascii=False)
    return json_object(
        [
            ("t", quote("head"), "String"),
            ("v", "1", "Number"),
            ("run", "$run", "String"),
            ("session", "$session", "String"),
            ("part", "$part", "Number"),
            ("name", quote(plan.name), "String"),
            ("mode", "$mode", "String"),
            ("waterfall", quote("all" if plan.all_fields else "best"), "String"),
            ("variant", quote(plan.variant), "String"),
            ("file", "Get ( FileName )", "String"),
            ("host", "Get ( HostName )", "String"),
            ("table", "$table", "String"),
            ("layout", "$layout", "String"),
            ("fm", "Get ( ApplicationVersion )", "String"),
            ("platform", "Get ( SystemPlatform )", "Number"),
            ("account", "Get ( AccountName )", "String"),
            ("privset", "Get ( AccountPrivilegeSetName )", "String"),
            ("started", "$started", "String"),
            ("total", "$total", "Number"),
            ("found", "$found", "Number"),
            ("from", "$from", "Number"),
            ("fields", quote(fields), "Array"),
            ("roles", quote(named), "Object"),
            ("extras", quote(extras), "Array"),
            ("types", "$types", "String"),
        ]
    )


def item_line(plan: ExportPlan) -> str:
    """One line for each value of each record, empty ones too. Numbers as text: nothing is rounded."""
    strings = [
        *(("rid", "$rid"), ("mid", "$mid"), ("pk", "$pk"), ("owner", "$owner"), ("date", "$date")),
        *(("date_raw", "$dateRaw"), ("cat", "$cat"), ("orig", "$orig"), ("field", "$field"), ("rep", "$rep")),
        *(("st", "$st"), ("err", "$err"), ("step", "$step"), ("name", "$name"), ("size", "$size")),
        *(("disk", "$disk"), ("md5", "$md5"), ("sha256", "$sha256"), ("stype", "$stype"), ("ext_files", "$extFiles")),
        *(("verify", "$verify"), ("w", "$width"), ("h", "$height"), ("path", "$path")),
    ]
    entries = [("t", quote("item"), "String"), ("seq", "$n", "Number"), ("f", "$f", "Number")]
    entries += [(key, formula, "String") for key, formula in strings]
    entries += [(f"v[{index}]", text_of(name), "String") for index, name in enumerate(plan.extras)]
    return json_object(entries)


def part_end_line() -> str:
    """Tells that a part is whole."""
    return json_object(
        [
            ("t", quote("part_end"), "String"),
            ("part", "$part", "Number"),
            ("lines", "$lines", "Number"),
            ("bytes", "$partBytes", "Number"),
        ]
    )


def end_line() -> str:
    """Tells that the whole session is done, and its sums."""
    counts = ["written", "present", "empty", "skipped", "too_big", "missing", "errors"]
    entries = [("t", quote("end"), "String"), ("session", "$session", "String"), ("records", "$records", "Number")]
    entries += [(key, "$" + _camel(key), "Number") for key in counts]
    entries += [
        ("bytes", "$bytes", "Number"),
        ("found_after", "$foundAfter", "Number"),
        ("stopped", "$stopped", "String"),
        ("finished", "GetAsText ( Get ( CurrentTimeUTCMilliseconds ) )", "String"),
    ]
    return json_object(entries)


def summary() -> str:
    """The script's result when it came to its end."""
    return json_object(
        [
            ("outcome", 'If ( IsEmpty ( $stopped ) ; "done" ; "stopped" )', "String"),
            ("why", "$stopped", "String"),
            ("root", "$root", "String"),
            ("records", "$records", "Number"),
            ("written", "$written", "Number"),
            ("present", "$present", "Number"),
            ("errors", "$errors", "Number"),
            ("too_big", "$tooBig", "Number"),
        ]
    )


def container() -> str:
    """The value number `$f`, whose name and repetition are in `$field` and `$rep`."""
    return (
        'Let ( [\n  n = If ( PatternCount ( $field ; "::" ) ; $field ; $table & "::" & $field ) ;\n'
        '  r = If ( $rep = 1 ; "" ; "[" & $rep & "]" )\n] ; GetField ( n & r ) )'
    )


def attribute(name: str) -> str:
    """An attribute of the container in `$container`, empty when FileMaker does not know it."""
    return f'Let ( v = GetContainerAttribute ( $container ; {quote(name)} ) ; If ( v = "?" ; "" ; v ) )'


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
