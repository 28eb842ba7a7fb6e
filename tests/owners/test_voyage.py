"""A chain of keys over a whole import: what it linked stays linked, and what came early is linked by any of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clinic.images.imports import ImageImport
from clinic.images.models import Image
from clinic.patients.models import Patient
from tests.afterwards import as_json, without_filemaker
from tests.voyage.harness import Port, PortMaker, cargo, name_of
from unlade.linking import relink
from unlade.owners import Owner


@pytest.fixture
def port(any_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    """Patients are known by their id, else by the number of their first file; of six, three are here."""
    chain = Owner(["id_Contact", "Serial"], "patients.Patient", ["filemaker_id", "last_name"])
    monkeypatch.setattr(ImageImport, "owner", chain)
    with any_port(cargo(12)) as port:
        Patient.objects.filter(filemaker_id__in=[name_of("patient", number) for number in (0, 2)]).delete()
        yield port


def owners(port: Port) -> dict[str, Any]:
    rows = {str(image.pk): image for image in Image.objects.select_related("batch")}
    return {rid: rows[item.row].batch.patient_id for rid, item in port.items().items()}


def test_any_key_links(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    by_number = Patient.objects.create(last_name="2")
    port.run()
    items = port.items()
    assert items["1"].owner_refs == [name_of("patient", 0), "1"]
    assert items["1"].owner_ref == name_of("patient", 0) and items["1"].owner_ref in items["1"].key
    assert (items["2"].state, owners(port)["2"]) == ("imported", by_number.pk)
    assert [items[rid].reason for rid in ("1", "3", "8")] == ["owner_missing"] * 3
    late = Patient.objects.create(last_name="3")
    first = Patient.objects.create(filemaker_id=name_of("patient", 0).lower())
    relink(ImageImport())
    assert [owners(port)[rid] for rid in ("1", "2", "3")] == [first.pk, by_number.pk, first.pk]
    assert port.items()["8"].state == "unlinked"
    late.last_name = "8"
    late.save()
    relink(ImageImport())
    assert (port.items()["8"].state, owners(port)["8"]) == ("imported", late.pk)
    command = without_filemaker(port, monkeypatch)
    assert command("filemaker_resolve", "images", "8", "--row")[0] == 0
    assert (owners(port)["8"], port.items()["8"].owner_refs) == (late.pk, [name_of("patient", 2), "8"])
    differences = as_json(command("filemaker_verify", "images", "--read", "--json"))["differences"]
    # A key that came later goes before the one that had linked: that is said, and a person decides.
    assert [(each["kind"], each["record"]) for each in differences] == [("row_owner", "2")]
    port.check()
