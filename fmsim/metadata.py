"""What a host says about itself and its layouts (FILEMAKER.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmsim.answer import Reply, envelope
from fmsim.dataset import Layout
from fmsim.render import field_meta

if TYPE_CHECKING:
    from fmsim.host import Host


def product_info(host: Host) -> Reply:
    """Needs no session."""
    info = {"name": host.data.product_name, "buildDate": "12/08/2021", "version": host.data.product_version}
    info |= {"dateFormat": "MM/dd/yyyy", "timeFormat": "HH:mm:ss", "timeStampFormat": "MM/dd/yyyy HH:mm:ss"}
    return Reply(body=envelope({"productInfo": info}))


def databases(host: Host) -> Reply:
    return Reply(body=envelope({"databases": [{"name": host.data.database}]}))


def layouts(host: Host) -> Reply:
    """Layouts, those in folders below them; `table` came with FMS 19 and is empty there."""
    entries = []
    for one in host.data.layouts:
        entry: dict[str, Any] = {"name": one.name}
        if host.version >= (19, 0):
            entry["table"] = ""
        entries.append((entry, one.folder))
    return Reply(body=envelope({"layouts": _in_folders(entries, "folderLayoutNames")}))


def scripts(host: Host) -> Reply:
    entries: list[tuple[dict[str, Any], str]] = [
        ({"name": s.name, "isFolder": False}, s.folder) for s in host.data.scripts
    ]
    return Reply(body=envelope({"scripts": _in_folders(entries, "folderScriptNames")}))


def layout(shown: Layout) -> Reply:
    """Fields and portals of one layout."""
    portals = {name: [field_meta(item) for item in fields] for name, fields in shown.portals.items()}
    return Reply(
        body=envelope({"fieldMetaData": [field_meta(item) for item in shown.fields], "portalMetaData": portals})
    )


def _in_folders(entries: list[tuple[dict[str, Any], str]], members: str) -> list[dict[str, Any]]:
    """Entries at the top, then each folder with its own."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for entry, folder in entries:
        if folder:
            folders.setdefault(folder, []).append(entry)
    top = [entry for entry, folder in entries if not folder]
    return top + [{"name": name, "isFolder": True, members: inside} for name, inside in folders.items()]
