"""Writing the manifest, and ending the script when something fails."""

from __future__ import annotations

from unlade.desktop.script import formulas as f
from unlade.desktop.script import steps as s
from unlade.desktop.script.steps import Step


def give_up_if(condition: str, what: str, *entries: tuple[str, str, str]) -> list[Step]:
    """End the script with a result that says what failed, when `condition` holds."""
    reply = f.result(f"failed: {what}", ("error", "$err", "String"), ("root", "$root", "String"), *entries)
    return [s.if_(condition), s.exit_script(reply), s.end_if()]


def write_line(formula: str, what: str) -> list[Step]:
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
