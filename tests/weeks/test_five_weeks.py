"""Five weeks of a migration while the clinic works on in FileMaker: at the end nothing is open and all is proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.signin.test_runs import CLOUD, claris, sign_in
from tests.voyage.harness import (
    FULL,
    HTML,
    LESSER,
    MISSING,
    PATH_ONLY,
    HandClock,
    PortMaker,
    cargo,
    jpeg,
    photo,
    raw,
    record,
)
from tests.weeks.calendar import Migration
from unlade.ledger.models import Item, Notice

pytestmark = pytest.mark.slow

COUNT = 200
LATE = (50, 51)  #: patients that FileMaker gets in the fourth week
#: 3 % that a person must look at, by record.
OPEN = {
    "10": "missing", "20": "reference_only", "30": "damaged", "40": "no_owner_reference", "50": "duplicate_identity",
    "60": "not_a_file",
}  # fmt: skip


def _clinic() -> dict[int, object]:
    rows = {
        10: record(10, **{FULL: MISSING}),
        20: record(20, **{FULL: PATH_ONLY}),
        30: record(30, **{FULL: raw(jpeg("torn")[:900])}),
        40: record(40),
        50: record(50, **{FULL: photo("a twin")}),
        60: record(60, **{FULL: raw(HTML)}),
        70: record(70, **{FULL: ""}),
        80: record(80, **{FULL: raw(jpeg("torn too")[:900]), LESSER: photo("a smaller one")}),
    }
    rows[40].values["id_Contact"] = ""
    rows[50].values["id"] = record(49).values["id"]
    for number in range(100, 106):
        rows[number] = record(number, owner=LATE[number % 2])
    return rows


@pytest.mark.parametrize("auth", ["basic", "claris-id"])
def test_five_weeks(make_port: PortMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, auth: str) -> None:
    switches = CLOUD if auth == "claris-id" else {}
    with make_port(cargo(COUNT, special=_clinic()), patients=False, switches=switches) as port:  # type: ignore[arg-type]
        if auth == "claris-id":
            claris(port)
        weeks = Migration(port, HandClock(), monkeypatch, days=34)
        if auth == "claris-id":
            sign_in(port)
        _first_week(weeks, auth)
        _second_week(weeks)
        _third_week(weeks, auth)
        _fourth_week(weeks)
        _fifth_week(weeks, tmp_path)


def _first_week(weeks: Migration, auth: str) -> None:
    """The first nights; on the third day somebody changes the account's password."""
    if auth == "basic":
        weeks.environ["FILEMAKER_PASSWORD"] = weeks.port.sim.password
    for day in range(3):
        weeks.morning(day)
        ended = weeks.night(limit=16)
        assert (ended["outcome"], ended["totals"]["pending"] > 0) == ("limit", True)
    weeks.morning(3)
    weeks.port.sim.change_account(password="changed-in-FileMaker")
    _refused_and_not_asked_again(weeks)
    if auth == "basic":
        weeks.environ["FILEMAKER_PASSWORD"] = weeks.port.sim.password
    else:
        sign_in(weeks.port)
    for day in (5, 6):
        weeks.morning(day)
        assert weeks.night(limit=16)["outcome"] == "limit"


def _refused_and_not_asked_again(weeks: Migration) -> None:
    """Two nights on which nobody is let in: one is told, and the second does not even knock."""
    refused = weeks.night(limit=16)
    assert (refused["outcome"], refused["exit"], refused["this_run"]["imported"]) == ("failed", 1, 0)
    asked, calls = weeks.port.sim.stats()["requests"]["session"], weeks.port.sim.cognito()["calls"]
    told = Notice.objects.count()
    weeks.morning(weeks.today + 1)
    assert weeks.night(limit=16)["exit"] == 1
    assert weeks.port.sim.stats()["requests"]["session"] == asked
    assert weeks.port.sim.cognito()["calls"] == calls
    assert told == Notice.objects.count() > 0


def _second_week(weeks: Migration) -> None:
    """The clinic takes pictures and throws some away; one night the host is in trouble."""
    port = weeks.port
    for day in range(7, 14):
        weeks.morning(day)
        weeks.new_image(1000 + 2 * day)
        weeks.new_image(1001 + 2 * day)
        if day == 9:
            port.sim.set_faults([{"on": "container", "nth": {"every": 1}, "for_seconds": 3600, "do": {"status": 502}}])
            stormy = weeks.night(limit=30)
            assert (stormy["outcome"], stormy["exit"], stormy["this_run"]["imported"]) == ("paused", 75, 0)
            port.sim.set_faults([])
            continue
        if day == 12:
            for record_id in ("3", "17", "199"):  # two that are here, one that was not read yet
                weeks.images.remove(weeks.images.get(record_id))  # type: ignore[arg-type]
        ended = weeks.night(limit=25)
        assert ended["exit"] in (0, 3)
    assert ended["gone"] in (2, 3)


def _third_week(weeks: Migration, auth: str) -> None:
    """All that can be had is had; with a Claris ID, once somebody has given the code that is asked for again."""
    if auth == "claris-id":
        weeks.morning(14)
        weeks.port.sim.change_account(mfa="totp", revoke=True, forget_devices=True)
        _refused_and_not_asked_again(weeks)
        sign_in(weeks.port)
    for day in range(16, 20):
        weeks.morning(day)
        ended = weeks.night(limit=60)
    assert (ended["outcome"], ended["totals"]["pending"]) == ("done", 0)
    open_now = {item.record_id: item.reason for item in Item.objects.exclude(reason__in=["", "owner_missing"])}
    assert {record_id: reason for record_id, reason in open_now.items() if record_id in OPEN} == OPEN
    assert ended["totals"]["unlinked"] == 1 + 6
    assert weeks.asked("filemaker_verify", "images")["differences"] == []


def _fourth_week(weeks: Migration) -> None:
    """Pictures are replaced and edited; two patients arrive whose pictures came before them."""
    port = weeks.port
    weeks.morning(21)
    before = {item.record_id: (item.key, item.sha256) for item in Item.objects.filter(source__name="images")}
    for record_id in ("5", "6", "7"):
        weeks.replace(record_id, f"another {record_id}")
    weeks.images.change(weeks.images.get("8"), {"Notes": "looked at again"})  # type: ignore[arg-type]
    fetched = port.downloads()
    assert weeks.night()["exit"] in (0, 3)
    assert weeks.night(changed=True)["exit"] in (0, 3)
    assert port.downloads() == fetched
    weeks.morning(23)
    replaced = weeks.night(changed=True, refetch_changed=True)
    assert replaced["exit"] in (0, 3)
    now = {item.record_id: (item.key, item.sha256) for item in Item.objects.filter(source__name="images")}
    assert {record_id for record_id in before if before[record_id] != now[record_id]} >= {"5", "6", "7"}
    weeks.morning(25)
    for number in LATE:
        weeks.new_patient(number)
    weeks.night()
    assert weeks.asked("relink_filemaker_images")["linked"] in (0, 6)
    assert Item.objects.filter(state="unlinked").count() == 1


def _fifth_week(weeks: Migration, folder: Path) -> None:
    """A person works the list off to zero, and FileMaker is switched off."""
    weeks.morning(28)
    listed = {each["record"]: each for each in weeks.asked("filemaker_worklist", "images")["items"]}
    assert {record_id: each["reason"] for record_id, each in listed.items()} == OPEN
    for record_id in ("10", "20", "30"):
        path = folder / f"{record_id}.jpg"
        path.write_bytes(jpeg(f"found for {record_id}", 5000))
        assert weeks.command("filemaker_resolve", "images", record_id, "--file", str(path), "--by", "Ada")[0] == 0
    why = ("--accept", "looked at with the practice", "--by", "Ada")
    assert weeks.command("filemaker_resolve", "images", "40,50,60", *why)[0] == 0
    assert weeks.asked("filemaker_worklist", "images", "--all")["open"] == 0
    weeks.morning(33)
    weeks.new_image(2000)
    early = weeks.night(final=True)
    assert early["exit"] == 1 and "1 new" in early["reason"]
    weeks.morning(34)
    last = weeks.night(final=True, expect=len(weeks.images.rows))
    assert (last["outcome"], last["exit"]) == ("done", 0)
    weeks.port.sim.stop()
    proof = weeks.asked("filemaker_verify", "images", "--read")
    assert (proof["exit"], proof["differences"]) == (0, [])
    assert proof["read"]["proven"] == proof["stored"]
    for item in Item.objects.filter(source__name="images"):
        assert item.identity in weeks.command("filemaker_trace", item.identity)[1], item.record_id
    kinds = list(Notice.objects.values_list("kind", flat=True))
    assert kinds
