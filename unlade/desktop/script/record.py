"""One record of the export: what each of its containers is, whether it is taken, taking it, and its line."""

from __future__ import annotations

from unlade.desktop.script import formulas as f
from unlade.desktop.script import steps as s
from unlade.desktop.script.fallback import export_value
from unlade.desktop.script.lines import write_line
from unlade.desktop.script.plan import LARGEST_WRITE, ExportPlan
from unlade.desktop.script.steps import Step

#: Counted in this order by status: written, present, empty, skipped, too_big, reference_missing, error.
COUNTERS = ("$written", "$present", "$empty", "$skipped", "$tooBig", "$missing", "$errors")


def record_steps(plan: ExportPlan) -> list[Step]:
    """One record: its values into variables, then a loop over its containers with a line for each."""
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
        *write_line(f.item_line(plan), "item"),
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
            for name, word in zip(COUNTERS, words, strict=True)
        ),
        s.set_variable("$bytes", f"$bytes + If ( {there} ; GetAsNumber ( $disk ) ; 0 )"),
        s.set_variable("$partBytes", f"$partBytes + If ( {there} ; GetAsNumber ( $disk ) ; 0 )"),
        s.set_variable("$row", f'Case ( $st = "error" ; $row + 1 ; {there} ; 0 ; $row )'),
    ]
