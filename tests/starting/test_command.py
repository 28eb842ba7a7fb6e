"""`startimport` in a project that has no import yet: what it writes passes the checks and runs, untouched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fmsim import Simulator, clinic
from tests.adopt.page import Project, blocks
from tests.fmp12road.files import as_database
from tests.voyage.harness import cargo

PRELUDE = """
import json, os, urllib.request
from io import StringIO
from django.core.checks import run_checks
from django.core.management import call_command
from unlade.ledger.models import TransferUsage

def run(*arguments):
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command(*arguments, stdout=out, stderr=err, verbosity=0)
    except SystemExit as error:
        code = error.code
    return {'out': out.getvalue(), 'err': err.getvalue(), 'exit': code}

def stats():
    return json.loads(urllib.request.urlopen(os.environ['FILEMAKER_URL'] + '/-/stats').read())

def booked():
    return sum(row.api_bytes + row.container_bytes + row.header_bytes for row in TransferUsage.objects.all())

def problems():
    return [str(each) for each in run_checks() if each.is_serious() and (each.id or '').startswith('unlade.')]

def load(made):
    kept.append({'__name__': 'gallery.imports'})  # a class that nobody holds is no declaration
    exec(compile(made['text'], 'gallery/imports.py', 'exec'), kept[-1])

kept, told = [], {}
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example project with unlade installed and nothing declared."""
    project = Project.copied(tmp_path_factory.mktemp("starting") / "project")
    for block in blocks():
        if block.what == "add to":
            path = project.folder / block.path
            path.write_text(path.read_text(encoding="utf-8") + block.text, encoding="utf-8")
    project.environ["UNLADE_PACE"] = "off"
    project.done("migrate")
    return project


def _with(project: Project, sim: Simulator) -> Project:
    host = {
        "FILEMAKER_URL": sim.url,
        "FILEMAKER_DATABASE": sim.database,
        "FILEMAKER_ACCOUNT": sim.account,
        "FILEMAKER_PASSWORD": sim.password,
    }
    return Project(project.folder, {**project.environ, **host})


def _play(project: Project, story: str) -> dict[str, Any]:
    said = project.ask(f"{PRELUDE}\n{story}\nprint(json.dumps(told))")
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return told


LAYOUTS = ("API_Images", "Images_Fat", "API_Documents", "API_Patients")


@pytest.fixture(scope="module")
def drafts(empty: Project) -> Iterator[dict[str, Any]]:
    """A draft of each of the clinic's layouts, checked and run dry; what the first cost; what a wrong name says."""
    story = f"""
for layout in {LAYOUTS!r}:
    before = stats(), booked()
    made = json.loads(run('startimport', layout, '--owner', 'people.Patient', '--json')['out'])
    after = stats(), booked()
    load(made)
    told[layout] = {{
        'text': made['text'],
        'requests': {{name: count - before[0]['requests'][name] for name, count in after[0]['requests'].items()}},
        'unbooked': sum(after[0]['bytes'].values()) - sum(before[0]['bytes'].values()) - (after[1] - before[1]),
        'problems': problems(),
        'dry': run('import_filemaker', made['name'], '--dry-run', '--limit', '20'),
    }}
told['wrong'] = run('startimport', 'API_Imges')
told['nobody'] = run('startimport', 'API_Images', '--owner', 'people.Nobody')
told['requests'] = stats()['requests']
"""
    with Simulator(clinic.build(images=24, documents=24)) as sim:
        yield _play(_with(empty, sim), story)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_draft_passes_the_checks_and_runs_dry_untouched(drafts: dict[str, Any], layout: str) -> None:
    made = drafts[layout]
    assert made["problems"] == [] and made["dry"]["exit"] == 0, made
    assert "nothing was fetched or written" in made["dry"]["out"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_host_is_asked_five_things_and_all_is_booked(drafts: dict[str, Any], layout: str) -> None:
    asked = {name: count for name, count in drafts[layout]["requests"].items() if count}
    assert asked == {"session": 2, "metadata": 2, "records": 1}  # its version and the layout, in and out
    assert drafts[layout]["unbooked"] == 0


def test_the_clinics_images_are_declared_as_a_person_would(drafts: dict[str, Any]) -> None:
    text = drafts["API_Images"]["text"]
    for line in (
        'containers = ["image_Full", "image_Ex_large", "image_large", "image_medium", "image_small"]',
        'identity = "id"',
        'owner = Owner("id_Contact", "people.Patient", match="data__filemaker_id")',
        'taken_on = DateField("date")',
        'original_name = "Name of file"',
        'category = "Type"',
        'key = "filemaker/images/{owner}/{identity}{ext}"',
        "# class Images(models.Model):",
    ):
        assert line in text
    assert "g_Logo (global" in drafts["Images_Fat"]["text"] and "c_Preview (calculated" in drafts["Images_Fat"]["text"]


def test_a_wrong_name_says_which_there_are(drafts: dict[str, Any]) -> None:
    assert drafts["wrong"]["exit"] == 1 and all(layout in drafts["wrong"]["err"] for layout in LAYOUTS)
    assert drafts["nobody"]["exit"] == 2 and "people.Nobody" in drafts["nobody"]["err"]


def test_files_are_written_once(empty: Project) -> None:
    story = """
told['draft'] = run('startimport', 'API_Images', '--app', 'gallery', '--model', 'gallery.Photo', '--owner', 'people.Patient')
told['again'] = run('startimport', 'API_Images', '--app', 'gallery')
told['stats'] = stats()['requests']['session']
told['kept'] = open('gallery/imports.py').read().count('ModelImport')
told['forced'] = run('startimport', 'API_Images', '--out', 'gallery/imports.py', '--force')
told['forced_text'] = open('gallery/imports.py').read()
told['nowhere'] = run('startimport', 'API_Images', '--out', 'nowhere/imports.py')
told['app'] = run('startimport', 'API_Images', '--app', 'galery')
told['nothing'] = run('startimport')
"""
    try:
        with Simulator(cargo(3)) as sim:
            told = _play(_with(empty, sim), story)
    finally:
        (empty.folder / "gallery" / "imports.py").unlink(missing_ok=True)
    assert told["draft"]["exit"] == 0 and "filemaker_doctor images" in told["draft"]["out"]
    assert told["again"]["exit"] == 2 and "--force" in told["again"]["err"] and told["kept"] == 2
    assert told["stats"] == 2  # refused before the host was asked
    assert told["forced"]["exit"] == 0 and "ContainerImport" in told["forced_text"]
    for wrong in ("nowhere", "app", "nothing"):
        assert told[wrong]["exit"] == 2 and told[wrong]["err"]


def test_from_a_database_file_nobody_is_asked(empty: Project, tmp_path: Path) -> None:
    path = as_database(cargo(6), tmp_path / "Clinic.fmp12")
    story = f"""
made = json.loads(run('startimport', '--from', {str(path)!r}, '--owner', 'people.Patient', '--json')['out'])
load(made)
told['text'], told['found'], told['problems'] = made['text'], made['found'], problems()
told['dry'] = run('import_filemaker', made['name'], '--from', {str(path)!r}, '--dry-run', '--yes')
told['table'] = run('startimport', '--from', {str(path)!r}, '--table', 'Nothing')
"""
    told = _play(empty, story)
    assert told["found"] == 6 and told["problems"] == []
    assert 'table = "Images"' in told["text"] and 'containers = ["image_Full", ' in told["text"]
    assert told["dry"]["exit"] == 0 and "6 of 6" in told["dry"]["out"], told["dry"]
    assert told["table"]["exit"] == 2 and "Images" in told["table"]["err"]
