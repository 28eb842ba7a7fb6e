"""Export Field Contents: for files over 64 MB, and for versions before data files (FileMaker Pro only).

The step names its field by a reference, which FileMaker binds when the script is pasted; so every container has a
step of its own. Source: DESKTOP.md 0.1, 1.1, 8.8.
"""

from __future__ import annotations

from unlade.desktop.script import formulas as f
from unlade.desktop.script import steps as s
from unlade.desktop.script.plan import ContainerField, ExportPlan
from unlade.desktop.script.steps import Step


def export_value(plan: ExportPlan) -> list[Step]:
    """Export container number `$f` to `$full`, leaving the error in `$err`."""
    found: list[Step] = [s.set_variable("$step", f.quote("export"))]
    for number, container in enumerate(plan.containers, 1):
        condition = f"$f = {number}"
        found += [s.if_(condition) if number == 1 else s.else_if(condition), _export(plan, container), s.read_error()]
    return [*found, s.end_if()]


def _export(plan: ExportPlan, container: ContainerField) -> Step:
    table, _, field = container.name.rpartition("::")
    return s.export_field_contents(
        "$full", table or plan.table, field, plan.field_ids.get(container.name, 0), container.repetition
    )


def bare_steps(plan: ExportPlan) -> list[Step]:
    """For FileMaker 18 and older, which can neither write the manifest nor tell a file's attributes this way.

    The record id stands in each file's name; the records themselves are exported by hand as FMPXMLRESULT, which
    carries the same id. Errors are kept in the script's result, one record a line.
    """
    return [
        s.comment(f"{plan.script_name}: for FileMaker 18 and older, without a manifest. Made by unlade."),
        s.comment("It changes nothing in this file. Export the records as XML afterwards; see the instructions."),
        s.error_capture_on(),
        s.user_abort_off(),
        s.set_variable("$root", f'"file:" & Get ( DocumentsPath ) & "unlade/run-1/{plan.name}/"'),
        s.browse_mode(),
        s.read_error(),
        s.go_to_layout(f.quote(plan.layout)),
        s.read_error(),
        s.if_("$err <> 0"),
        s.exit_script('"failed: layout, error " & $err'),
        s.end_if(),
        s.set_variable("$table", f.quote(plan.table) if plan.table else "Get ( LayoutTableName )"),
        s.freeze_window(),
        s.show_all_records(),
        s.read_error(),
        s.unsort_records(),
        s.read_error(),
        s.if_("Get ( FoundCount ) = 0"),
        s.exit_script('"done: 0 records"'),
        s.end_if(),
        s.set_variable("$n", "0"),
        s.set_variable("$files", "0"),
        s.set_variable("$failed", '""'),
        s.set_variable("$found", "Get ( FoundCount )"),
        s.first_record(),
        s.read_error(),
        s.loop(),
        s.set_variable("$n", "$n + 1"),
        s.set_variable("$taken", "0"),
        *(step for number, c in enumerate(plan.containers, 1) for step in _bare_value(plan, number, c)),
        s.exit_loop_if("$n > $found + 1000"),
        s.next_record(),
        s.read_error(),
        s.end_loop(),
        s.exit_script(
            f'"done: " & $n & " records, " & $files & " files" & If ( IsEmpty ( $failed ) ; "" ; '
            f'{f.RETURN} & "failed (record, field, error):" & $failed )'
        ),
    ]


def _bare_value(plan: ExportPlan, number: int, container: ContainerField) -> list[Step]:
    field = f.quote("::" + container.name) if "::" not in container.name else ""
    name = f"$table & {field}" if field else f.quote(container.name)
    repetition = f' & "[{container.repetition}]"' if container.repetition != 1 else ""
    tail = f"-{number}-{container.repetition}.bin"
    stem = f.safe_part(f.text_of(plan.identity), "no-identity")
    return [
        s.if_(f"not IsEmpty ( GetField ( {name}{repetition} ) ) and not $taken"),
        s.set_variable("$full", f'$root & {stem} & "~" & GetAsText ( Get ( RecordID ) ) & {f.quote(tail)}'),
        _export(plan, container),
        s.read_error(),
        s.if_("$err = 0"),
        s.set_variable("$files", "$files + 1"),
        *([] if plan.all_fields else [s.set_variable("$taken", "1")]),
        s.else_(),
        s.set_variable(
            "$failed",
            f'$failed & {f.RETURN} & GetAsText ( Get ( RecordID ) ) & ", {number}, " & $err',
        ),
        s.end_if(),
        s.end_if(),
    ]
