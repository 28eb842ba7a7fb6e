"""`unlade survey` of a host without a project, and the sheet of sample pictures of a file."""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from fmsim import Simulator
from tests.fmp12 import writer
from tests.fmp12.writer import FieldSpec, FileSpec, ObjectSpec, RecordSpec, Ref, TableSpec
from tests.standalone.files import Unlade
from tests.survey.hosts import environ, estate
from tests.voyage.harness import jpeg
from unlade.ledger.models import Host, TransferUsage
from unlade.standalone.pictures import shares
from unlade.standalone.surveying import delete_command


def album(path: Path, count: int = 12) -> Path:
    """Photos, and one scan of a type without a picture."""
    fields = [FieldSpec(1, "photo", "container"), FieldSpec(2, "scan", "container")]
    records = [RecordSpec(n, {(1, 1): Ref(n)}) for n in range(1, count + 1)]
    records[0].values[2, 1] = Ref(count + 1)
    objects = [ObjectSpec(n, writer.picture(jpeg(f"picture {n}"), f"secret name {n}.jpg")) for n in range(1, count + 1)]
    objects.append(ObjectSpec(count + 1, writer.picture(b"just text", "note.txt", type_=b"FILE")))
    writer.write(path, FileSpec([TableSpec(129, "Plates", fields, records, {}, objects)]))
    return path


def test_a_sheet_of_pictures_for_the_owner_alone(unlade: Unlade, tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    code, told = unlade("survey", album(tmp_path / "a.fmp12"), "--html", page, "--pictures", "5", "--yes")
    assert (code, told["tables"][0]["records"]) == (0, 12)
    text = page.read_text("utf-8")
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert len(pictures) == 4
    for data in pictures:
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 300
    assert text.count("<figure>") == 5  # the fifth is the text, of which there is no picture
    assert "secret name" not in text
    assert os.name == "nt" or page.stat().st_mode & 0o777 == 0o600
    assert "eyes alone" in unlade.err
    assert delete_command(page) in unlade.err


def test_how_to_be_rid_of_it() -> None:
    assert delete_command(Path("/tmp/a b.html"), "posix") == "rm '/tmp/a b.html'"
    assert delete_command(Path("a.html"), "nt") == 'del "a.html"'


def test_every_field_has_its_share_of_the_sheet() -> None:
    assert shares({(1, 1): 100, (1, 2): 1, (2, 1): 50}, 11) == {(1, 1): 5, (1, 2): 1, (2, 1): 5}
    assert shares({(1, 1): 2}, 11) == {(1, 1): 2}
    assert shares({(1, 1): 9, (1, 2): 9}, 1) == {(1, 1): 1, (1, 2): 0}


def test_no_pictures_without_a_page_and_none_over_the_api(unlade: Unlade, tmp_path: Path) -> None:
    assert unlade("survey", album(tmp_path / "a.fmp12", 1), "--pictures", "--yes")[0] == 2
    assert unlade("survey", "https://fm.example.com", "Clinic", "--pictures", "--html", tmp_path / "x.html")[0] == 2
    assert "paid for out of the allowance" in unlade.err
    assert unlade("survey", "https://fm.example.com")[0] == 2
    assert unlade("survey", "https://fm.example.com", "Clinic", "--objects")[0] == 2
    assert unlade("survey", album(tmp_path / "b.fmp12", 1), "--full", "--yes")[0] == 2


@pytest.mark.django_db
def test_a_host_without_a_project(unlade: Unlade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator(estate()) as host:
        for name, value in environ(host, tmp_path, UNLADE_HOME=str(tmp_path / "home")).items():
            if name not in ("FILEMAKER_URL", "FILEMAKER_DATABASE"):
                monkeypatch.setenv(name, value)
        page = tmp_path / "survey.html"
        code, told = unlade("survey", host.url, "Plates", "--full", "--html", page)
        sent = host.stats()["bytes"]
        assert (code, told["outcome"], told["place"]) == (0, "done", "Plates")
        fields = {(one["table"], one["field"]): one for one in told["fields"]}
        assert fields["Plates", "photo"]["filled"] == 40
        assert fields["People", "portrait"]["exact"]
        assert "state" not in fields["Plates", "photo"]
        # Booked for this host, and kept below the folder of this person.
        assert Host.objects.get().key == f"{host.url} Plates"
        assert sum(row.charged for row in TransferUsage.objects.all()) == sum(sent.values())
        assert [entry.name for entry in (tmp_path / "home" / "hosts").iterdir()] != []
        assert "portrait" in page.read_text("utf-8")
        code, out = unlade.say("survey", host.url, "Plates", "--layout", "People")
    assert code == 0
    assert "Survey of Plates" in out
    assert "Taken by" not in out
    assert "To be read" in unlade.err
