"""The settings of the reference project on machines of several kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

import clinic
from clinic.environment import database, flag, load_dotenv, names

ROOT = Path(clinic.__file__).parent.parent


def python(code: str, *, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """A fresh process with nothing of ours in its environment but `environ`."""
    base = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "DATABASE_", "UNLADE_"))
    }
    env = base | {"DATABASE_URL": "sqlite://:memory:"} | environ
    return subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=cwd, env=env, capture_output=True, text=True)


def manage(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys, runpy; sys.argv = {['manage.py', *args]!r}; runpy.run_path('manage.py', run_name='__main__')"
    return python(code, **environ)


def test_sqlite_is_set_up_for_several_processes(sqlite_url: str, django_db_blocker: object) -> None:
    from tests.databases import use_database

    with django_db_blocker.unblock(), use_database(sqlite_url):  # type: ignore[attr-defined]
        with connection.cursor() as cursor:
            pragmas = {}
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys"):
                cursor.execute(f"PRAGMA {name}")
                pragmas[name] = cursor.fetchone()[0]
        assert pragmas == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 20_000, "foreign_keys": 1}
        assert connection.transaction_mode == "IMMEDIATE"


def test_databases_by_url() -> None:
    config = database("sqlite:////tmp/x.sqlite3?timeout=5")
    assert (config["NAME"], str(config["OPTIONS"]["timeout"])) == ("/tmp/x.sqlite3", "5")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    config = database("postgres://me:secret@db.example:5433/clinic")
    assert (config["ENGINE"], config["HOST"], config["PORT"]) == ("django.db.backends.postgresql", "db.example", 5433)
    assert "transaction_mode" not in config.get("OPTIONS", {}) and config["CONN_HEALTH_CHECKS"]
    with pytest.raises(ValueError):
        database("nonsense://x")


def test_dotenv_fills_gaps_and_leaves_our_own_names_to_us(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("AWS_PROFILE=clinic\nDJANGO_DEBUG=1\nUNLADE_STORE=s3://b/p\nFILEMAKER_PASSWORD=x\n")
    environ = {"DJANGO_DEBUG": "0"}
    load_dotenv(path, environ)
    assert environ == {"DJANGO_DEBUG": "0", "AWS_PROFILE": "clinic"}
    load_dotenv(tmp_path / "none", environ)
    assert flag(" Yes ") and not flag(None) and not flag("0")
    assert names("a, b,,") == ["a", "b"] and names(None) == []


@pytest.mark.slow
def test_pages_need_a_secret_key_but_commands_do_not() -> None:
    assert manage("check").returncode == 0
    read = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'clinic.settings'; from django.conf import settings as s; s.SECRET_KEY"
    assert "SECRET_KEY setting must not be empty" in python(read).stderr
    assert python(read, DJANGO_DEBUG="1").returncode == 0
    assert python(read, DJANGO_SECRET_KEY="k" * 60).returncode == 0


@pytest.mark.slow
def test_check_deploy_finds_nothing() -> None:
    key = "9b2f-Zq7!x_Lw3@tR8#mK5$yH1^cV6&nJ4*dG0(pS-fB)uE+aT=iO"
    reply = manage(
        "check", "--deploy", "--fail-level", "WARNING", DJANGO_SECRET_KEY=key, DJANGO_ALLOWED_HOSTS="a.example"
    )
    assert reply.returncode == 0, reply.stderr


@pytest.mark.slow
def test_an_installed_package_works_in_the_current_folder(tmp_path: Path) -> None:
    """As from the wheel: no manage.py beside the package, so `var` lies where the command is called."""
    packages, here = tmp_path / "packages", tmp_path / "here"
    here.mkdir()
    for name in ("clinic", "unlade"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        f"import sys; sys.path.insert(0, {str(packages)!r}); from django.core.management import execute_from_command_line as run; "
        "run(['x', 'migrate', '-v0']); from django.conf import settings; print(settings.BASE_DIR)"
    )
    reply = python(code, cwd=here, DATABASE_URL="", DJANGO_SETTINGS_MODULE="clinic.settings")
    assert (reply.returncode, reply.stdout.strip()) == (0, str(here)), reply.stderr
    assert (here / "var" / "clinic.sqlite3").stat().st_size > 0
    if os.name == "posix":
        assert (here / "var").stat().st_mode & 0o777 == 0o700
