"""What a person does with the generated script, in Markdown."""

from __future__ import annotations

from unlade.desktop.script.plan import ExportPlan


def instructions(plan: ExportPlan) -> str:
    """The page for `plan`."""
    if not plan.writes_manifest:
        parts = [_head(plan), _paste(plan), _bare_run(plan), _after()]
    else:
        parts = [_head(plan), _paste(plan), _check(), _run(plan), _later(plan), _after()]
    return "\n\n".join(parts) + "\n"


def _head(plan: ExportPlan) -> str:
    containers = "\n".join(f"- `{c.spelt}`" for c in plan.containers)
    which = "All of them are exported" if plan.all_fields else "Of each record the first that holds a file is exported"
    return f"""# Exporting {plan.name} with FileMaker

This script exports the files of the layout **{plan.layout}**. It reads, and changes nothing: no record is opened,
nothing is marked. Container fields, best first:

{containers}

{which}. Run it on a copy or a restored backup where that is possible, on a layout that shows no container (a layout
with pictures downloads each of them to draw it), onto a disk that is encrypted: the files and the manifest are
health data in the clear."""


def _paste(plan: ExportPlan) -> str:
    stem = "export" if plan.variant == "data-file" else "export-field"
    fields = ""
    if plan.variant == "export-field":
        fields = """

After pasting, open every step *Export Field Contents* and look at its field: it must name the right one. FileMaker
binds it by its number first; where the name is missing, choose the field again."""
    return f"""## 1. Bring the script into FileMaker

- macOS and Windows: run the command again with `--copy`, then click into the list of scripts in FileMaker's Script
  Workspace and paste. With `--copy --steps` paste into an open, empty script instead.
- Anywhere else: take `{stem}.xml` to a Mac or a PC with FileMaker Pro and do the same there, or use a clipboard
  tool for FileMaker snippets.
- Always possible: type it from `{stem}.txt`.

Then switch on *Run script with full access privileges* for the script (pasting the whole script does it): without
it, records that this account cannot see are missing from the export.{fields}"""


def _check() -> str:
    return """## 2. Check what FileMaker understood

Select the script in Script Workspace, copy it, and run the command with `--compare -` (or save what was copied and
give the file). It compares by meaning and names each step that FileMaker changed, emptied or commented out."""


def _run(plan: ExportPlan) -> str:
    where = f"`unlade/run-1/{plan.name}/` in your Documents folder"
    server = ""
    if plan.variant == "data-file":
        server = """
- On the server: a script schedule, or *Perform Script on Server*. It writes below the server's Documents folder;
  move the files off that machine at once."""
    else:
        server = "\n- FileMaker Pro only: the server does not know *Export Field Contents*."
    return f"""## 3. Run it

- In FileMaker Pro: run the script. It writes to {where}.{server}
- It shows nothing while it works. To stop it in order, put a file named `STOP` into that folder.
- Stopped, crashed or full disk: remove `STOP` and run it again. Files that are there whole are kept.
- The script's result tells how it went: `outcome`, counts and errors. A run is complete when the last line of the
  last `manifest-*.jsonl` begins with `{{"t":"end"`; keys may come in another order.

A script parameter may change its ways (JSON; all entries may be left out):

| entry | meaning |
|---|---|
| `mode` | `missing_only` (default), `full` (write everything again), `manifest_only` (looks, writes no files) |
| `run` | name of the folder; take a new one for each new export |
| `root` | FileMaker path of the folder to write below, `/Volume/folder/` or `/D:/folder/` (not on the server) |
| `layout` | another layout of the same table |
| `from`, `to` | numbers of the first and last record |"""


def _later(plan: ExportPlan) -> str:
    if plan.variant == "data-file":
        return """## 4. Files over 64 MB

FileMaker cannot write them in one piece this way; their lines say `too_big`. Make the second script
(`--variant export-field`), run it in FileMaker Pro with the same `run`: it keeps what is there and adds the rest."""
    return """## 4. Together with the other script

Run with the same `run` as the data-file script, this one keeps every file that is there whole and adds what was too
big. Its lines are the newer ones and count."""


def _bare_run(plan: ExportPlan) -> str:
    fields = "\n".join(f"- `{name}`" for name in plan.fields)
    return f"""## 2. Run it

FileMaker Pro only. Files go to `unlade/run-1/{plan.name}/` in your Documents folder; on FileMaker 16 and older make
that folder yourself first. This variant is the weakest: these versions can neither write a manifest nor tell hashes
this way, and a file of the same name is overwritten.

## 3. Export the records

With all records shown (*Records > Show All Records*), export them (*File > Export Records*) as **XML**, grammar
**FMPXMLRESULT**, without a style sheet, with these fields:

{fields}

XML is the only format that carries the record ids, which stand in the names of the files, and the form of dates."""


def _after() -> str:
    return """## Afterwards

Give the folder to the import (`--from`). Only after its report is green: delete the export, and delete this script
from the file."""
