"""Clients that others wrote, unmodified, over real HTTP: what they expect of a FileMaker host is what they find."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from fmsim import Simulator
from tests.fmsim.sample import data_set, jpeg

JS = Path(__file__).parent / "js"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v2", "vLatest"])
@pytest.mark.parametrize("mode", ["open", "protected", "first-hit"])
def test_python_fmrest(mode: str, version: str) -> None:
    import fmrest

    with Simulator(data_set(), tls=True, streaming=mode) as sim:
        server = fmrest.Server(
            sim.url,
            user="writer",
            password="w",
            database="Test Base",
            layout="Photos",
            api_version=version,
            verify_ssl=sim.ca_file,
        )
        assert len(server.login()) in (51, 52)
        assert server.get_product_info()["name"] == "FileMaker Data API Engine"
        assert server.get_databases() == [{"name": "Test Base"}]
        assert "Photos" in {one["name"] for one in server.get_layouts()}
        assert {one["name"] for one in server.get_layout() if one["result"] == "container"} == {"photo", "extra"}
        assert server.get_scripts()[0]["name"] == "Echo"
        assert [record.record_id for record in server.get_records(offset=2, limit=2)] == [12, 13]
        found = server.find([{"Kind": "==Dorsal"}], sort=[{"fieldName": "id", "sortOrder": "descend"}])
        assert [record.record_id for record in found] == [15, 13, 11]
        record = server.get_record(11)
        assert record["Serial"] == 1
        assert [row["Notes::text"] for row in record.portal_notes][:2] == ["note 1", "note 2"]
        record["Kind"] = "Ventral"
        assert server.edit(record, validate_mod_id=True)
        assert server.get_record(11)["Kind"] == "Ventral"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, kind, length, response = server.fetch_file(server.get_record(12)["photo"])
        assert (kind, length, response.content) == ("image/jpeg", "400", jpeg(2))
        created = server.create_record({"id": "new", "taken": "05/06/2020"})
        assert server.get_record(created)["taken"] == "05/06/2020"
        assert server.upload_container(created, "photo", ("x.txt", b"from Python"))
        assert server.perform_script("Echo", "hello") == (0, "hello")
        assert server.delete_record(created)
        with pytest.raises(fmrest.exceptions.FileMakerError) as caught:
            server.find([{"Kind": "==no such kind"}])
        assert "401" in str(caught.value)
        assert server.logout()
        stats = sim.stats()
        assert (stats["logins"], stats["logouts"], stats["open_sessions"]) == (1, 1, 0)
        assert stats["downloads"] == {"12": {"photo": 1}}
        assert stats["writes"] == 4


def test_python_fmrest_logs_in_again_after_its_session_died() -> None:
    import fmrest

    with Simulator(data_set(), tls=True) as sim:
        server = fmrest.Server(
            sim.url,
            "reader",
            "s3cret-Wörd",
            "Test Base",
            "Photos",
            api_version="vLatest",
            verify_ssl=sim.ca_file,
            auto_relogin=True,
        )
        server.login()
        sim.advance(15 * 60 + 1)
        assert server.get_record(11)["id"] == "ID-001"
        assert sim.stats()["logins"] == 2


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm clients of `js/package-lock.json`, installed into a folder of their own."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed: the JavaScript clients cannot run")
    folder = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", "voyage.cjs"):
        shutil.copy(JS / name, folder / name)
    npm = [str(shutil.which("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=240)
    return folder


def voyage(folder: Path, client: str, sim: Simulator) -> Any:
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(sim.ca_file)}
    command = ["node", "voyage.cjs", client, sim.url, sim.database, "writer", "w"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("mode", ["open", "protected"])
def test_npm_fms_api_client(node_modules: Path, mode: str) -> None:
    with Simulator(data_set(), tls=True, streaming=mode) as sim:
        seen = voyage(node_modules, "fms-api-client", sim)
        assert seen["product"] == "FileMaker Data API Engine"
        assert seen["databases"] == ["Test Base"]
        assert "Photos" in seen["layouts"]
        assert seen["containers"] == ["photo", "extra"]
        assert seen["listed"] == ["12", "13"]
        assert seen["counts"]["totalRecordCount"] == seen["counts"]["foundCount"] == 6
        assert seen["found"] == ["15", "13", "11"]
        assert seen["none"] == []
        assert seen["edited"]["modId"] == "4"
        assert seen["kind"] == "Ventral"
        assert seen["sha256"] == [hashlib.sha256(jpeg(n)).hexdigest() for n in (5, 3, 1)]
        assert seen["uploaded"]["modId"] == "5"
        assert seen["back"] == ["from JavaScript"]
        stats = sim.stats()
        assert (stats["logins"], stats["logouts"], stats["open_sessions"]) == (1, 1, 0)
        assert stats["downloads"] == {"15": {"photo": 1}, "13": {"photo": 1}, "11": {"photo": 1}, "12": {"photo": 1}}


@pytest.mark.slow
@pytest.mark.real
def test_npm_fm_data_api_client(node_modules: Path) -> None:
    with Simulator(data_set(), tls=True) as sim:
        seen = voyage(node_modules, "fm-data-api-client", sim)
        assert seen == {
            "listed": ["12", "13"], "found": ["15", "13", "11"], "none": [], "edited": {"modId": "4"}, "refused": "306", "kind": "Ventral",
        }  # fmt: skip
        assert (sim.stats()["logins"], sim.stats()["open_sessions"]) == (1, 0)
