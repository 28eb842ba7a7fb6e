"""Joins by the tree alone: a file's place and name say whose it is."""

from __future__ import annotations

from unlade.cargo import RefStatus
from unlade.desktop.catalogue import Catalogue, FileRef, Finding
from unlade.desktop.joining.declared import Fields
from unlade.desktop.joining.entering import file_id, find_unused, made_up_id
from unlade.desktop.read import read_name
from unlade.errors import UsageError


def join_tree(catalogue: Catalogue, fields: Fields) -> None:
    """Every `owner/date/identity.ext` is a record of its own; a file that is named otherwise is a finding.

    Raises `UsageError` when no file says whose it is.
    """
    db = catalogue.db
    named = "form = 'tree'" if fields.owner else "form != 'export'"
    if not db.execute(f"SELECT 1 FROM files WHERE {named} LIMIT 1").fetchone():
        raise UsageError(
            "No file of this folder says whose it is: none lies in a tree owner/date/identity.ext.",
            remedy="Give the records that FileMaker exported with --metadata, or the folder with the manifest.",
        )
    once = "SELECT stem FROM files WHERE " + named + " GROUP BY stem HAVING count(*) = 1"
    query = f"SELECT path, size, modified, owner, day, stem IN ({once}) FROM files WHERE {named} ORDER BY path"
    for path, size, modified, owner, day, single in db.execute(query):
        identity = read_name(path).identity
        values = {fields.identity: identity}
        if fields.owner:
            values[fields.owner] = owner
        if fields.date:
            values[fields.date] = day
        place = catalogue.add_row(
            record_id=made_up_id(identity) if single else file_id(path),
            mod_id=str(modified // 10**9),
            identity=identity,
            owner=owner,
            values=values,
        )
        assert place is not None
        trouble = "" if single else "two_files"
        ref = FileRef(fields.containers[0], RefStatus.FILE, path, size=size, trouble=trouble, how="tree")
        catalogue.add_ref(place, ref)
        if not single:
            catalogue.find(Finding("two_files", identity=identity, path=path, detail="another file has this identity"))
    find_unused(catalogue, "it does not lie in a tree owner/date/identity.ext")
