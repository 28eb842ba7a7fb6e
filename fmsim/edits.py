"""Calls that change data: create, edit, duplicate, delete, upload (FILEMAKER.md 2.5, 4.5)."""

from __future__ import annotations

import mimetypes
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from fmsim.answer import Reply, envelope
from fmsim.calls import Call
from fmsim.dataset import BytesBlob, ContainerValue, Field, Layout, Record
from fmsim.errors import HostError
from fmsim.sessions import Session
from fmsim.values import number_of, text_of, valid_input
from fmsim.wire import Request

if TYPE_CHECKING:
    from fmsim.api import Api


def answer(api: Api, layout: Layout, call: Call, request: Request, session: Session) -> Reply:
    """Carries out one change.

    Raises:
        HostError: 101, 102, 200, 201, 205, 306, 50x, 960, ...
    """
    may_write = "write" in session.account.privileges
    match call.action:
        case "create":
            return _create(api, layout, request, may_write)
        case "duplicate":
            row = api.row(layout, call.record_id, session)
            _allow(may_write, 205)
            return _created(api, api.host.tables.of(layout).add(row.values, row.portals))
        case "delete":
            row = api.row(layout, call.record_id, session)
            _allow(may_write, 200)
            members = api.scripts(
                [("", name, request.params.get("script.param", ""))] if (name := request.params.get("script")) else []
            )
            api.host.tables.of(layout).remove(row)
            return Reply(body=envelope(members))
        case "upload":
            return _upload(api, layout, call, request, api.row(layout, call.record_id, session), may_write)
        case _:
            return _edit(api, layout, request, api.row(layout, call.record_id, session), may_write)


def _allow(may_write: bool, code: int) -> None:
    if not may_write:
        raise HostError(code)


def _create(api: Api, layout: Layout, request: Request, may_write: bool) -> Reply:
    body = api.body(request)
    _allow(may_write, 205)
    values = _checked(layout, body)
    return _created(api, api.host.tables.of(layout).add(values, _portal_rows({}, body.get("portalData"))[0]))


def _created(api: Api, row: Record) -> Reply:
    response = {"recordId": row.record_id}
    if api.host.version >= (18, 0):
        response["modId"] = row.mod_id
    return Reply(body=envelope(response))


def _edit(api: Api, layout: Layout, request: Request, row: Record, may_write: bool) -> Reply:
    body = api.body(request)
    _allow(may_write, 201)
    _same_modification(row, body.get("modId"))
    values = _checked(layout, body)
    wanted = [("", str(name), str(body.get("script.param", "")))] if (name := body.get("script")) else []
    members: dict[str, Any] = dict(api.scripts(wanted))
    portals, fresh = _portal_rows(row.portals, body.get("portalData"))
    row.portals = _without(portals, body["fieldData"].get("deleteRelated"))
    api.host.tables.of(layout).change(row, values)
    members["modId"] = row.mod_id
    if fresh:
        members["newPortalRecordInfo"] = fresh
    return Reply(body=envelope(members))


def _same_modification(row: Record, wanted: Any) -> None:
    if wanted not in (None, "") and str(wanted) != row.mod_id:
        raise HostError(306)


def _checked(layout: Layout, body: dict[str, Any]) -> dict[str, Any]:
    """The values to set, each fit for its field's type."""
    given = body.get("fieldData")
    if not isinstance(given, dict):
        raise HostError(1708 if "fieldData" in body else 1707)
    fields = {field.name: field for field in layout.fields}
    values = {}
    for name, value in given.items():
        if name == "deleteRelated":
            continue
        field = fields.get(name) or fields.get(name.partition("(")[0])
        if field is None:
            raise HostError(102)
        values[name] = _fitting(field, value)
    return values


def _fitting(field: Field, value: Any) -> Any:
    if isinstance(value, (dict, list)) or value is None:
        raise HostError(1708)
    if field.type in ("calculation", "summary") or field.result == "container":
        raise HostError(201)
    text = text_of(value)
    if not valid_input(text, field.result):
        raise HostError(501 if field.result == "time" else 500)
    if field.result == "number":
        if text and field.more.get("numeric") and number_of(text) is None:
            raise HostError(502)
        return value
    if not text and field.more.get("notEmpty"):
        raise HostError(509)
    return text


def _portal_rows(
    old: dict[str, list[dict[str, Any]]], given: Any
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, str]]]:
    """The portals after an edit, and the rows that are new."""
    portals = {name: list(rows) for name, rows in old.items()}
    fresh = []
    for name, rows in (given or {}).items():
        known = portals.setdefault(name, [])
        for wanted in rows:
            values = {key: value for key, value in wanted.items() if key not in ("recordId", "modId")}
            at = next(
                (i for i, row in enumerate(known) if str(row.get("recordId")) == str(wanted.get("recordId", ""))), None
            )
            if at is None:
                record_id = str(max((int(row.get("recordId", 0)) for row in known), default=0) + 1)
                known.append({"recordId": record_id, **values, "modId": "0"})
                fresh.append({"tableName": name, "recordId": record_id, "modId": "0"})
            else:
                known[at] = {**known[at], **values, "modId": str(int(known[at].get("modId", 0)) + 1)}
    return portals, fresh


def _without(portals: dict[str, list[dict[str, Any]]], related: Any) -> dict[str, list[dict[str, Any]]]:
    """Takes out the related rows that `deleteRelated` names as `Table.id`."""
    for one in [related] if isinstance(related, str) else related or []:
        name, _, record_id = str(one).rpartition(".")
        portals[name] = [row for row in portals.get(name, []) if str(row.get("recordId")) != record_id]
    return portals


def _upload(api: Api, layout: Layout, call: Call, request: Request, row: Record, may_write: bool) -> Reply:
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise HostError(1705, status=415)
    _allow(may_write, 201)
    _same_modification(row, request.params.get("modId"))
    field = next((one for one in layout.fields if one.name == call.field), None)
    if field is None or field.result != "container":
        raise HostError(102)
    if not call.repetition.isdigit() or not 1 <= int(call.repetition) <= field.max_repeat:
        raise HostError(111)
    name, data = _upload_part(content_type, request.body)
    value = ContainerValue(BytesBlob(data), name, mimetypes.guess_type(name)[0] or "application/octet-stream")
    key = f"{field.name}({call.repetition})" if field.max_repeat > 1 else field.name
    api.host.tables.of(layout).change(row, {key: value})
    return Reply(body=envelope({"modId": row.mod_id}))


def _upload_part(content_type: str, body: bytes) -> tuple[str, bytes]:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "upload":
            data = part.get_payload(decode=True)
            return part.get_filename() or "", data if isinstance(data, bytes) else b""
    raise HostError(960, "Upload payload must contain a part named 'upload'.", 400)
