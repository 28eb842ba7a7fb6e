"""Owners by one key or many, of every type of column: found when it is certain, never guessed, always in bulk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.images.models import ImageBatch
from clinic.patients.models import Patient
from tests.owners.models import Account, Holder, tables
from unlade.lookups import Kind, lookup_of
from unlade.owners import CHUNK, Owner, OwnerFinder, OwnerMatch, normalise_refs

UUID = uuid.UUID("5F0A3C1E-8E0B-4B7C-9C53-0123456789AB")


@pytest.fixture
def tabled(database: str) -> Iterator[None]:
    with tables():
        yield


def found(owner: Owner, *refs: Any) -> list[Any]:
    """The owner's primary key for each reference, else the reason."""
    matches = OwnerFinder(owner).find(refs)
    answers = [matches[normalise_refs(ref)] for ref in refs]
    return [match.owner.pk if match.owner is not None else match.reason for match in answers]


def test_text_forgives_case_braces_and_white_space_and_nothing_else(tabled: None) -> None:
    pks = [Holder.objects.create(code=code).pk for code in ("{Ab-1}", " 7 ", "007", "8")]
    owner = Owner("id", Holder, "code")
    assert found(owner, "ab-1", " {AB-1} ", "7", "007") == [pks[0], pks[0], pks[1], pks[2]]
    assert found(owner, "7.0", "0007", "8.0", "ab_1", "") == [*["owner_missing"] * 4, "no_owner_reference"]
    assert found(owner, "a\0b", "%", "' OR 1=1 --") == ["owner_missing"] * 3


def test_a_column_of_numbers_compares_numbers(tabled: None) -> None:
    account = Account.objects.create(serial=7)
    other = Account.objects.create(serial=-12)
    owner = Owner("id", Account, "serial")
    assert found(owner, "7", 7, "007", "7.0", " 7. ", "-12.00") == [account.pk] * 5 + [other.pk]
    assert found(owner, "7.5", "7a", "७", "9" * 40, str(2**63), "1e1", "--7", "") == [
        *["owner_missing"] * 7,
        "no_owner_reference",
    ]


def test_a_column_of_uuids(tabled: None) -> None:
    account = Account.objects.create(external=UUID)
    owner = Owner("id", Account, "external")
    assert found(owner, str(UUID), f"{{{str(UUID).upper()}}}", UUID.hex, "5F0A") == [*[account.pk] * 3, "owner_missing"]


def test_a_key_inside_json(tabled: None) -> None:
    values: list[Any] = ["{ab-1}", 7, None, True, ["x"], {"deep": "D-1"}]
    pks = [Holder.objects.create(data={"filemaker_id": value, "n": 1}).pk for value in values]
    Holder.objects.create(data={})
    owner = Owner("id", Holder, "data__filemaker_id")
    assert found(owner, "AB-1", "7") == pks[:2]
    assert found(owner, "null", "true", "x", "nothing") == ["owner_missing"] * 4
    assert found(Owner("id", Holder, "data__filemaker_id__deep"), "d-1") == [pks[5]]
    again = Holder.objects.create(data={"filemaker_id": "ab-1"})
    match = OwnerFinder(owner).one("ab-1")
    assert (match.reason, match.candidates) == ("ambiguous", (pks[0], again.pk))


def test_keys_over_relations(tabled: None) -> None:
    account = Account.objects.create(serial=5, data={"ids": {"fm": "Z-9"}})
    one = Holder.objects.create(account=account)
    assert found(Owner("id", Holder, "account__serial"), "5") == [one.pk]
    assert found(Owner("id", Holder, "account__data__ids__fm"), "{z-9}") == [one.pk]
    patients = [Patient.objects.create(), Patient.objects.create()]
    for patient, text in ((0, "alias"), (0, "Alias"), (1, "same"), (0, "SAME")):
        ImageBatch.objects.create(patient=patients[patient], owner_ref=text, source=text)
    owner = Owner("id", Patient, "image_batches__owner_ref")  # to many rows, and still one owner
    assert found(owner, "ALIAS", "same") == [patients[0].pk, "ambiguous"]
    assert owner.refs_by_key([patients[1].pk, patients[0].pk]) == {patients[1].pk: "same"}


def test_a_chain_takes_the_first_key_that_finds_somebody(tabled: None) -> None:
    account = Account.objects.create(serial=5)
    one = Holder.objects.create(code="A")
    two = Holder.objects.create(code="B", account=account)
    owner = Owner(["id_Contact", "Contacts::Serial"], Holder, ["code", "account__serial"])
    assert owner.refs({"id_Contact": " A ", "Contacts::Serial": 5}) == ("A", "5")
    assert found(owner, ("A", "5"), ("", "5"), ("X", "5"), ("X", "9"), ("", "")) == [
        one.pk, two.pk, two.pk, "owner_missing", "no_owner_reference",
    ]  # fmt: skip
    assert found(owner, ("5", "A")) == ["owner_missing"]  # each field by its own lookup
    assert found(owner, "5", "B") == [two.pk, two.pk]  # one text, as a person types it, may be any of them


def test_two_that_fit_end_the_search(tabled: None) -> None:
    pks = [Holder.objects.create(code=code).pk for code in ("a", "A")]
    Holder.objects.create(code="B")
    match = OwnerFinder(Owner(["x", "y"], Holder, "code")).one(("A", "B"))
    assert (match.owner, match.reason, match.candidates) == (None, "ambiguous", tuple(pks))


def test_one_field_by_several_lookups_and_several_fields_by_one(tabled: None) -> None:
    holder = Holder.objects.create(code="K", data={"fm": "J"})
    assert found(Owner("id", Holder, ["code", "data__fm"]), "k", "j", "l") == [holder.pk, holder.pk, "owner_missing"]
    assert found(Owner(["a", "b", "c"], Holder, "code"), ("", "x", "K"), ("K", "", "")) == [holder.pk] * 2


def test_a_function_in_bulk(tabled: None) -> None:
    holders = {holder.code: holder for holder in (Holder.objects.create(code=code) for code in ("A1", "A2", "B"))}
    asked: list[Sequence[Any]] = []

    def by_beginning(refs: Sequence[Any]) -> dict[Any, Any]:
        asked.append(refs)
        found = {ref: [each for code, each in holders.items() if code.startswith(ref[0])] for ref in refs}
        return found | {("B", "1"): holders["B"], ("N", "1"): None}

    owner = Owner(["a", "b"], Holder, find=by_beginning)
    refs = [("A", "1"), ("b", "1"), ("A1", ""), ("C", "2"), ("N", "1"), ("", "")]
    assert found(owner, *refs) == [
        "ambiguous", holders["B"].pk, holders["A1"].pk, "owner_missing", "owner_missing", "no_owner_reference",
    ]  # fmt: skip
    assert len(asked) == 1
    OwnerFinder(owner).find((f"Z{n}", "") for n in range(CHUNK + 1))
    assert [len(refs) for refs in asked[1:]] == [CHUNK, 1]


@pytest.mark.parametrize("matches", [("code",), ("code", "account__data__fm", "data__fm")])
def test_each_step_costs_one_query_a_portion(tabled: None, matches: tuple[str, ...]) -> None:
    Holder.objects.bulk_create(Holder(code=f"C-{n}", data={"fm": f"J-{n}"}) for n in range(2000))
    finder = OwnerFinder(Owner("id", Holder, matches))
    refs = [f"{'c' if n % 2 or len(matches) == 1 else 'j'}-{n}" for n in range(2000)]
    with CaptureQueriesContext(connection) as queries:
        answers = finder.find(refs * 3)
    assert all(match.owner.code == f"C-{ref[2:]}" for ref, match in answers.items())
    first, others = -(-2000 // CHUNK), -(-1000 // CHUNK)
    assert len(queries) == first + (2 * others if len(matches) > 1 else 0)
    with CaptureQueriesContext(connection) as queries:
        assert finder.find(refs) == answers
    assert len(queries) == 0


def test_what_was_not_found_is_asked_again(tabled: None) -> None:
    finder = OwnerFinder(Owner("id", Holder, "code"))
    assert finder.one("A") == OwnerMatch(reason="owner_missing")
    holder = Holder.objects.create(code="a")
    assert finder.one("A").owner == holder
    holder.delete()
    finder.forget("{A}")
    assert finder.one("A").reason == "owner_missing"


def test_ids_of_owners(tabled: None) -> None:
    account = Account.objects.create(serial=5)
    holders = [
        Holder.objects.create(code=" X ", account=account),
        Holder.objects.create(account=account),
        Holder.objects.create(),
    ]
    owner = Owner("id", Holder, ["code", "account__serial"])
    assert [owner.ref_of(holder) for holder in holders] == ["X", "5", ""]
    assert owner.refs_by_key([holder.pk for holder in holders]) == {holders[0].pk: "X", holders[1].pk: "5"}
    assert Owner("id", Holder, find=lambda _refs: {}).ref_of(holders[0]) == ""  # its default match is not there
    keys = [str(holders[1].pk), "no number", "99"]
    assert OwnerFinder(owner).by_key(keys) == {str(holders[1].pk): holders[1]}


def test_declarations_that_mean_nothing_are_refused() -> None:
    for fields, matches in (([], "code"), (["a", ""], "code"), (["a", "b"], ["x", "y", "z"])):
        with pytest.raises(ImproperlyConfigured):
            Owner(fields, Holder, matches)
    for path in ("nothing", "account__nothing", "code__nothing", ""):
        with pytest.raises(FieldDoesNotExist):
            lookup_of(Holder, path)
    for path in ("account", "data", "data__", "id", "pk"):
        with pytest.raises((TypeError, FieldDoesNotExist)):
            lookup_of(Holder, path)
    assert lookup_of(Holder, "account__data__ids__fm").keys == ("ids", "fm")
    assert {lookup_of(Account, name).kind for name in ("serial", "external", "data__x")} == {
        Kind.NUMBER, Kind.UUID, Kind.JSON,
    }  # fmt: skip
