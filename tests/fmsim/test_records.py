"""Listings, single records, metadata: shapes and values as recorded (FILEMAKER.md 2, 5)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from fmsim import ContainerValue, DataSet, Field, Simulator
from tests.fmsim.sample import BIG, EXACT, Client, data_set, logged_in


def shape(value: Any) -> Any:
    """Member names in order, with the types of what they hold."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_a_page_has_the_recorded_members_types_and_order() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        answer = client.records("_limit=1")
        recorded = {
            "response": {
                "dataInfo": {
                    "database": "str", "layout": "str", "table": "str",
                    "totalRecordCount": "int", "foundCount": "int", "returnedCount": "int",
                },
                "data": [
                    {
                        "fieldData": {
                            "id": "str", "Kind": "str", "Serial": "int", "taken": "str", "modified": "str", "photo": "str",
                            "extra(1)": "str", "extra(2)": "str", "Owner::name": "str",
                        },
                        "portalData": {"notes": [{"recordId": "str", "Notes::text": "str", "modId": "str"}]},
                        "recordId": "str", "modId": "str",
                        "portalDataInfo": [{"database": "str", "table": "str", "foundCount": "int", "returnedCount": "int"}],
                    }
                ],
            },
            "messages": [{"code": "str", "message": "str"}],
        }  # fmt: skip
        assert json.dumps(shape(answer.json)) == json.dumps(recorded)
        assert answer.response["dataInfo"] == {
            "database": "Test Base", "layout": "Photos", "table": "Photos", "totalRecordCount": 6, "foundCount": 6, "returnedCount": 1,
        }  # fmt: skip
        assert answer.rows[0]["recordId"] == "11" and answer.rows[0]["modId"] == "3"


def test_old_hosts_give_no_counts() -> None:
    with Simulator(data_set(product_version="17.0.2")) as sim, logged_in(sim) as client:
        answer = client.records("_limit=1")
        assert list(answer.response) == ["data"]
        assert "portalDataInfo" not in answer.rows[0]


def test_offset_and_limit() -> None:
    with Simulator(data_set(120)) as sim, logged_in(sim) as client:

        def ids(query: str) -> list[int]:
            return [int(row["recordId"]) for row in client.records(query).rows]

        assert ids("") == list(range(11, 111))  # 100 unless asked for more
        assert ids("_offset=119&_limit=5") == [129, 130]
        assert client.records("_offset=121").code == "101"
        for bad in ("_limit=0", "_limit=x", "_offset=-1", "_offset=", "dateformats=3"):
            assert client.records(bad).code == "960"
        assert len(client.records("_limit=500").rows) == 120


@pytest.mark.parametrize(
    ("switches", "count", "query", "code"),
    [
        ({}, 3, "_offset=4", "101"),
        ({"past_end": "401"}, 3, "_offset=4", "401"),
        ({"past_end": "empty"}, 3, "_offset=4", "0"),
        ({}, 0, "", "401"),
        ({"empty_table": "empty"}, 0, "", "0"),
        ({"empty_table": "101"}, 0, "", "101"),
    ],
)
def test_past_the_end_and_nothing_at_all_are_switches(
    switches: dict[str, str], count: int, query: str, code: str
) -> None:
    with Simulator(data_set(count), switches=switches) as sim, logged_in(sim) as client:
        answer = client.records(query)
        assert answer.code == code
        assert (answer.status, answer.response) == (500, {}) if code != "0" else answer.rows == []


def test_sorting() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:

        def ids(*sort: tuple[str, str]) -> list[str]:
            entries = [{"fieldName": name, "sortOrder": order} for name, order in sort]
            return [row["recordId"] for row in client.records("_sort=" + json.dumps(entries).replace(" ", "")).rows]

        assert ids(("Kind", "ascend"), ("Serial", "descend")) == ["15", "13", "11", "16", "14", "12"]
        assert ids(("taken", "descend"))[0] == "16"
        assert client.records('_sort=[{"fieldName":"Nope"}]').code == "102"
        assert client.records("_sort=[oops").code == "960"


def test_numbers_keep_every_digit_and_text_in_a_number_is_text() -> None:
    data = data_set(5)
    for row, value in zip(data.tables["Photos"], [BIG, EXACT, "12 kg", "", "007"], strict=True):
        row.values["Serial"] = value
    with Simulator(data) as sim, logged_in(sim) as client:
        body = client.records().body.decode()
        assert f'"Serial":{BIG},' in body and f'"Serial":{EXACT},' in body
        values = [row["fieldData"]["Serial"] for row in json.loads(body, parse_float=Decimal)["response"]["data"]]
        assert values == [BIG, EXACT, "12 kg", "", "007"]


@pytest.mark.parametrize(
    ("query", "switches", "day", "moment"),
    [
        ("", {}, "04/01/2019", "04/01/2019 10:30:00"),
        ("dateformats=0", {}, "04/01/2019", "04/01/2019 10:30:00"),
        ("dateformats=1", {"file_dates": "de"}, "01.04.2019", "01.04.2019 10:30:00"),
        ("dateformats=2", {}, "2019-04-01", "2019-04-01T10:30:00"),
        ("dateformats=2", {"iso_timestamp": "space"}, "2019-04-01", "2019-04-01 10:30:00"),
    ],
)
def test_date_forms(query: str, switches: dict[str, str], day: str, moment: str) -> None:
    with Simulator(data_set(1), switches=switches) as sim, logged_in(sim) as client:
        values = client.records(query).rows[0]["fieldData"]
        assert (values["taken"], values["modified"]) == (day, moment)


def test_dateformats_came_with_version_20_and_odd_dates_stay_as_they_are() -> None:
    data = data_set(1, product_version="19.6.3")
    data.tables["Photos"][0].values["taken"] = "13/45/2019"
    with Simulator(data) as sim, logged_in(sim) as client:
        assert client.records("dateformats=2").rows[0]["fieldData"]["modified"] == "04/01/2019 10:30:00"
        assert client.records("dateformats=2").rows[0]["fieldData"]["taken"] == "13/45/2019"
    with Simulator(data, switches={"old_dateformats": "1706"}) as sim, logged_in(sim) as client:
        assert client.records("dateformats=2").code == "1706"


def test_portals_come_fifty_rows_at_a_time() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:

        def notes(query: str) -> list[str]:
            return [row["recordId"] for row in client.records(query).rows[0]["portalData"]["notes"]]

        assert notes("") == [str(n) for n in range(1, 51)]
        assert notes("_offset.notes=59&_limit.notes=10") == ["59", "60"]
        assert client.records().rows[1]["portalData"] == {"notes": []}
        info = client.records().rows[0]["portalDataInfo"][0]
        assert (info["foundCount"], info["returnedCount"]) == (60, 50)
        assert client.records("portal=[]").rows[0]["portalData"] == {}


def test_another_layout_for_the_output() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        assert client.records("layout.response=Lean").rows[0]["fieldData"] == {
            "id": "ID-001",
            "modified": "04/01/2019 10:30:00",
        }
        assert client.records("layout.response=Nope").code == "105"


def test_one_record_and_the_ways_to_miss() -> None:
    with Simulator(data_set(), switches={"record_missing_status": 404}) as sim, logged_in(sim) as client:
        answer = client.api("GET", "/layouts/Photos/records/12")
        assert [row["recordId"] for row in answer.rows] == ["12"]
        missing = client.api("GET", "/layouts/Photos/records/999")
        assert (missing.status, missing.code) == (404, "101")
        assert client.records(layout="Nope").code == "105"
        assert client.records(layout="A%2FB").code == "105"  # one segment, one layout name


def test_an_account_may_not_see_everything() -> None:
    with Simulator(data_set()) as sim, logged_in(sim, "half", "h") as client:
        info = client.records().response["dataInfo"]
        assert (info["totalRecordCount"], info["foundCount"]) == (6, 4)
        assert client.found({"id": "*"}) == ["13", "14", "15", "16"]
        assert client.api("GET", "/layouts/Photos/records/11").code == "101"
    with Simulator(data_set(), switches={"hidden_records": 2, "hidden_answer": 200}) as sim, logged_in(sim) as client:
        assert client.records().response["dataInfo"]["foundCount"] == 4
        assert client.api("GET", "/layouts/Photos/records/16").code == "200"


def test_containers_by_value() -> None:
    data = data_set(4)
    rows = data.tables["Photos"]
    rows[0].values["photo"] = ""
    rows[1].values["photo"] = ContainerValue(reference="file:a.gpx\rfilewin:/C:/x/a.gpx")
    rows[2].values["photo"] = ContainerValue(reference="?")
    rows[3].values["extra(2)"] = rows[3].values["photo"]
    with Simulator(data) as sim, logged_in(sim) as client:
        values = [row["fieldData"] for row in client.records().rows]
        assert [v["photo"] for v in values[:3]] == ["", "file:a.gpx\rfilewin:/C:/x/a.gpx", "?"]
        assert values[3]["extra(1)"] == "" and "/Streaming_SSL/MainDB/" in values[3]["extra(2)"]


def test_metadata_has_the_recorded_members() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        product = client.ask("GET", "/fmi/data/vLatest/productInfo").response["productInfo"]
        assert list(product) == ["name", "buildDate", "version", "dateFormat", "timeFormat", "timeStampFormat"]
        assert client.ask("GET", "/fmi/data/vLatest/databases").response == {"databases": [{"name": "Test Base"}]}
        assert client.api("GET", "/layouts").response["layouts"] == [
            {"name": "Photos", "table": ""},
            {"name": "API", "isFolder": True, "folderLayoutNames": [{"name": "Lean", "table": ""}]},
        ]
        assert client.api("GET", "/scripts").response["scripts"] == [
            {"name": "Echo", "isFolder": False},
            {"name": "Tools", "isFolder": True, "folderScriptNames": [{"name": "Fails", "isFolder": False}]},
        ]
        meta = client.api("GET", "/layouts/Photos").response
        assert list(meta["fieldMetaData"][0]) == [
            "name", "type", "displayType", "result", "global", "autoEnter", "fourDigitYear", "maxRepeat", "maxCharacters", "notEmpty",
            "numeric", "timeOfDay", "repetitionStart", "repetitionEnd",
        ]  # fmt: skip
        assert {f["name"]: f["maxRepeat"] for f in meta["fieldMetaData"] if f["result"] == "container"} == {
            "photo": 1,
            "extra": 2,
        }
        assert [f["name"] for f in meta["portalMetaData"]["notes"]] == ["Notes::text"]
        assert client.api("GET", "/layouts/Nope").code == "105"


def test_given_metadata_is_shown() -> None:
    data = data_set()
    data.layouts[0].fields.append(
        Field("colour", "text", "calculation", True, more={"valueList": "Colours", "displayType": "popupMenu"})
    )
    with Simulator(data) as sim, logged_in(sim) as client:
        entry = client.api("GET", "/layouts/Photos").response["fieldMetaData"][-1]
        assert (entry["type"], entry["global"], entry["valueList"], entry["displayType"]) == (
            "calculation",
            True,
            "Colours",
            "popupMenu",
        )


def test_the_list_of_databases_may_ask_for_an_account() -> None:
    with Simulator(data_set(), switches={"filter_databases": True}) as sim, Client(sim) as client:
        assert client.ask("GET", "/fmi/data/v1/databases").code == "10"
        assert client.ask("GET", "/fmi/data/v1/databases", Authorization="Basic d3JpdGVyOnc=").status == 200


def test_scripts_answer_inside_a_200() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        page = client.records("_limit=1&script=Echo&script.param=hi&script.prerequest=Fails")
        assert page.status == 200
        assert {key: value for key, value in page.response.items() if key.startswith("script")} == {
            "scriptResult.prerequest": "", "scriptError.prerequest": "3", "scriptResult": "hi", "scriptError": "0",
        }  # fmt: skip
        assert client.api("GET", "/layouts/Photos/script/Echo?script.param=x").response == {
            "scriptResult": "x",
            "scriptError": "0",
        }
        assert client.records("script=Nope").code == "104"


def test_error_replies_vary_the_order_of_their_members() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        orders = {client.records(layout="Nope").body for _ in range(40)}
        assert orders == {
            b'{"response":{},"messages":[{"code":"105","message":"Layout is missing"}]}',
            b'{"messages":[{"message":"Layout is missing","code":"105"}],"response":{}}',
        }
    with Simulator(data_set(), switches={"shuffle_members": False}) as sim, logged_in(sim) as client:
        assert len({client.records(layout="Nope").body for _ in range(40)}) == 1


def test_two_simulators_of_one_data_set_do_not_touch_each_other() -> None:
    data: DataSet = data_set()
    with Simulator(data) as one, Simulator(data) as two, logged_in(one, "writer", "w") as client:
        client.api("PATCH", "/layouts/Photos/records/11", {"fieldData": {"Kind": "other"}})
        with logged_in(two) as other:
            assert other.records().rows[0]["fieldData"]["Kind"] == "Dorsal"
