"""The export script, step by step: the frame around the records (record.py has one record).

Rules it keeps: an error is read right behind every step that can fail; nothing asks a person anything; nothing is
written into the source, no record is opened or committed; every value of every record gives a line, also the empty
ones; a path is unique by construction (record id, number of the field, repetition); what a broken run left behind is
finished by running it again. Source: DESKTOP.md 2 and 8.
"""

from __future__ import annotations

from unlade.desktop.script import formulas as f
from unlade.desktop.script import steps as s
from unlade.desktop.script.fallback import bare_steps
from unlade.desktop.script.lines import give_up_if, write_line
from unlade.desktop.script.plan import LINES_A_PART, ExportPlan
from unlade.desktop.script.record import COUNTERS, record_steps
from unlade.desktop.script.steps import Step

#: Errors one after another after which going on is pointless: a full disk, a volume that is gone.
ERRORS_IN_A_ROW = 25


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
        *record_steps(plan),
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
        *give_up_if("$err <> 0", "layout"),
        s.set_variable("$table", f.quote(plan.table) if plan.table else "Get ( LayoutTableName )"),
        s.set_variable("$unknown", f.missing_fields(list(dict.fromkeys(names)))),
        *give_up_if("not IsEmpty ( $unknown )", "fields", ("fields", "$unknown", "String")),
        s.set_variable("$fields", f.lines(c.name for c in plan.containers)),
        s.set_variable("$reps", f.lines(str(c.repetition) for c in plan.containers)),
        s.set_variable("$types", f" & {f.RETURN} &\n".join(types)),
        s.set_variable("$hasDates", f.holds_dates(plan.date)),
        s.freeze_window(),
        s.show_all_records(),
        s.read_error(),
        *give_up_if("$err <> 0 and $err <> 401", "show_all"),
        s.unsort_records(),
        s.read_error(),
        s.set_variable("$found", "Get ( FoundCount )"),
        s.set_variable("$total", "Get ( TotalRecordCount )"),
        s.set_variable("$session", "Get ( UUID )"),
        s.set_variable("$started", "GetAsText ( Get ( CurrentTimeUTCMilliseconds ) )"),
        *(s.set_variable(name, "0") for name in ("$n", "$records", "$part", "$lines", "$bytes", "$partBytes", "$row")),
        *(s.set_variable(name, "0") for name in COUNTERS),
        s.set_variable("$stopped", '""'),
        s.set_variable("$manifestId", '""'),
        s.if_("$found > 0"),
        s.first_record(),
        s.read_error(),
        s.end_if(),
        s.comment(),
    ]


def _rotate() -> list[Step]:
    """Close a part between two records: what a crash can take is bounded by a part."""
    return [
        s.if_(f"$lines >= {LINES_A_PART}"),
        *write_line(f.part_end_line(), "part_end"),
        s.close_data_file("$manifestId"),
        s.read_error(),
        *give_up_if("$err <> 0", "manifest close"),
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
        *give_up_if("GetAsBoolean ( $exists )", "manifest names", ("path", "$manifest", "String")),
        s.create_data_file("$manifest"),
        s.read_error(),
        *give_up_if("$err <> 0", "manifest create", ("path", "$manifest", "String")),
        s.open_data_file("$manifest", "$manifestId"),
        s.read_error(),
        *give_up_if("$err <> 0", "manifest open", ("path", "$manifest", "String")),
        s.set_variable("$lines", "0"),
        s.set_variable("$partBytes", "0"),
        *write_line(f.head_line(plan), "head"),
        s.end_if(),
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
        *write_line(f.part_end_line(), "part_end"),
        *write_line(f.end_line(), "end"),
        s.close_data_file("$manifestId"),
        s.read_error(),
        *give_up_if("$err <> 0", "manifest close"),
        s.exit_script(f.summary()),
    ]
