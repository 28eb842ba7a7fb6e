"""Real bytes of every kind, made on the spot."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageCms

from unlade.cargo import Parcel
from unlade.media import digest_file
from unlade.media.decode import decode
from unlade.media.messages import Decoded, Job

pillow_heif.register_heif_opener()

#: What each corner of `corners()` shows: top left, top right, bottom left, bottom right.
RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 200, 20), (20, 20, 220), (250, 250, 250)


def corners(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture whose four quarters have colours of their own."""
    image = Image.new("RGB", size)
    half = (size[0] // 2, size[1] // 2)
    for colour, at in ((RED, (0, 0)), (GREEN, (half[0], 0)), (BLUE, (0, half[1])), (WHITE, half)):
        image.paste(Image.new("RGB", (size[0] - half[0], size[1] - half[1]), colour), at)
    return image


def noise(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture that compresses badly, so that every part of the file matters."""
    return Image.merge("RGB", [Image.effect_noise(size, 60 + 10 * n) for n in range(3)])


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def exif(orientation: int | None = None, taken: str | bytes | None = None) -> bytes:
    data = Image.Exif()
    if orientation is not None:
        data[0x0112] = orientation
    if taken is not None:
        data.get_ifd(0x8769)[0x9003] = taken
    return data.tobytes()


def pdf(pages: int = 1, *, colour: str = "1 0 0", size: tuple[int, int] = (400, 200), extra: bytes = b"") -> bytes:
    """A PDF whose pages are filled with one colour, with a true cross-reference table."""
    kids = " ".join(f"{4 + n * 2} 0 R" for n in range(pages))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {extra.decode()} >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
        "<< >>",
    ]
    for n in range(pages):
        stream = f"{colour} rg 0 0 {size[0]} {size[1]} re f"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents {5 + n * 2} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return body + f"{trailer}startxref\n{len(body)}\n%%EOF\n".encode()


def zipped(*names: str, mimetype: str = "", comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name in names:
            archive.writestr(name, name * 50)
        archive.comment = comment
    return buffer.getvalue()


def ole(stream: str) -> bytes:
    """A compound file of one directory sector with a root and one stream ([MS-CFB] 2.2, 2.6)."""
    head = bytearray(512)
    head[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    head[30:32], head[48:52] = (9).to_bytes(2, "little"), (1).to_bytes(4, "little")
    directory = bytearray(512)
    for slot, name in enumerate(("Root Entry", stream)):
        raw = (name + "\0").encode("utf-16-le")
        directory[slot * 128 : slot * 128 + len(raw)] = raw
        directory[slot * 128 + 64 : slot * 128 + 66] = len(raw).to_bytes(2, "little")
    return bytes(head) + bytes(512) + bytes(directory)


def swapped_profile() -> bytes:
    """An RGB profile that is sRGB with the red and green primaries exchanged: unmistakable once it is applied."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132])
    tags = {bytes(data[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    return bytes(data).replace("sRGB".encode("utf-16-be"), "xyzw".encode("utf-16-be"))


def put(folder: Path, data: bytes, name: str = "file.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def parcel(path: Path, *, name: str | None = None, content_type: str | None = None) -> Parcel:
    digest = digest_file(path)
    return Parcel(path, "photo", digest.size, digest.sha256, digest.md5, name=name, content_type=content_type)


def decoded(path: Path, mime_type: str, **changes: Any) -> Decoded:
    """Decode in this process, with limits that ordinary files keep."""
    settings: dict[str, Any] = {
        "box": (300, 300),
        "want_thumbnail": True,
        "check": True,
        "pixel_limit": 200_000_000,
        "memory_limit": 1_500_000_000,
        "time_limit": 60.0,
    }
    return decode(Job(path=str(path), mime_type=mime_type, **{**settings, **changes}))


def picture_of(found: Decoded) -> Image.Image:
    assert found.thumbnail is not None, found
    return Image.open(io.BytesIO(found.thumbnail.data))


def near(pixel: object, colour: tuple[int, ...], by: int = 25) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= by for a, b in zip(pixel, colour, strict=True))
