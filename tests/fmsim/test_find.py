"""`_find`: FileMaker's operators, requests, omit (FILEMAKER.md 3)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fmsim import Simulator
from fmsim.find import criterion
from tests.fmsim.sample import data_set, logged_in

TEXTS = ["left thigh", "Thigh, right", "arm", "", "thighbone", "a*b", "O'Brien", "line one\rline two", "arm"]
NUMBERS = [1, 2, 10, "", "12 kg", -3]
DATES = ["04/01/2019", "04/15/2019", "05/01/2020", "", "?", "13/99/2019"]


def hits(text: str, values: list[Any], result: str) -> list[Any]:
    test = criterion(text, result, everything=values, today=date(2020, 5, 1))
    return [value for value in values if test(value)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thigh", ["left thigh", "Thigh, right", "thighbone"]),
        ("THIGH right", ["Thigh, right"]),
        ("igh", []),
        ("*igh", ["left thigh", "Thigh, right", "thighbone"]),
        ("=thigh", ["left thigh", "Thigh, right"]),
        ("==thigh", []),
        ("==left thigh", ["left thigh"]),
        ("==*thigh", ["left thigh"]),
        ('"left th"', ["left thigh"]),
        ("=", [""]),
        ("==", [""]),
        ("*", ["left thigh", "Thigh, right", "arm", "thighbone", "a*b", "O'Brien", "line one\rline two", "arm"]),
        ("!", ["arm", "arm"]),
        ("==a@m", ["arm", "arm"]),
        (r"==a\*b", ["a*b"]),
        ("arm...left", ["left thigh", "arm", "arm"]),
        (">t", ["left thigh", "Thigh, right", "thighbone"][1:]),
        ("two", ["line one\rline two"]),
    ],
)
def test_text(text: str, expected: list[str]) -> None:
    assert hits(text, TEXTS, "text") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", [1]),
        ("=10", [10]),
        ("==2", [2]),
        ("12", ["12 kg"]),
        ("<2", [1, -3]),
        ("<=2", [1, 2, -3]),
        (">2", [10, "12 kg"]),
        (">=10", [10, "12 kg"]),
        ("≥10", [10, "12 kg"]),
        ("2...10", [2, 10]),
        ("=", [""]),
        ("1#", [10]),
    ],
)
def test_numbers(text: str, expected: list[Any]) -> None:
    assert hits(text, NUMBERS, "number") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/1/2019", ["04/01/2019"]),
        ("==04/01/2019", ["04/01/2019"]),
        ("4/2019", ["04/01/2019", "04/15/2019"]),
        ("2019", ["04/01/2019", "04/15/2019"]),
        ("*/1/*", ["04/01/2019", "05/01/2020"]),
        (">4/10/2019", ["04/15/2019", "05/01/2020"]),
        ("4/10/2019...5/1/2020", ["04/15/2019", "05/01/2020"]),
        ("//", ["05/01/2020"]),
        ("<//", ["04/01/2019", "04/15/2019"]),
        ("?", ["?", "13/99/2019"]),
        ("=", [""]),
    ],
)
def test_dates(text: str, expected: list[str]) -> None:
    assert hits(text, DATES, "date") == expected


def test_a_day_finds_the_timestamps_in_it() -> None:
    moments = ["04/01/2019 10:30:00", "04/02/2019 00:00:00", ""]
    assert hits("4/2019", moments, "timeStamp") == moments[:2]
    assert hits(">=04/01/2019 10:30:00", moments, "timeStamp") == moments[:2]
    assert hits("04/01/2019 10:30:00", moments, "timeStamp") == moments[:1]


def test_requests_are_ored_their_members_anded_and_omit_takes_away() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        assert client.found({"Kind": "Dorsal", "Serial": ">2"}) == ["13", "15"]
        assert client.found({"Serial": "1"}, {"Serial": 6}) == ["11", "16"]
        assert client.found({"Kind": "Dorsal"}, {"Serial": "3", "omit": "true"}) == ["11", "15"]
        assert client.found({"Kind": "Dorsal"}, {"Serial": "3", "omit": True}) == ["11", "15"]
        assert client.found({"Serial": "3", "omit": "true"}) == ["11", "12", "14", "15", "16"]
        assert client.found({"Owner::name": "==Owner 2"}) == ["12"]
        assert client.found({"photo": "*"}) == ["11", "12", "13", "14", "15", "16"]
        assert client.found({"extra(2)": "="}) == ["11", "12", "13", "14", "15", "16"]


def test_paging_and_order_take_numbers_and_texts() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        sort = [{"fieldName": "Serial", "sortOrder": "descend"}]
        answer = client.find({"id": "*"}, sort=sort, limit="2", offset=2)
        assert [row["recordId"] for row in answer.rows] == ["15", "14"]
        assert answer.response["dataInfo"]["foundCount"] == 6
        past = client.find({"id": "*"}, offset="7")
        assert (past.status, past.code) == (500, "401")
        assert len(client.find({"id": "==ID-001"}, **{"limit.notes": 3}).rows[0]["portalData"]["notes"]) == 3


def test_nothing_found_is_http_500_with_401() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        answer = client.find({"id": "==nobody"})
        assert (answer.status, answer.code, answer.response) == (500, "401", {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": []}, "400"),
        ({"query": [{}]}, "400"),
        ({"query": [{"id": ""}]}, "400"),
        ({"query": [{"Nope": "x"}]}, "102"),
        ({"query": [{"id": None}]}, "960"),
        ({"query": [{"id": "x"}], "limit": None}, "960"),
        ({"query": "x"}, "960"),
        ({}, "960"),
        ([], "1710"),
    ],
)
def test_what_a_find_refuses(body: Any, code: str) -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        assert client.api("POST", "/layouts/Photos/_find", body).code == code


def test_broken_json() -> None:
    with Simulator(data_set()) as sim, logged_in(sim) as client:
        answer = client.api("POST", "/layouts/Photos/_find", b"{oops", Content_Type="application/json")
        assert (answer.status, answer.code) == (400, "1710")
