"""Edits, creation, deletion, upload (FILEMAKER.md 2.5, 4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from fmsim import Simulator
from tests.fmsim.sample import Client, data_set, logged_in


@pytest.fixture
def client() -> Any:
    with Simulator(data_set()) as sim, logged_in(sim, "writer", "w") as speaking:
        yield speaking


def edit(client: Client, fields: Any, record: str = "11", **more: Any) -> Any:
    return client.api("PATCH", f"/layouts/Photos/records/{record}", {"fieldData": fields, **more})


def test_each_edit_moves_the_modification_id_on(client: Client) -> None:
    assert edit(client, {"Kind": "a"}).response == {"modId": "4"}
    assert edit(client, {"Kind": "b"}, modId="4").response == {"modId": "5"}
    stale = edit(client, {"Kind": "c"}, modId="4")
    assert (stale.status, stale.code) == (500, "306")
    row = client.records().rows[0]
    assert (row["fieldData"]["Kind"], row["modId"]) == ("b", "5")
    assert client.sim.stats()["writes"] == client.sim.stats()["requests"]["edit"] == 3


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"taken": "04/01/2019"}, "0"),
        ({"taken": ""}, "0"),
        ({"taken": "2019-04-01"}, "500"),
        ({"taken": "04/01/2019 10:00:00"}, "500"),
        ({"modified": "04/01/2019 10:00:00"}, "0"),
        ({"modified": "04/01/2019"}, "500"),
        ({"Serial": 7}, "0"),
        ({"Nope": "x"}, "102"),
        ({"photo": "x"}, "201"),
        ({"Kind": None}, "1708"),
        ([], "1708"),
    ],
)
def test_a_field_takes_only_what_fits_its_type(client: Client, fields: Any, code: str) -> None:
    assert edit(client, fields).code == code


def test_without_the_write_privilege_nothing_changes_but_the_attempt_is_counted() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        assert edit(client, {"Kind": "x"}).code == "201"
        assert client.api("POST", "/layouts/Photos/records", {"fieldData": {}}).code == "205"
        assert client.api("DELETE", "/layouts/Photos/records/11").code == "200"
        assert client.records().rows[0]["fieldData"]["Kind"] == "Dorsal"
        assert sim.stats()["writes"] == 3


def test_create_duplicate_delete(client: Client) -> None:
    assert client.api("POST", "/layouts/Photos/records", {"fieldData": {"id": "new"}}).response == {
        "recordId": "17",
        "modId": "0",
    }
    assert client.api("POST", "/layouts/Photos/records/17").response == {"recordId": "18", "modId": "0"}
    assert client.api("DELETE", "/layouts/Photos/records/17").response == {}
    assert client.api("GET", "/layouts/Photos/records/17").code == "101"
    assert client.found({"id": "new"}) == ["18"]
    assert client.api("POST", "/layouts/Photos/records", {"x": 1}).code == "1707"


def test_portal_rows(client: Client) -> None:
    more = {"portalData": {"notes": [{"Notes::text": "added"}, {"recordId": "1", "Notes::text": "changed"}]}}
    assert edit(client, {"deleteRelated": "notes.2"}, **more).response["newPortalRecordInfo"][0]["recordId"] == "61"
    rows = client.records("_limit.notes=99").rows[0]["portalData"]["notes"]
    assert rows[0] == {"recordId": "1", "Notes::text": "changed", "modId": "1"}
    assert rows[1]["recordId"] == "3" and rows[-1]["Notes::text"] == "added"


def multipart(name: str, data: bytes) -> tuple[bytes, str]:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="ü x.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    return head.encode() + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def test_upload(client: Client) -> None:
    body, kind = multipart("upload", b"\x00\r\n%PDF")
    path = "/layouts/Photos/records/12/containers/"
    assert client.api("POST", path + "photo/1?modId=3", body, Content_Type=kind).response == {"modId": "4"}
    assert client.api("POST", path + "photo/1?modId=3", body, Content_Type=kind).code == "306"
    assert client.fetch(client.link("12")).body == b"\x00\r\n%PDF"
    assert client.api("POST", path + "extra/2", body, Content_Type=kind).status == 200
    assert client.fetch(client.link("12", "extra(2)")).headers["content-type"] == "application/pdf"
    assert client.api("POST", path + "extra/3", body, Content_Type=kind).code == "111"
    assert client.api("POST", path + "Kind/1", body, Content_Type=kind).code == "102"
    assert client.api("POST", path + "photo/1", {}).status == 415
    other, kind = multipart("file", b"x")
    wrong = client.api("POST", path + "photo", other, Content_Type=kind)
    assert (wrong.code, wrong.json["messages"][0]["message"]) == (
        "960",
        "Upload payload must contain a part named 'upload'.",
    )


def test_a_chunked_request_body_is_read() -> None:
    with Simulator(data_set()) as sim, logged_in(sim, "writer", "w") as client:
        connection = client._connection
        chunks = iter([b'{"fieldData":', b'{"Kind":"chunky"}}'])
        headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
        connection.request("PATCH", client.base() + "/layouts/Photos/records/11", chunks, headers, encode_chunked=True)
        assert connection.getresponse().read().startswith(b'{"response":{"modId":"4"}')


def test_reset_brings_the_data_back(client: Client) -> None:
    edit(client, {"Kind": "x"})
    client.api("DELETE", "/layouts/Photos/records/12")
    client.sim.reset()
    client.log_in()
    assert [row["modId"] for row in client.records().rows] == ["3"] * 6
    assert client.sim.stats()["writes"] == 0
