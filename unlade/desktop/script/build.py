"""The export script, step by step: one loop over the records, one over a record's containers.

Rules it keeps: an error is read right behind every step that can fail; nothing asks a person anything; nothing is
written into the source, no record is opened or committed; every value of every record gives a line, also the empty
ones; a path is unique by construction (record id, number of the field, repetition); what a broken run left behind is
finished by running it again. Source: DESKTOP.md 2 and 8.
"""

from __future__ import annotations

from unlade.desktop.script import formulas as f
from unlade.desktop.script import steps as s
from unlade.desktop.script.fallback import bare_steps, export_value
from unlade.desktop.script.plan import LARGEST_WRITE, LINES_A_PART, ExportPlan
from unlade.desktop.script.steps import Step

#: Errors one after another after which going on is pointless: a full disk, a volume that is gone.
ERRORS_IN_A_ROW = 25

_COUNTERS = ("$written", "$present", "$empty", "$skipped", "$tooBig", "$missing", "$errors")


def build_steps(plan: ExportPlan) -> list[Step]:
    """All steps of the script for `plan`."""
    if not plan.writes_manifest:
        return bare_steps(plan)
    return [
        *_preamble(plan),
        *_ready(plan),
        s.loop(),
        *_rotate(),
        *_open_part(plan),
        s.exit_loop_if("$found = 0"),
        s.set_variable("$n", "$n + 1"),
        s.if_("$n >= $from"),
        *_record(plan),
        s.end_if(),
        *_leave(),
        s.next_record(),
        s.read_error(),
        s.end_loop(),
        *_finish(),
    ]


def _preamble(plan: ExportPlan) -> list[Step]:
    many = "every container field" if plan.all_fields else "the best container field of each record"
    return [
        s.comment(f"{plan.script_name}: exports {many}, with a manifest. Made by unlade."),
        s.comment(
            "It changes nothing in this file. Run it on a copy if you can; delete it when the migration is done."
        ),
        s.comment("To stop it in order, put a file named STOP beside the manifest. Run it again to go on."),
        s.error_capture_on(),
        s.user_abort_off(),
        s.comment(),
        s.comment("What it was asked for: a script parameter in JSON may change these."),
        s.set_variable("$parameter", "Get ( ScriptParameter )"),
        s.set_variable("$mode", f.parameter("mode", f.quote("missing_only"))),
        s.set_variable("$run", f.safe_part(f.parameter("run", f.quote("run-1")), "run-1")),
        s.set_variable("$from", f"GetAsNumber ( {f.parameter('from', '1')} )"),
        s.set_variable("$to", f"GetAsNumber ( {f.parameter('to', '999999999')} )"),
        s.set_variable("$layout", f.parameter("layout", f.quote(plan.layout))),
        s.comment("The server lets a script write below its Documents folder only."),
        s.set_variable(
            "$base",
            'If ( PatternCount ( Get ( ApplicationVersion ) ; "Server" ) ; Get ( DocumentsPath ) ; '
            f"{f.parameter('root', 'Get ( DocumentsPath )')} )",
        ),
        s.set_variable(
            "$root",
            f'"file:" & $base & If ( Right ( $base ; 1 ) = "/" ; "" ; "/" ) & "unlade/" & $run & "/{plan.name}/"',
        ),
    ]


def _ready(plan: ExportPlan) -> list[Step]:
    """Go to the layout, check that the fields exist, take all records."""
    names = [*plan.fields, *(c.name for c in plan.containers)]
    types = [f.field_type(name) for name in (*(c.name for c in plan.containers), *([plan.date] if plan.date else []))]
    return [
        s.comment(),
        s.browse_mode(),
        s.read_error(),
        s.go_to_layout("$layout"),
        s.read_error(),
        *_give_up_if("$err <> 0", "layout"),
        s.set_variable("$table", f.quote(plan.table) if plan.table else "Get ( LayoutTableName )"),
        s.set_variable("$unknown", f.missing_fields(list(dict.fromkeys(names)))),
        *_give_up_if("not IsEmpty ( $unknown )", "fields", ("fields", "$unknown", "String")),
        s.set_variable("$fields", f.lines(c.name for c in plan.containers)),
        s.set_variable("$reps", f.lines(str(c.repetition) for c in plan.containers)),
        s.set_variable("$types", f" & {f.RETURN} &\n".join(types)),
        s.set_variable("$hasDates", f.holds_dates(plan.date)),
        s.freeze_window(),
        s.show_all_records(),
        s.read_error(),
        *_give_up_if("$err <> 0 and $err <> 401", "show_all"),
        s.unsort_records(),
        s.read_error(),
        s.set_variable("$found", "Get ( FoundCount )"),
        s.set_variable("$total", "Get ( TotalRecordCount )"),
        s.set_variable("$session", "Get ( UUID )"),
        s.set_variable("$started", "GetAsText ( Get ( CurrentTimeUTCMilliseconds ) )"),
        *(s.set_variable(name, "0") for name in ("$n", "$records", "$part", "$lines", "$bytes", "$partBytes", "$row")),
        *(s.set_variable(name, "0") for name in _COUNTERS),
        s.set_variable("$stopped", '""'),
        s.set_variable("$manifestId", '""'),
        s.if_("$found > 0"),
        s.first_record(),
        s.read_error(),
        s.end_if(),
        s.comment(),
    ]


def _give_up_if(condition: str, what: str, *entries: tuple[str, str, str]) -> list[Step]:
    reply = f.result(f"failed: {what}", ("error", "$err", "String"), ("root", "$root", "String"), *entries)
    return [s.if_(condition), s.exit_script(reply), s.end_if()]


def _write_line(formula: str, what: str) -> list[Step]:
    """Write into the manifest; without its manifest an export is worth nothing, so a failure ends the script."""
    return [
        s.set_variable("$line", formula),
        s.write_data_file("$manifestId", "$line", line=True),
        s.read_error(),
        s.if_("$err <> 0"),
        s.close_data_file("$manifestId"),
        s.read_error("$closed"),
        s.exit_script(
            f.result(f"failed: manifest {what}", ("error", "$err", "String"), ("path", "$manifest", "String"))
        ),
        s.end_if(),
    ]


def _rotate() -> list[Step]:
    """Close a part between two records: what a crash can take is bounded by a part."""
    return [
        s.if_(f"$lines >= {LINES_A_PART}"),
        *_write_line(f.part_end_line(), "part_end"),
        s.close_data_file("$manifestId"),
        s.read_error(),
        *_give_up_if("$err <> 0", "manifest close"),
        s.set_variable("$manifestId", '""'),
        s.end_if(),
    ]


def _open_part(plan: ExportPlan) -> list[Step]:
    """The next part whose name is free: an earlier session's parts are never overwritten."""
    return [
        s.if_("IsEmpty ( $manifestId )"),
        s.loop(),
        s.set_variable("$part", "$part + 1"),
        s.set_variable("$manifest", '$root & "manifest-" & Right ( "00000" & $part ; 5 ) & ".jsonl"'),
        s.file_exists("$manifest", "$exists"),
        s.read_error(),
        s.exit_loop_if("not GetAsBoolean ( $exists ) or $part >= 99999"),
        s.end_loop(),
        *_give_up_if("GetAsBoolean ( $exists )", "manifest names", ("path", "$manifest", "String")),
        s.create_data_file("$manifest"),
        s.read_error(),
        *_give_up_if("$err <> 0", "manifest create", ("path", "$manifest", "String")),
        s.open_data_file("$manifest", "$manifestId"),
        s.read_error(),
        *_give_up_if("$err <> 0", "manifest open", ("path", "$manifest", "String")),
        s.set_variable("$lines", "0"),
        s.set_variable("$partBytes", "0"),
        *_write_line(f.head_line(plan), "head"),
        s.end_if(),
    ]


def _record(plan: ExportPlan) -> list[Step]:
    date_part = "If ( IsEmpty ( $date ) ; $dateRaw ; $date )"
    folder = f'{f.safe_part("$owner", "no-owner")} & "/" &\n{f.safe_part(date_part, "no-date")} & "/"'
    return [
        s.set_variable("$rid", "GetAsText ( Get ( RecordID ) )"),
        s.set_variable("$mid", "GetAsText ( Get ( RecordModificationCount ) )"),
        s.set_variable("$pk", f.text_of(plan.identity)),
        s.set_variable("$owner", f.text_of(plan.owner)),
        s.set_variable("$date", f.iso_date(plan.date)),
        s.set_variable("$dateRaw", f.text_of(plan.date)),
        s.set_variable("$cat", f.text_of(plan.category)),
        s.set_variable("$orig", f.text_of(plan.original_name)),
        s.set_variable("$folder", folder),
        s.set_variable("$stem", f.safe_part("$pk", "no-identity")),
        s.set_variable("$taken", "0"),
        s.set_variable("$f", "0"),
        s.loop(),
        s.set_variable("$f", "$f + 1"),
        *_value(plan),
        *_count(),
        *_write_line(f.item_line(plan), "item"),
        s.set_variable("$lines", "$lines + 1"),
        s.exit_loop_if(f"$f >= {len(plan.containers)}"),
        s.end_loop(),
        s.set_variable("$records", "$records + 1"),
    ]


_BLANKS = ("$step", "$name", "$size", "$disk", "$md5", "$sha256", "$stype", "$extFiles", "$verify", "$width", "$height")


def _value(plan: ExportPlan) -> list[Step]:
    """One container value: what it is, whether it is taken, and taking it."""
    return [
        s.set_variable("$field", "GetValue ( $fields ; $f )"),
        s.set_variable("$rep", "GetValue ( $reps ; $f )"),
        s.set_variable("$container", f.container()),
        s.set_variable("$st", f.quote("empty")),
        s.set_variable("$err", "0"),
        *(s.set_variable(name, '""') for name in (*_BLANKS, "$path")),
        s.if_("not IsEmpty ( $container )"),
        *_attributes(),
        s.set_variable(
            "$st",
            'Case ( $stype = "File Reference" and IsEmpty ( $size ) ; "reference_missing" ; $taken ; "skipped" ; "" )',
        ),
        s.if_("IsEmpty ( $st )"),
        *_look_first(plan),
        s.end_if(),
        s.if_("IsEmpty ( $st )"),
        *(_write_value() if plan.variant == "data-file" else export_value(plan)),
        *_judge(),
        s.end_if(),
        *([] if plan.all_fields else [s.set_variable("$taken", _taken())]),
        s.end_if(),
    ]


def _taken() -> str:
    # A file that is too big here is still the best one: the other script fetches it.
    return '$taken or $st = "written" or $st = "present" or $st = "too_big"'


def _attributes() -> list[Step]:
    known = {
        "$name": "filename",
        "$size": "fileSize",
        "$md5": "MD5",
        "$stype": "storageType",
        "$extFiles": "externalFiles",
        "$width": "width",
        "$height": "height",
    }
    return [
        *(s.set_variable(variable, f.attribute(name)) for variable, name in known.items()),
        s.set_variable("$sha256", 'HexEncode ( CryptDigest ( $container ; "SHA256" ) )'),
        s.comment("0: a file kept outside was changed or deleted behind FileMaker's back."),
        s.set_variable(
            "$verify",
            'GetAsText ( Evaluate ( "VerifyContainer ( GetField ( " & Quote ( '
            'If ( PatternCount ( $field ; "::" ) ; $field ; $table & "::" & $field ) & '
            'If ( $rep = 1 ; "" ; "[" & $rep & "]" ) ) & " ) )" ) )',
        ),
        s.set_variable(
            "$path",
            f'"files/" & $folder & $stem & "~" & $rid & "-" & $f & "-" & $rep & "." &\n{f.extension_of("$name")}',
        ),
        s.set_variable("$full", "$root & $path"),
    ]


def _look_first(plan: ExportPlan) -> list[Step]:
    """A file that is there whole stays; half a file goes. `$size` is empty when FileMaker does not know it."""
    steps = [
        s.file_exists("$full", "$exists"),
        s.read_error(),
        s.if_("GetAsBoolean ( $exists )"),
        s.file_size("$full", "$disk"),
        s.read_error(),
        s.if_('$mode <> "full" and not IsEmpty ( $size ) and GetAsNumber ( $disk ) = GetAsNumber ( $size )'),
        s.set_variable("$st", f.quote("present")),
        s.else_if('$mode <> "manifest_only"'),
        s.delete_file("$full"),
        s.read_error(),
        s.if_("$err <> 0"),
        s.set_variable("$st", f.quote("error")),
        s.set_variable("$step", f.quote("delete")),
        s.end_if(),
        s.end_if(),
        s.end_if(),
        s.if_('IsEmpty ( $st ) and $mode = "manifest_only"'),
        s.set_variable("$st", f.quote("skipped")),
        s.end_if(),
    ]
    if plan.variant == "data-file":
        steps += [
            s.if_(f"IsEmpty ( $st ) and GetAsNumber ( $size ) > {LARGEST_WRITE}"),
            s.set_variable("$st", f.quote("too_big")),
            s.end_if(),
        ]
    # Asking for a file that is not there may leave an error of its own.
    return [*steps, s.set_variable("$err", 'If ( $st = "error" ; $err ; 0 )')]


def _write_value() -> list[Step]:
    return [
        s.set_variable("$step", f.quote("create")),
        s.create_data_file("$full"),
        s.read_error(),
        s.if_("$err = 0"),
        s.set_variable("$step", f.quote("open")),
        s.open_data_file("$full", "$fileId"),
        s.read_error(),
        s.if_("$err = 0"),
        s.set_variable("$step", f.quote("write")),
        s.write_data_file("$fileId", "$container", line=False),
        s.read_error(),
        s.close_data_file("$fileId"),
        s.read_error("$closed"),
        s.if_("$err = 0 and $closed <> 0"),
        s.set_variable("$step", f.quote("close")),
        s.set_variable("$err", "$closed"),
        s.end_if(),
        s.end_if(),
        s.end_if(),
    ]


def _judge() -> list[Step]:
    """Written is what lies on the disk with the size that FileMaker tells."""
    return [
        s.set_variable("$disk", '""'),
        s.file_size("$full", "$disk"),
        s.read_error("$measured"),
        s.if_("$err = 0 and $measured <> 0"),
        s.set_variable("$step", f.quote("measure")),
        s.set_variable("$err", "$measured"),
        s.end_if(),
        s.if_(
            '$err = 0 and $stype <> "Text" and not IsEmpty ( $size ) and GetAsNumber ( $disk ) <> GetAsNumber ( $size )'
        ),
        s.set_variable("$step", f.quote("size")),
        s.set_variable("$err", "-1"),
        s.end_if(),
        s.set_variable("$st", 'If ( $err = 0 ; "written" ; "error" )'),
        s.set_variable("$step", 'If ( $err = 0 ; "" ; $step )'),
    ]


def _count() -> list[Step]:
    words = ("written", "present", "empty", "skipped", "too_big", "reference_missing", "error")
    there = '( $st = "written" or $st = "present" )'
    return [
        *(
            s.set_variable(name, f"{name} + ( $st = {f.quote(word)} )")
            for name, word in zip(_COUNTERS, words, strict=True)
        ),
        s.set_variable("$bytes", f"$bytes + If ( {there} ; GetAsNumber ( $disk ) ; 0 )"),
        s.set_variable("$partBytes", f"$partBytes + If ( {there} ; GetAsNumber ( $disk ) ; 0 )"),
        s.set_variable("$row", f'Case ( $st = "error" ; $row + 1 ; {there} ; 0 ; $row )'),
    ]


def _leave() -> list[Step]:
    """Reasons to end before the last record. The guard on `$n` is for a `Next` that never ends."""
    return [
        s.if_("Mod ( $n ; 10 ) = 0"),
        s.set_variable("$stop", '$root & "STOP"'),
        s.file_exists("$stop", "$exists"),
        s.read_error(),
        s.if_("not GetAsBoolean ( $exists )"),
        s.comment("Windows likes to add .txt."),
        s.set_variable("$stop", '$root & "STOP.txt"'),
        s.file_exists("$stop", "$exists"),
        s.read_error(),
        s.end_if(),
        s.set_variable("$stopped", 'If ( GetAsBoolean ( $exists ) ; "stop file" ; $stopped )'),
        s.end_if(),
        s.set_variable(
            "$stopped",
            f'Case ( $row >= {ERRORS_IN_A_ROW} ; "errors" ; $n >= $to ; "to" ; $n > $found + 1000 ; "guard" ; $stopped )',
        ),
        s.exit_loop_if("not IsEmpty ( $stopped )"),
    ]


def _finish() -> list[Step]:
    return [
        s.comment(),
        s.show_all_records(),
        s.read_error(),
        s.set_variable("$foundAfter", "Get ( FoundCount )"),
        *_write_line(f.part_end_line(), "part_end"),
        *_write_line(f.end_line(), "end"),
        s.close_data_file("$manifestId"),
        s.read_error(),
        *_give_up_if("$err <> 0", "manifest close"),
        s.exit_script(f.summary()),
    ]
