"""The clinic's layouts, and its tables of patients and clinics."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from fmsim.clinic import stock, words
from fmsim.clinic.plan import make_id, us
from fmsim.clinic.plates import Print
from fmsim.dataset import ContainerValue, Field, Layout, Record

#: Characters of base64 text that one record of the fat layout carries: 46 KB, as one real layout did.
FAT = 46_000
#: The portal of a patient's phones.
PHONES = "PatientPhones"


def _fields(text: str, **others: str) -> list[Field]:
    """Text fields by comma-separated names, then fields of the result types given as keywords."""
    found = [Field(name) for name in text.split(",") if name]
    return found + [Field(name, result) for result, names in others.items() for name in names.split(",")]


_IMAGE = _fields("id,id_Contact,Type,Name of file,Notes", number="Serial", date="date", timeStamp="NexusExportDate,modified",
                 container=",".join(stock.CONTAINERS))  # fmt: skip


def layouts() -> list[Layout]:
    """Five layouts. `Images_Fat` shows the same table with a text of 46 KB and with two container fields that only look like data."""
    fat = [
        Field("preview_base64"),
        Field("g_Logo", "container", is_global=True),
        Field("c_Preview", "container", "calculation"),
    ]
    patient = _fields(
        "id,First name,Last name,id_Clinic,E-mail,Phone",
        date="Date of birth",
        timeStamp="modified",
        container="portrait",
    )
    document = _fields(
        "id,id_Contact,Category,Name of file,Description",
        date="date",
        timeStamp="NexusExportDate,modified",
        container="file",
    )
    return [
        Layout("API_Images", "Images", list(_IMAGE)),
        Layout("Images_Fat", "Images", [*_IMAGE, *fat]),
        Layout("API_Documents", "Documents", document),
        Layout("API_Patients", "Patients", patient, {PHONES: _fields("Phones::id,Phones::Kind,Phones::Number")}),
        Layout("API_Clinics", "Clinics", _fields("id,Name,City", timeStamp="modified")),
    ]


@lru_cache(maxsize=2)
def fat_values(seed: int) -> dict[str, Any]:
    """Values that all records share: the fat text is a real picture, filled up by a comment segment to 46,000 characters."""
    plates = stock.load_family(seed, "jpeg", 0).smaller
    data = b"".join(Print(plates["image_medium"], "0" * 36).chunks())
    room = FAT // 4 * 3 - len(data) - 4
    data = data[:2] + b"\xff\xfe" + (room + 2).to_bytes(2, "big") + b" " * room + data[2:]
    picture = ContainerValue(Print(plates["image_small"], "0" * 36), "preview.jpg", "image/jpeg")
    return {"preview_base64": base64.b64encode(data).decode("ascii"), "g_Logo": picture, "c_Preview": picture}


def clinic_records(seed: int) -> list[Record]:
    city = ("Northport", "Westhaven", "Millbrook")
    return [
        Record(
            str(number + 1),
            "2",
            {
                "id": make_id(seed, "clinic", number),
                "Name": name,
                "City": city[number],
                "modified": "01/04/2016 08:00:00",
            },
        )
        for number, name in enumerate(words.CLINICS)
    ]


def patient_records(patients: int, seed: int) -> list[Record]:
    """Nobody's names; every third patient has a portrait, and some fields are as badly typed as anywhere."""
    rng = Random(f"{seed}:patients")
    records, record_id = [], 0
    for number in range(patients):
        record_id += rng.choice((1, 1, 1, 2))
        first, last = rng.choice(words.FIRST), rng.choice(words.LAST)
        born = date(1935, 1, 1) + timedelta(rng.randrange(28_000))
        identity = make_id(seed, "patient", number)
        plate = rng.choice(stock.portraits(seed)) if number % 3 == 0 else None
        photo = (
            ContainerValue(Print(plate, make_id(seed, "portrait", number)), f"{last}.jpg", "image/jpeg")
            if plate
            else ""
        )
        values = {
            "id": identity,
            "First name": first,
            "Last name": last,
            "Date of birth": us(born) if rng.random() > 0.01 else "",
            "id_Clinic": make_id(seed, "clinic", number % len(words.CLINICS)),
            "E-mail": f"{first}.{last}.{number}@patients.example".lower() if rng.random() < 0.6 else "",
            "Phone": f"555 01{rng.randrange(100):02d}" if rng.random() < 0.7 else "",
            "modified": f"{us(date(2016, 1, 4) + timedelta(rng.randrange(3_600)))} 12:00:00",
            "portrait": photo,
        }
        records.append(Record(str(record_id), str(rng.randint(1, 6)), values))
    _add_phones(records, seed)
    return records


def _add_phones(patients: list[Record], seed: int) -> None:
    """Up to three phones each, as rows of a portal; from a deck of their own, so that nothing else is dealt anew."""
    rng = Random(f"{seed}:phones")
    number = 0
    for patient in patients:
        rows = []
        for kind in rng.sample(("mobile", "home", "work"), rng.choice((0, 1, 1, 2, 3))):
            number += 1
            rows.append(
                {
                    "recordId": str(number),
                    "modId": "1",
                    "Phones::id": make_id(seed, "phone", number),
                    "Phones::Kind": kind,
                    "Phones::Number": f"555 01{rng.randrange(100):02d}",
                }
            )
        patient.portals[PHONES] = rows
