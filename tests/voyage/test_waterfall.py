"""The waterfall against every odd answer: a lesser field only after a final answer of the better one (CONTRACT B2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.voyage.harness import FULL, HTML, LESSER, MISSING, PATH_ONLY, PortMaker, cargo, jpeg, photo, raw, record

CUT = raw(jpeg("cut", 5000)[:-900])


def _plan(*rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Faults for record 3's best field."""
    return [{"on": "container", "match": {"recordId": "3", "field": FULL}, **rule} for rule in rules]


ONCE = {"nth": {"from": 1, "to": 1}}
SECOND = {"nth": {"from": 2, "to": 2}}
REFUSED = {**ONCE, "do": {"status": 401}}
HTML_BODY = {"status": 200, "body": "html", "content_type": "text/html"}


@pytest.mark.parametrize(
    ("full", "faults", "field", "reason", "asked"),
    [
        (photo("good"), [], FULL, "", 1),
        (CUT, [], LESSER, "damaged", 1),
        (MISSING, [], LESSER, "missing", 2),
        (PATH_ONLY, [], LESSER, "reference_only", 0),
        (raw(b""), [], LESSER, "zero_bytes", 2),
        (raw(HTML), [], LESSER, "not_a_file", 2),
        (photo("good"), _plan({**ONCE, "do": HTML_BODY}), FULL, "", 2),
        (photo("good"), _plan({**ONCE, "do": {"truncate": 700}}), FULL, "", 2),
        (photo("good"), _plan({"do": {"truncate": 700}}), LESSER, "truncated", 2),
        (photo("good"), _plan({"do": {"content_type": "text/html"}}), FULL, "", 1),
        (photo("good"), _plan({**ONCE, "do": {"stale": True}}), FULL, "", 2),
        (photo("good"), _plan({**ONCE, "do": {"status": 401}}), FULL, "", 2),
        (photo("good"), _plan({**ONCE, "do": {"drop_session": True}}), FULL, "", None),
        (photo("good"), _plan(REFUSED, {**SECOND, "do": {"status": 404}}), FULL, "", 3),
        (photo("good"), _plan(REFUSED, {**SECOND, "do": {"truncate": 700}}), FULL, "", 3),
        (photo("good"), _plan(REFUSED, {**SECOND, "do": HTML_BODY}), FULL, "", 3),
        (MISSING, _plan(REFUSED), LESSER, "missing", 3),
        (raw(b"just a note", "note.txt", "text/plain"), [], FULL, "", 1),
        (raw(HTML, "page.html", "text/html"), [], FULL, "", 1),
    ],
    ids=[
        "good", "damaged", "missing", "reference", "zero bytes", "html twice", "html once", "truncated once", "truncated twice",
        "wrong content type", "stale link", "401 once", "session dropped", "401, 404", "401, truncated",
        "401, html", "401, missing", "text", "a page by name",
    ],
)  # fmt: skip
def test_what_is_taken(
    make_port: PortMaker, full: Any, faults: list[Any], field: str, reason: str, asked: int | None
) -> None:
    special = {3: record(3, **{FULL: full, LESSER: photo("lesser")})}
    special[3].values["Name of file"] = getattr(full, "name", "") or "IMG 3.jpg"
    with make_port(cargo(8, special=special), faults=faults) as port:
        ended = port.run()
        item = port.items()["3"]
        assert (item.state, item.field) == ("imported", field), (item.reason, item.detail)
        results = {entry["field"]: entry["result"] for entry in item.attempts}
        assert results.get(FULL) == (reason or "taken")
        assert (
            bool(item.spare_key) == item.lesser_copy == (reason in {"damaged", "zero_bytes", "not_a_file", "truncated"})
        )
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 8)
        port.check(books="enough" if faults else "equal")
        log = [line for line in port.sim.log() if (line["recordId"], line["field"], line["hop"]) == ("3", FULL, 1)]
        assert asked is None or len(log) == asked


@pytest.mark.parametrize(
    ("full", "state", "reason"),
    [(CUT, "quarantined", "damaged"), (raw(b""), "quarantined", "zero_bytes"), (raw(HTML), "quarantined", "not_a_file"),
     (MISSING, "failed", "missing"), (PATH_ONLY, "failed", "reference_only"), ("", "empty", "")],
    ids=["damaged", "zero bytes", "html", "missing", "reference", "empty"],
)  # fmt: skip
def test_when_no_field_is_good(make_port: PortMaker, full: Any, state: str, reason: str) -> None:
    with make_port(cargo(8, special={3: record(3, **{FULL: full})})) as port:
        ended = port.run()
        item = port.items()["3"]
        assert (item.state, item.reason) == (state, reason)
        assert ended["exit"] == (0 if state == "empty" else 3)
        port.check()
        asked = port.sim.stats()["requests"]["container"]
        assert port.run()["exit"] == 0
        assert port.sim.stats()["requests"]["container"] == asked


@pytest.mark.parametrize(
    "do",
    [{"status": 502, "body": "html"}, {"reset_after": 300}, {"status": 503}],
    ids=["502", "reset", "503"],
)
def test_trouble_never_turns_into_a_lesser_picture(make_port: PortMaker, do: dict[str, Any]) -> None:
    special = {3: record(3, **{FULL: photo("good"), LESSER: photo("lesser")})}
    with make_port(cargo(8, special=special), faults=_plan({"nth": {"from": 1, "to": 2}, "do": do})) as port:
        for _ in range(4):
            port.run(env={"UNLADE_COOLDOWNS": "1ms"})
            item = port.items()["3"]
            assert item.state in ("pending", "failed", "imported") and item.field in ("", FULL)
            port.check(books="enough", spool_empty=False)
            type(item).objects.filter(pk=item.pk).update(next_try_at="2020-01-01T00:00Z")
        assert port.items()["3"].field == FULL
        port.check(books="enough")


def test_a_damaged_better_copy_is_not_fetched_again_when_the_lesser_one_meets_trouble(make_port: PortMaker) -> None:
    special = {3: record(3, **{FULL: CUT, LESSER: photo("lesser")})}
    trouble = [{"on": "container", "match": {"recordId": "3", "field": LESSER}, "nth": {"from": 1, "to": 1},
                "do": {"status": 502}}]  # fmt: skip
    with make_port(cargo(8, special=special), faults=trouble) as port:
        port.until_done()
        item = port.items()["3"]
        assert (item.state, item.field, item.lesser_copy) == ("imported", LESSER, True)
        assert port.downloads()["3", FULL] == 1
        port.check(books="enough")


def test_a_session_that_dies_in_mid_run_costs_one_login_and_no_item(any_port: PortMaker) -> None:
    with any_port(
        cargo(60), faults=[{"on": "any", "nth": {"from": 30, "to": 30}, "do": {"drop_session": True}}]
    ) as port:
        ended = port.run()
        stats = port.sim.stats()
        assert (ended["exit"], ended["totals"]["imported"]) == (0, 60)
        assert (stats["logins"], ended["logins"], stats["open_sessions"]) == (2, 2, 0)
        assert not port.twice()
        port.check(books="enough")


@pytest.mark.slow
@pytest.mark.parametrize("streaming", ["open", "protected", "bearer", "first-hit"])
@pytest.mark.parametrize("switch", [{}, {"chunked": True}, {"link_relative": True}, {"cookie_uses": "once"}], ids=str)
def test_every_way_in_which_a_host_hands_out_containers(
    make_port: PortMaker, streaming: str, switch: dict[str, Any]
) -> None:
    with make_port(cargo(6), streaming=streaming, switches=switch) as port:
        assert port.run()["totals"]["imported"] == 6
        assert not port.twice()
        port.check()


def test_a_login_page_in_front_of_all_files_is_the_hosts_fault_not_theirs(make_port: PortMaker) -> None:
    page = [{"on": "container", "nth": {"from": 4}, "do": HTML_BODY}]
    with make_port(cargo(30), faults=page) as port:
        ended = port.run(concurrency=2)
        assert ended["totals"]["quarantined"] <= 1
        port.sim.set_faults([])
        type(port.items()["1"]).objects.filter(state="failed").update(next_try_at="2020-01-01T00:00Z")
        port.run(env={"UNLADE_COOLDOWNS": "1ms"})
        assert port.check(books="enough")["imported"] >= 29
