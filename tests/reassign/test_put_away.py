"""The last step of a migration, after a whole import: who is archived stays so, whatever is imported later."""

from __future__ import annotations

import pytest

from clinic.images.models import Image
from clinic.patients.models import Patient
from tests.afterwards import as_json, without_filemaker
from tests.reassign.test_choice import edit, give, patient
from tests.voyage.harness import PortMaker, cargo
from unlade.ledger.models import Source


def test_archived_after_everything_is_proven(any_port: PortMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    with any_port(cargo(12)) as port:
        port.run()
        Source.objects.create(name="documents", listing_complete=True)
        command = without_filemaker(port, monkeypatch)
        words = ("archive_patients", "--inactive-since", "2030-01-01", "--yes", "--json")
        told = as_json(command(*words))
        owners = {item.owner_key for item in port.items().values()}
        assert (told["archived"], {each["id"] for each in told["held_back"]}) == (0, owners)
        assert told["undated"] == 6 - len(owners)  # nothing tells a day of those without files
        assert command("filemaker_verify", "images", "--read")[0] == 0
        give(command, "1", f"pk:{patient(2).pk}")
        told = as_json(command(*words))
        assert (told["archived"], told["exit"]) == (len(owners), 0)
        edit(port, "2", Type="Later")
        port.run(changed=True)
        assert Patient.objects.archived().count() == len(owners)
        assert Image.objects.filter(batch__patient__archived_at=None).count() == 0
        port.check()
        assert command("filemaker_verify", "images", "--read")[0] == 0
