"""Hosts with containers in every place where they hide."""

from __future__ import annotations

from pathlib import Path

from fmsim import Account, BytesBlob, ContainerValue, DataSet, Field, Layout, Record, Simulator

PASSWORD = "anchor-9-quay"
PICTURE = ContainerValue(BytesBlob(b"\xff\xd8\xff a picture"), "a.jpg", "image/jpeg")
PATH = ContainerValue(reference="file:/Volumes/photos/a.jpg")


def box(name: str, **more: object) -> Field:
    return Field(name, "container", **more)  # type: ignore[arg-type]


def estate(records: int = 60, *, fat: int = 0, version: str = "21.1.1.41") -> DataSet:
    """Plates on a lean and a fat layout, with every third record without a photo; people; letters in a portal only.

    `photo` is on both layouts, `scan` (2 repetitions) on the fat one alone; there are a global and a calculation.
    """
    letters = [box("Letters::paper")]
    layouts = [
        Layout("Lean", "Plates", [Field("id"), box("photo")]),
        Layout(
            "Fat",
            "Plates",
            [Field("id"), Field("text"), box("photo"), box("scan", max_repeat=2), box("logo", is_global=True),
             box("preview", type="calculation"), box("Owners::face")],
            {"Letters": letters},
            folder="old",
        ),
        Layout("People", "People", [Field("id"), box("portrait"), box("signature")]),
        Layout("Plain", "Notes", [Field("id")]),
    ]  # fmt: skip
    plates = [
        Record(
            str(n),
            "1",
            {
                "id": f"P-{n}",
                "text": "x" * fat,
                "photo": "" if n % 3 == 0 else PATH if n % 10 == 0 else PICTURE,
                "scan(1)": PICTURE if n % 2 else "",
                "scan(2)": PICTURE if n == 7 else "",
                "logo": PICTURE,
                "preview": PICTURE,
                "Owners::face": PICTURE if n % 5 == 0 else "",
            },
            {"Letters": [{"recordId": str(1000 + n), "Letters::paper": PICTURE if n % 2 else ""}]},
        )
        for n in range(1, records + 1)
    ]
    people = [Record(str(n), "1", {"id": str(n), "portrait": PICTURE if n < 5 else "", "signature": ""}) for n in range(1, 13)]  # fmt: skip
    return DataSet(
        "Plates",
        [Account("reader", PASSWORD)],
        layouts,
        {"Plates": plates, "People": people, "Notes": []},
        product_version=version,
    )


def environ(host: Simulator, folder: Path, **more: str) -> dict[str, str]:
    """Settings that lead to `host`, and to folders of this test."""
    return {
        "FILEMAKER_URL": host.url,
        "FILEMAKER_DATABASE": host.database,
        "FILEMAKER_ACCOUNT": "reader",
        "FILEMAKER_PASSWORD": PASSWORD,
        "UNLADE_STORE": (folder / "store").as_uri(),
        "UNLADE_SPOOL": str(folder / "spool"),
        "UNLADE_PACE": "off",
        **more,
    }
