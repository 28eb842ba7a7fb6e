"""What the doctor looks at on this side, and how it speaks."""

from __future__ import annotations

import json
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.databases import use_database
from tests.doctor.hosts import only
from unlade.doctor import here
from unlade.doctor.lines import Examination, Line, as_json, exit_code
from unlade.doctor.text import render
from unlade.errors import HostResting, SettingsError, StoreRefused
from unlade.rigging import Rigging
from unlade.settings import SETTINGS, Settings


def settings(tmp_path: Path, **more: str) -> Settings:
    values = {"UNLADE_STORE": (tmp_path / "store").as_uri(), "UNLADE_SPOOL": str(tmp_path / "spool")} | more
    return Settings(environ=values)


class TestExamination:
    def test_one_check_that_breaks_does_not_stop_the_others(self) -> None:
        def breaks() -> Iterator[Line]:
            yield Line("ok", "a", "so far")
            raise ZeroDivisionError("by nought")

        found = Examination()
        assert not found.check("a", breaks)
        assert not found.check("b", lambda: [Line("ok", "b", "fine")], needs=["a"])
        assert not found.check("c", list, needs=["b"])
        assert found.check("d", lambda: [Line("warning", "d", "hm")])
        assert [(line.level, line.topic) for line in found.lines] == [
            ("ok", "a"), ("error", "a"), ("warning", "b"), ("warning", "c"), ("warning", "d"),
        ]  # fmt: skip
        assert [line.skipped for line in found.lines] == [False, False, True, True, False]
        assert "ZeroDivisionError: by nought" in found.lines[1].message
        assert exit_code(found.lines) == 1

    @pytest.mark.parametrize(
        ("error", "level"),
        [(StoreRefused("no", remedy="ask"), "error"), (HostResting("later", remedy="ask"), "warning")],
    )
    def test_an_error_becomes_a_line_with_its_remedy(self, error: Exception, level: str) -> None:
        def breaks() -> list[Line]:
            raise error

        found = Examination()
        found.check("a", breaks)
        assert found.lines == [Line(level, "a", str(error), "ask")]  # type: ignore[arg-type]
        assert not found.check("b", list, needs=["a"])

    def test_an_interrupt_is_no_finding(self) -> None:
        def breaks() -> list[Line]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Examination().check("a", breaks)


class TestSettings:
    def test_every_setting_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        lines = list(here.look_at_settings(settings(tmp_path, UNLADE_ALLOWANCE="much", UNLADE_PACE="wild")))
        assert [line.level for line in lines] == ["error", "error"]
        assert "UNLADE_PACE" in lines[0].message and "UNLADE_ALLOWANCE" in lines[1].message

    def test_where_they_come_from(self, tmp_path: Path) -> None:
        (line,) = here.look_at_settings(settings(tmp_path))
        assert line.message == f"{len(SETTINGS)} settings can be read; 2 from environment"


class TestDatabase:
    @pytest.fixture(autouse=True)
    def _files_of_our_own(self, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
        with django_db_blocker.unblock():
            yield

    def test_tables_and_journal(self, sqlite_url: str) -> None:
        with use_database(sqlite_url):
            lines = list(here.look_at_database())
        assert [line.level for line in lines] == ["ok", "ok"]
        assert "journal wal" in lines[0].message

    def test_migrations_that_wait(self, tmp_path: Path) -> None:
        with use_database(f"sqlite:///{(tmp_path / 'new.sqlite3').as_posix()}"):
            lines = list(here.look_at_database())
        assert lines[-1].level == "error" and "migrations wait" in lines[-1].message
        assert lines[-1].remedy == "python manage.py migrate"

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "no.sqlite3").write_bytes(b"this is not a database, however long one looks at it" * 100)
        with use_database(f"sqlite:///{(tmp_path / 'no.sqlite3').as_posix()}"):
            (line,) = here.look_at_database()
        assert line.level == "error" and "cannot be opened" in line.message

    def test_another_journal_is_worth_a_word(self) -> None:
        class Cursor:
            said = ""

            def execute(self, statement: str) -> None:
                self.said = "delete" if "journal" in statement else sqlite3.sqlite_version

            def fetchone(self) -> tuple[str]:
                return (self.said,)

        assert here._engine(Cursor()).level == "warning"

    @pytest.mark.real
    def test_postgresql(self, postgres_url: str) -> None:
        with use_database(postgres_url):
            lines = list(here.look_at_database())
        assert lines[0].message.startswith("PostgreSQL") and lines[1].level == "ok"


class TestDisk:
    @pytest.mark.parametrize(("free", "level"), [(10**8, "error"), (10**9, "warning"), (10**11, "ok")])
    @pytest.mark.django_db
    def test_free_space(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(here.shutil, "disk_usage", lambda folder: usage(10**12, 0, free))
        lines = list(here.look_at_disk(Rigging(settings(tmp_path))))
        assert lines[0].level == level
        assert "spool" in lines[0].message
        # The folders are not there yet: nothing makes them only to look.
        assert list(tmp_path.iterdir()) == []

    def test_a_spool_that_nobody_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError):
            list(here.look_at_disk(Rigging(Settings(environ={}))))


class TestStore:
    def test_a_folder_proves_itself_and_is_left_clean(self, tmp_path: Path) -> None:
        lines = list(here.look_at_store(Rigging(settings(tmp_path))))
        assert lines[0].level == "ok" and "write, read" in lines[0].message
        assert not list(tmp_path.rglob("*probe*"))

    def test_a_store_of_no_kind(self, tmp_path: Path) -> None:
        found = Examination()
        found.check("store", lambda: here.look_at_store(Rigging(settings(tmp_path, UNLADE_STORE="ftp://nowhere/x"))))
        assert only(found.lines, "store").level == "error"


@pytest.mark.slow
class TestDecoders:
    def test_they_start(self, tmp_path: Path) -> None:
        (line,) = here.look_at_decoders(Rigging(settings(tmp_path, UNLADE_DECODERS="1")))
        assert line.level == "ok" and line.message.startswith("1 child")

    def test_too_little_memory(self, tmp_path: Path) -> None:
        rig = Rigging(settings(tmp_path, UNLADE_DECODERS="1", UNLADE_DECODER_MEMORY="20MB"))
        found = Examination()
        found.check("decoders", lambda: here.look_at_decoders(rig))
        assert found.lines[-1].level == "error"


class TestText:
    LINES = (
        Line("ok", "settings", "can be read"),
        Line("warning", "plates weight", "fat: " + "a word " * 40, "Use a lean layout."),
        Line("error", "login", "wrong password", "Correct it."),
        Line("warning", "plates fields", "skipped: it needs login"),
    )

    def test_it_fits_80_columns_and_is_plain(self, tmp_path: Path) -> None:
        text = render(self.LINES, settings(tmp_path, FILEMAKER_PASSWORD="hush-hush"))
        assert max(map(len, text.splitlines())) <= 80
        assert text.isascii()
        assert "hush-hush" not in text and "(set)" in text
        for setting in SETTINGS:
            assert setting.name in text
        assert "1 error, 1 warning, 1 skipped; put the errors right first." in text

    def test_remedies_stand_below_what_they_mend(self) -> None:
        rows = render(self.LINES).splitlines()
        place = next(number for number, row in enumerate(rows) if "wrong password" in row)
        assert rows[place + 1].strip() == "-> Correct it."
        assert rows[place].index("wrong password") == rows[place + 1].index("->")

    def test_the_next_command_comes_when_nothing_is_wrong(self) -> None:
        good = render(self.LINES[:1], next_command="python manage.py import_filemaker plates")
        assert "All is well." in good and good.rstrip().endswith("import_filemaker plates")
        assert "import_filemaker" not in render(self.LINES, next_command="python manage.py import_filemaker plates")

    def test_json(self) -> None:
        data = json.loads(json.dumps(as_json(self.LINES)))
        assert data[2] == {"level": "error", "topic": "login", "message": "wrong password", "remedy": "Correct it."}
        assert data[0]["remedy"] is None
