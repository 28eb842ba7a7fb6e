"""`manage.py check` on declarations: each fault is named, with a hint, and good ones are left in peace."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from clinic.patients.models import Clinic
from unlade.checks import check_import
from unlade.importer import ContainerImport, Owner
from unlade.records import Column, Link, RecordImport

FILES: dict[str, Any] = {
    "layout": "L",
    "containers": ["photo"],
    "key": "x/{owner}/{identity}{ext}",
    "owner": Owner("id_Contact", "patients.Patient"),
}
RECORDS: dict[str, Any] = {"layout": "L", "model": Clinic, "fields": {"name": Column("Name")}}

FAULTS: list[tuple[type[ContainerImport], dict[str, Any], str]] = [
    (ContainerImport, {"layout": ""}, "unlade.E002"),
    (ContainerImport, {"identity": ""}, "unlade.E002"),
    (ContainerImport, {"containers": ()}, "unlade.E003"),
    (ContainerImport, {"key": "x/{owner}{ext}"}, "unlade.E004"),
    (ContainerImport, {"key": "x/{nonsense}/{identity}"}, "unlade.E004"),
    (ContainerImport, {"owner": Owner("a", "patients.Nobody")}, "unlade.E007"),
    (ContainerImport, {"owner": Owner("a", "patients.Patient", match="nothing")}, "unlade.E008"),
    (ContainerImport, {"owner": Owner("a", "patients.Patient", match="last_name")}, "unlade.W001"),
    (ContainerImport, {"owner": Owner("a", "patients.Patient", match="id")}, "unlade.E009"),
    (ContainerImport, {"owner": Owner(["a", "b"], "patients.Patient", ["filemaker_id", "nothing"])}, "unlade.E008"),
    (ContainerImport, {"owner": Owner("a", "patients.Patient", "clinic__nothing")}, "unlade.E008"),
    (ContainerImport, {"owner": Owner("a", "images.Image", "filemaker_metadata")}, "unlade.E009"),
    (ContainerImport, {"owner": Owner("a", "images.Image", "filemaker_metadata__id")}, "unlade.W001"),
    (ContainerImport, {"owner": Owner("a", "patients.Patient", ["filemaker_id", "clinic__name"])}, "unlade.W001"),
    (ContainerImport, {"owner": Owner("a", "patients.Nobody", find=dict.fromkeys)}, "unlade.E007"),
    (RecordImport, {"match": "clinic__filemaker_id", "model": "patients.Patient"}, "unlade.E009"),
    (RecordImport, {"fields": {}}, "unlade.E005"),
    (RecordImport, {"match": "name"}, "unlade.W002"),
    (RecordImport, {"match": "nothing"}, "unlade.E008"),
    (RecordImport, {"model": ""}, "unlade.E007"),
    (RecordImport, {"fields": {"nothing": Column("Name")}}, "unlade.E006"),
    (RecordImport, {"fields": {"name": Link("Name", Clinic)}}, "unlade.E006"),
    (RecordImport, {"metadata": "name"}, "unlade.E006"),
]


def declare(base: type[ContainerImport], **values: Any) -> ContainerImport:
    """A declaration that is not found by itself: it gets its name only when it is made."""
    whole = (RECORDS if issubclass(base, RecordImport) else FILES) | values
    importer: ContainerImport = type("Declared", (base,), whole)()
    importer.__dict__["name"] = "mine"
    return importer


def test_the_clinic_has_nothing_to_correct() -> None:
    assert not [message for message in run_checks() if (message.id or "").startswith("unlade.")]


@pytest.mark.parametrize("base", [ContainerImport, RecordImport])
def test_a_good_one(base: type[ContainerImport]) -> None:
    assert check_import(declare(base)) == []


@pytest.mark.parametrize(("base", "values", "number"), FAULTS)
def test_each_fault_is_named(base: type[ContainerImport], values: dict[str, Any], number: str) -> None:
    found = {message.id: message for message in check_import(declare(base, **values))}
    assert number in found
    assert found[number].hint and "'mine'" in found[number].msg


GOOD = [
    Owner(["a", "b"], "patients.Patient", ["filemaker_id", "clinic__filemaker_id"]),
    Owner("a", "patients.Patient", "phones__filemaker_id"),
    Owner(["a", "b"], "patients.Patient", match="nothing at all", find=dict.fromkeys),
]


@pytest.mark.parametrize("owner", GOOD)
def test_owners_of_every_form(owner: Owner) -> None:
    assert check_import(declare(ContainerImport, owner=owner)) == []


def test_the_hint_says_how_to_index_a_key_in_json() -> None:
    (warning,) = check_import(declare(ContainerImport, owner=Owner("a", "images.Image", "filemaker_metadata__id")))
    assert 'Upper(Trim(KT("filemaker_metadata__id")))' in str(warning.hint)


def test_what_key_values_adds_is_not_doubted() -> None:
    class Adding(ContainerImport):
        def key_values(self, record: Any) -> dict[str, str]:
            return {"year": "2019"}

    assert check_import(declare(Adding, key="x/{year}/{identity}{ext}")) == []
