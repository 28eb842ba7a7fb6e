"""One project that has followed the page to its end; tests go on with copies of it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from fmsim import ContainerValue, DataSet, Record, Simulator
from fmsim.clinic import READER, WRITER
from fmsim.clinic.tables import layouts
from fmsim.dataset import Field, Layout
from tests.adopt.page import Block, Project, blocks
from tests.voyage.harness import FULL, LESSER, name_of, photo, raw, record

IMAGES, PAPERS, PATIENTS = 8, 3, 4
#: This patient comes only after the import.
LATE = 3


def data_set() -> DataSet:
    """Images 1 to 8 of patients 0 to 3 (one damaged, one without an owner), three papers with one or two sides."""
    images = [record(number, owner=number % PATIENTS) for number in range(1, IMAGES + 1)]
    images[4] = record(5, owner=1, **{FULL: raw(b"\xff\xd8\xff\xe0 broken"), LESSER: photo("the lesser of 5")})
    images[5].values["id_Contact"] = ""
    papers = []
    for number in range(1, PAPERS + 1):
        sides: dict[str, ContainerValue | str] = {"front": photo(f"front {number}"), "back": ""}
        if number != 2:
            sides["back"] = photo(f"back {number}")
        ids = {"id": name_of("paper", number), "id_Contact": f"{{{name_of('patient', number).lower()}}}"}
        papers.append(Record(str(number), "1", {**ids, "Kind": "Consent", **sides}))
    shown = [Field("id"), Field("id_Contact"), Field("Kind"), Field("front", "container"), Field("back", "container")]
    tables = {"Images": images, "Papers": papers, "Patients": []}
    return DataSet("Clinic", [READER, WRITER], [*layouts(), Layout("API_Papers", "Papers", shown)], tables)


@dataclass
class Followed:
    """What came of following the page: the project, and what each command printed."""

    project: Project
    sim: Simulator
    said: dict[str, str] = field(default_factory=dict)
    drafts: list[str] = field(default_factory=list)


def _sign_in(sim: Simulator, text: str) -> str:
    """The page's `.env` with this host in place of the example's."""
    values = {
        "FILEMAKER_URL": sim.url,
        "FILEMAKER_DATABASE": sim.database,
        "FILEMAKER_ACCOUNT": sim.account,
        "FILEMAKER_PASSWORD": sim.password,
    }
    named = [line.partition("=")[0] for line in text.splitlines()]
    assert named == list(values), "the page names what signs in"
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _follow(block: Block, followed: Followed) -> None:
    project = followed.project
    path = project.folder / block.path
    if block.what == "is in":
        assert block.text in path.read_text(encoding="utf-8"), f"{block.path} is not as the page shows it"
    elif block.what == "add to":
        path.write_text(path.read_text(encoding="utf-8") + block.text, encoding="utf-8")
    elif block.what == "write":
        if path.exists():
            followed.drafts.append(path.read_text(encoding="utf-8"))
        project.write(block.path, _sign_in(followed.sim, block.text) if block.path == ".env" else block.text)
    else:
        for line in block.text.splitlines():
            program, *arguments = shlex.split(line)
            if program == "pip":
                continue
            assert (program, arguments[0]) == ("python", "manage.py")
            if arguments[1] == "relink_filemaker" and arguments[2] == "photos":
                add_patient(project, LATE)
            followed.said[" ".join(arguments[1:])] = project.done(*arguments[1:])


def add_patient(project: Project, number: int) -> None:
    """A patient as this project knows one: FileMaker's id in JSON, in small letters."""
    known = json.dumps({"filemaker_id": name_of("patient", number).lower(), "since": 2016})
    made = f"from people.models import Patient; Patient.objects.create(name='P{number}', data={known})"
    project.ask(made)


@pytest.fixture(scope="session")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """The page, followed once."""
    project = Project.copied(tmp_path_factory.mktemp("adopt") / "project")
    project.environ["UNLADE_PACE"] = "off"
    with Simulator(data_set()) as sim:
        project.done("migrate")
        for number in range(PATIENTS):
            if number != LATE:
                add_patient(project, number)
        done = Followed(project, sim)
        for block in blocks():
            _follow(block, done)
        yield done


@pytest.fixture(scope="module")
def project_maker(followed: Followed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Makes copies of the finished project, each with a host of its own, as fresh as the first was."""
    with ExitStack() as stack:

        def make() -> Project:
            folder = tmp_path_factory.mktemp("copy") / "project"
            shutil.copytree(followed.project.folder, folder)
            sim = stack.enter_context(Simulator(data_set()))
            return Project(folder, {"UNLADE_PACE": "off", "FILEMAKER_URL": sim.url})

        yield make
