"""The built-in clinic ends exactly as the truth about it says."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest

from fmsim import clinic
from tests.voyage.harness import PortMaker


@pytest.mark.slow
def test_clinic_ends_as_its_truth_says(any_port: PortMaker) -> None:
    from clinic.images.models import Image

    data, truth = clinic.build(images=120), clinic.truth(images=120)
    with any_port(data) as port:
        ended = port.until_done(batch_size=50)
        totals = port.check()
        assert ended["found"] == 120 and ended["requests"] == sum(
            count for kind, count in port.sim.stats()["requests"].items() if kind != "container_hops"
        )
        items, images = port.items(), {image.filemaker_id: image for image in Image.objects.all()}
        assert len(items) == len(truth) == sum(totals.values())
        store = port.store
        for identity, fate in truth.items():
            item = items[fate.record_id]
            assert item.identity_key == identity
            assert (item.state, item.field or None) == (fate.state, fate.field), (identity, fate.case, item.reason)
            assert item.lesser_copy == fate.lesser_copy
            if fate.reason:
                assert item.reason == fate.reason
            if fate.sha256 is None:
                assert identity not in images
                continue
            image = images[identity]
            assert (image.sha256, image.file_size) == (fate.sha256, fate.size)
            assert image.mime_type == (fate.mime_type or image.mime_type)
            assert image.date_taken == (date.fromisoformat(fate.date) if fate.date else image.date_taken)
            assert image.batch.captured_on == (date.fromisoformat(fate.date) if fate.date else None)
            assert image.original_name == fate.original_name
            owner = image.batch.patient
            assert (owner.filemaker_id if owner else None) == (fate.owner if fate.state == "imported" else None) or (
                fate.state == "quarantined"
            )
            with store.open(image.key) as chunks:
                digest = hashlib.sha256(b"".join(chunks)).hexdigest()
            assert digest == fate.sha256
        # What is no file is asked for on a second link before that is believed.
        asked_again = {(item.record_id, entry["field"]) for item in items.values() for entry in item.attempts
                       if entry["result"] in ("not_a_file", "zero_bytes")}  # fmt: skip
        assert set(port.twice()) <= asked_again
