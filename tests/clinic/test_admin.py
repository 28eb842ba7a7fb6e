"""The admin shows patients and images to those who log in, and deletes none of them."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse

from clinic.images.models import Image
from clinic.patients.models import ArchiveEntry, Patient
from tests.clinic.cargo import record


@pytest.fixture
def boss(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", password="x"))
    return client


@pytest.fixture
def image(db: None) -> Image:
    return record(1, owner=Patient.objects.create(filemaker_id="P-1", last_name="Example"))


PAGES = (
    "patients/patient/",
    "patients/patient/?q=p-1",
    "patients/patient/?archive=yes",
    "patients/clinic/?archive=all",
    "patients/clinic/",
    "images/imagebatch/?linked=no",
    "images/imagebatch/?linked=yes",
    "images/image/?linked=yes&quarantined__exact=0",
    "images/image/?q=id-1",
)


@pytest.mark.parametrize("page", PAGES)
def test_lists(boss: Client, image: Image, page: str) -> None:
    assert boss.get(f"/admin/{page}").status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_shown_without_a_login(db: None, client: Client, page: str) -> None:
    reply = client.get(f"/admin/{page}")
    assert (reply.status_code, reply.headers["Location"].split("?")[0]) == (302, "/admin/login/")


def test_lists_cost_as_many_queries_for_many_rows_as_for_one(boss: Client, image: Image) -> None:
    def cost() -> int:
        from django.db import connection

        with CaptureQueriesContext(connection) as queries:
            for page in ("patients/patient/", "images/imagebatch/", "images/image/"):
                boss.get(f"/admin/{page}")
        return len(queries)

    one = cost()
    for number in range(2, 30):
        record(number, owner=Patient.objects.create(filemaker_id=f"P-{number}"), owner_ref=f"P-{number}")
    assert cost() == one


@pytest.mark.parametrize("path", ["patients/patient", "patients/clinic", "images/imagebatch", "images/image"])
def test_nothing_is_deleted(boss: Client, image: Image, path: str) -> None:
    from django.apps import apps

    model = apps.get_model(path.replace("/", "."))
    row = model.objects.first() or model.objects.create()
    assert boss.post(f"/admin/{path}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    boss.post(f"/admin/{path}/", {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).exists()


def test_patients_are_archived_instead(boss: Client, image: Image) -> None:
    patient = Patient.objects.get()
    boss.post("/admin/patients/patient/", {"action": "archive", "_selected_action": [patient.pk]})
    assert not Patient.objects.active().exists()
    boss.post("/admin/patients/patient/?archive=yes", {"action": "unarchive", "_selected_action": [patient.pk]})
    assert Patient.objects.active().exists()
    told = ArchiveEntry.objects.values_list("patient", "archived", "by", "why", "forced")
    assert list(told) == [
        (patient.pk, True, "boss", "in the admin", False),
        (patient.pk, False, "boss", "in the admin", False),
    ]


def test_who_is_archived_is_found_by_id_alone(boss: Client) -> None:
    here, away = (Patient.objects.create(filemaker_id=ref, last_name="Same") for ref in ("A-1", "{B-2}"))
    Patient.objects.filter(pk=away.pk).update(archived_at="2026-01-01T00:00:00Z")

    def listed(query: str) -> set[int]:
        page = boss.get(f"/admin/patients/patient/{query}")
        return {row.pk for row in page.context["cl"].result_list}

    assert listed("") == listed("?q=same") == {here.pk}
    assert listed("?q=b-2") == listed("?archive=yes") == {away.pk}
    assert listed("?archive=all&q=same") == {here.pk, away.pk}

    def offered(term: str) -> set[str]:
        request = RequestFactory().get("/admin/autocomplete/", {"term": term})
        request.user = User.objects.get(username="boss")
        request.resolver_match = resolve("/admin/autocomplete/")
        found, _ = admin.site._registry[Patient].get_search_results(request, Patient.objects.all(), term)
        return set(found.values_list("pk", flat=True))

    assert offered("") == offered("same") == {here.pk}
    assert offered(" b-2") == {away.pk}


def test_captions_can_be_written_but_not_what_filemaker_said(boss: Client, image: Image) -> None:
    boss.post(
        f"/admin/images/image/{image.pk}/change/",
        {"caption": "seen", "category": "Arm", "order": "5", "sha256": "f" * 64, "key": "elsewhere"},
    )
    changed = Image.objects.get()
    assert (changed.caption, changed.category, changed.order) == ("seen", "Arm", 5)
    assert (changed.sha256, changed.key) == (image.sha256, image.key)


def test_the_first_page_leads_to_the_sign_in(client: Client) -> None:
    assert client.get("/").headers["location"] == reverse("admin:index")
