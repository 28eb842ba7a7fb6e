"""What decoders say of real files: upright, in true colours, and damaged only when they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from tests.media import samples
from tests.media.samples import BLUE, GREEN, RED, WHITE, corners, decoded, encoded, near, noise, picture_of, put

MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
    "JPEG2000": "image/jp2",
    "ICO": "image/vnd.microsoft.icon",
}


@pytest.mark.parametrize("form", [form for form in MIME if form != "ICO"])
def test_every_format_gives_size_and_thumbnail(tmp_path: Path, form: str) -> None:
    found = decoded(put(tmp_path, encoded(corners((640, 480)), form)), MIME[form])
    assert (found.width, found.height, found.damage, found.failed) == (640, 480, None, None)
    image = picture_of(found)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (300, 225))
    for colour, at in ((RED, (40, 40)), (GREEN, (260, 40)), (BLUE, (40, 190)), (WHITE, (260, 190))):
        assert near(image.getpixel(at), colour), (form, at)
    assert found.thumbnail is not None
    assert (found.thumbnail.extension, found.thumbnail.mime_type) == (".jpg", "image/jpeg")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP", "PNG", "HEIF", "AVIF"])
def test_the_thumbnail_is_upright(tmp_path: Path, form: str, orientation: int) -> None:
    """The corners are laid so that the picture as displayed always shows red, green, blue, white."""
    undo: dict[int, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    shown = corners((960, 640))
    laid = shown.transpose(undo[orientation]) if orientation > 1 else shown
    found = decoded(put(tmp_path, encoded(laid, form, exif=samples.exif(orientation))), MIME[form], box=(300, 150))
    assert (found.width, found.height) == (960, 640)
    assert (found.orientation or 1) == orientation  # AVIF has no way to say "as it is"
    image = picture_of(found)
    assert image.size == (225, 150)
    for colour, at in ((RED, (40, 30)), (GREEN, (190, 30)), (BLUE, (40, 120)), (WHITE, (190, 120))):
        assert near(image.getpixel(at), colour, 30), (at, image.getpixel(at))


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("2016:10:18 14:03:09", datetime(2016, 10, 18, 14, 3, 9)),  # noqa: DTZ001
        ("2016-10-18 14:03:09\0", datetime(2016, 10, 18, 14, 3, 9)),  # noqa: DTZ001
        ("2016:10:18", datetime(2016, 10, 18)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", None),
        ("2016:13:45 99:99:99", None),
        ("    :  :     :  :  ", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_date_taken(tmp_path: Path, value: str, taken: datetime | None) -> None:
    data = encoded(corners((64, 48)), "JPEG", exif=samples.exif(taken=value))
    assert decoded(put(tmp_path, data), "image/jpeg").taken_naive == taken


def test_date_taken_from_heic(tmp_path: Path) -> None:
    data = encoded(corners((64, 48)), "HEIF", exif=samples.exif(6, "2016:10:18 14:03:09"))
    assert decoded(put(tmp_path, data), "image/heic").taken == "2016-10-18T14:03:09"


def test_garbage_in_exif_costs_nothing_but_the_exif(tmp_path: Path) -> None:
    for junk in (
        b"Exif\0\0" + b"\xff" * 60,
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 9,
        b"Exif\0\0",
    ):
        found = decoded(put(tmp_path, encoded(corners(), "JPEG", exif=junk)), "image/jpeg")
        assert found.thumbnail is not None
        assert (found.orientation, found.taken, found.damage) == (None, None, None)


def test_an_orientation_that_does_not_exist_is_ignored(tmp_path: Path) -> None:
    found = decoded(put(tmp_path, encoded(corners(), "JPEG", exif=samples.exif(77))), "image/jpeg")
    assert found.orientation is None
    assert near(picture_of(found).getpixel((40, 40)), RED)


# --- colours -------------------------------------------------------------------------------------------------------


def test_an_embedded_profile_is_applied(tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (640, 480), (230, 10, 10)), "JPEG", icc_profile=samples.swapped_profile())
    pixel = picture_of(decoded(put(tmp_path, data), "image/jpeg")).getpixel((100, 100))
    assert near(pixel, (10, 230, 10), 60), pixel


def test_srgb_profile_and_broken_profile_change_nothing(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile at all", srgb[:200]):
        data = encoded(Image.new("RGB", (640, 480), (200, 60, 20)), "JPEG", icc_profile=profile)
        assert near(picture_of(decoded(put(tmp_path, data), "image/jpeg")).getpixel((9, 9)), (200, 60, 20), 4)


def test_alpha_with_a_profile_keeps_both(tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 400), (230, 10, 10, 255))
    image.paste((0, 0, 0, 0), (0, 0, 200, 400))
    found = decoded(put(tmp_path, encoded(image, "PNG", icc_profile=samples.swapped_profile())), "image/png")
    shown = picture_of(found)
    left, right = shown.getpixel((20, 150)), shown.getpixel((280, 150))
    assert isinstance(left, tuple) and isinstance(right, tuple)
    assert left[3] == 0 and right[3] == 255 and right[1] > 150 > right[0]


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk(tmp_path: Path, form: str) -> None:
    image = Image.new("CMYK", (640, 480), (0, 255, 255, 0))
    found = decoded(put(tmp_path, encoded(image, form)), MIME[form])
    assert near(picture_of(found).getpixel((10, 10)), (254, 0, 0), 30)


def test_transparency_is_kept_as_png_only_when_there_is_any(tmp_path: Path) -> None:
    opaque = corners().convert("RGBA")
    assert picture_of(decoded(put(tmp_path, encoded(opaque, "PNG")), "image/png")).format == "JPEG"
    opaque.putpixel((3, 3), (0, 0, 0, 0))
    opaque.paste((0, 0, 0, 0), (0, 0, 100, 100))
    found = decoded(put(tmp_path, encoded(opaque, "PNG")), "image/png")
    shown = picture_of(found)
    assert (shown.format, shown.mode) == ("PNG", "RGBA")
    assert found.thumbnail is not None and found.thumbnail.extension == ".png"
    pixel = shown.getpixel((10, 10))
    assert isinstance(pixel, tuple) and pixel[3] == 0


def test_a_transparent_palette(tmp_path: Path) -> None:
    image = Image.new("P", (400, 400), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (200, 0, 400, 400))
    shown = picture_of(decoded(put(tmp_path, encoded(image, "GIF", transparency=0)), "image/gif"))
    left, right = shown.getpixel((20, 150)), shown.getpixel((280, 150))
    assert isinstance(left, tuple) and isinstance(right, tuple)
    assert left[3] == 0 and right == (0, 0, 255, 255)


@pytest.mark.parametrize(("white", "grey", "shown"), [(0xFFFF, 0x8000, 128), (0xFFF, 0x800, 128), (255, 128, 128)])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits(tmp_path: Path, form: str, white: int, grey: int, shown: int) -> None:
    image = Image.new("I;16", (640, 480), grey)
    image.paste(Image.new("I;16", (320, 480), white), (320, 0))
    found = decoded(put(tmp_path, encoded(image, form)), MIME[form])
    thumb = picture_of(found)
    left, right = thumb.getpixel((40, 100)), thumb.getpixel((260, 100))
    assert isinstance(left, int) and isinstance(right, int)
    assert abs(left - shown) <= 3 and right >= 252


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBX", "F", "I", "LAB"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    source = corners() if mode != "LAB" else ImageCms.profileToProfile(
        corners(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )  # fmt: skip
    assert source is not None
    found = decoded(put(tmp_path, encoded(source.convert(mode) if mode != "LAB" else source, "TIFF")), "image/tiff")
    shown = picture_of(found)
    assert shown.size == (300, 225)
    assert shown.convert("L").getpixel((260, 190)) > shown.convert("L").getpixel((40, 190)) + 50  # type: ignore[operator]


def test_nothing_of_the_original_s_metadata_is_left(tmp_path: Path) -> None:
    secret = b"PATIENT-4711"
    jpeg = encoded(
        corners(),
        "JPEG",
        exif=samples.exif(6, secret),
        comment=secret,
        icc_profile=samples.swapped_profile(),
        dpi=(72, 72),
        xmp=secret,
    )
    found = decoded(put(tmp_path, jpeg), "image/jpeg")
    assert found.thumbnail is not None and secret in jpeg
    assert secret not in found.thumbnail.data
    assert {"exif", "comment", "icc_profile", "xmp", "dpi"}.isdisjoint(picture_of(found).info)
    image = corners().convert("RGBA")
    image.putalpha(90)
    png = encoded(image, "PNG", exif=samples.exif(1, secret), icc_profile=samples.swapped_profile(), dpi=(72, 72))
    assert set(picture_of(decoded(put(tmp_path, png), "image/png")).info) == set()


def test_a_small_picture_is_not_blown_up(tmp_path: Path) -> None:
    assert picture_of(decoded(put(tmp_path, encoded(corners((64, 48)), "JPEG")), "image/jpeg")).size == (64, 48)
    assert picture_of(decoded(put(tmp_path, encoded(Image.new("RGB", (1, 1)), "PNG")), "image/png")).size == (1, 1)
    assert picture_of(decoded(put(tmp_path, encoded(noise((5000, 2)), "PNG")), "image/png")).size == (300, 1)


def test_the_first_frame_stands_for_a_moving_picture(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (400, 300), colour) for colour in (RED, BLUE, GREEN)]
    for form in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        found = decoded(put(tmp_path, data), MIME[form])
        assert near(picture_of(found).convert("RGB").getpixel((9, 9)), RED), form
        assert found.pages is None


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    data = encoded(corners(), "TIFF", save_all=True, append_images=[noise(), noise()])
    found = decoded(put(tmp_path, data), "image/tiff")
    assert (found.pages, found.width) == (3, 640)
    assert near(picture_of(found).getpixel((40, 40)), RED)


# --- damage --------------------------------------------------------------------------------------------------------

CUTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "baseline jpeg": ("image/jpeg", lambda: encoded(noise(), "JPEG")),
    "large jpeg": ("image/jpeg", lambda: encoded(noise((2000, 1600)), "JPEG", quality=60)),
    "progressive jpeg": ("image/jpeg", lambda: encoded(noise(), "JPEG", progressive=True)),
    "jpeg with restarts": ("image/jpeg", lambda: encoded(noise(), "JPEG", restart_marker_rows=2)),
    "png": ("image/png", lambda: encoded(noise(), "PNG")),
    "gif": ("image/gif", lambda: encoded(noise(), "GIF")),
    "tiff": ("image/tiff", lambda: encoded(noise(), "TIFF")),
    "lzw tiff": ("image/tiff", lambda: encoded(noise(), "TIFF", compression="tiff_lzw")),
    "pages of a tiff": ("image/tiff", lambda: encoded(noise((64, 48)), "TIFF", save_all=True, append_images=[noise()])),
    "bmp": ("image/bmp", lambda: encoded(noise(), "BMP")),
    "webp": ("image/webp", lambda: encoded(noise(), "WEBP")),
    "heic": ("image/heic", lambda: encoded(noise((320, 240)), "HEIF")),
    "avif": ("image/avif", lambda: encoded(noise((160, 120)), "AVIF")),
    "jp2": ("image/jp2", lambda: encoded(noise((160, 120)), "JPEG2000")),
    "pdf": ("application/pdf", lambda: samples.pdf(3)),
}


@cache
def whole(kind: str) -> tuple[str, bytes]:
    mime, make = CUTS[kind]
    return mime, make()


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path, kind: str, share: float) -> None:
    mime, data = whole(kind)
    found = decoded(put(tmp_path, data[: int(len(data) * share)]), mime)
    assert found.damage and found.failed is None, found
    assert found.thumbnail is None
    assert "cut off" in found.damage or "broken" in found.damage


@pytest.mark.parametrize("kind", CUTS)
def test_a_whole_file_with_junk_behind_it_is_not_damaged(tmp_path: Path, kind: str) -> None:
    mime, data = whole(kind)
    for junk in (b"", b"\0" * 3000, b"\r\n"):
        found = decoded(put(tmp_path, data + junk), mime)
        assert (found.damage, found.failed) == (None, None), (len(junk), found)
        assert found.thumbnail is not None


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("size", [(641, 479), (2001, 1503), (50, 40)])
def test_a_jpeg_without_its_end_marker_alone_is_whole(tmp_path: Path, size: tuple[int, int], quality: int) -> None:
    data = encoded(noise(size), "JPEG", quality=quality, subsampling=0)
    for lost in (1, 2):
        found = decoded(put(tmp_path, data[:-lost]), "image/jpeg")
        assert (found.damage, found.failed) == (None, None)
        assert found.thumbnail is not None
        assert (found.width, found.height) == size


def test_a_jpeg_whose_rest_is_zeros_is_damaged(tmp_path: Path) -> None:
    data = encoded(noise((1200, 900)), "JPEG")
    padded = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    found = decoded(put(tmp_path, padded), "image/jpeg")
    assert found.damage == "the picture is cut off and padded"


def test_flipped_bytes_that_a_checksum_shows(tmp_path: Path) -> None:
    data = bytearray(encoded(noise(), "PNG"))
    data[len(data) // 2] ^= 0x40
    assert decoded(put(tmp_path, bytes(data)), "image/png").damage


def test_damage_is_found_without_a_thumbnail_unless_no_check_is_wanted(tmp_path: Path) -> None:
    data = encoded(noise((1200, 900)), "JPEG")
    path = put(tmp_path, data[: len(data) // 2])
    assert decoded(path, "image/jpeg", want_thumbnail=False).damage
    quick = decoded(path, "image/jpeg", want_thumbnail=False, check=False)
    assert (quick.width, quick.height, quick.damage, quick.thumbnail) == (1200, 900, None, None)


def test_a_jpeg_of_a_rare_kind_is_not_called_damaged(tmp_path: Path) -> None:
    data = encoded(corners(), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1)
    found = decoded(put(tmp_path, data), "image/jpeg")
    assert (found.damage, found.failed) == (None, "a JPEG of a kind that cannot be decoded here (lossless)")


def test_variants_that_no_reader_knows_are_not_damage(tmp_path: Path) -> None:
    tiff = encoded(corners((64, 48)), "TIFF").replace(
        b"\x03\x01\x03\x00\x01\x00\x00\x00\x01\x00", b"\x03\x01\x03\x00\x01\x00\x00\x00\x99\x99"
    )
    psd = b"8BPS\0\1" + bytes(6) + b"\0\x09\0\0\0\1\0\0\0\1\0\x20\0\x09" + bytes(40)
    for data, mime in ((tiff, "image/tiff"), (psd, "image/vnd.adobe.photoshop")):
        found = decoded(put(tmp_path, data), mime)
        assert found.damage is None and found.failed, (mime, found)


# --- limits --------------------------------------------------------------------------------------------------------


def test_too_many_pixels_cost_the_thumbnail_only(tmp_path: Path) -> None:
    path = put(tmp_path, encoded(Image.new("1", (3000, 3000)), "PNG"))
    found = decoded(path, "image/png", pixel_limit=8_999_999)
    assert (found.width, found.damage, found.thumbnail) == (3000, None, None)
    assert found.failed == "9000000 pixels are more than the limit of 8999999"
    assert decoded(path, "image/png", pixel_limit=9_000_000).thumbnail is not None


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    header[16:24] = (60000).to_bytes(4) + (60000).to_bytes(4)
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4)
    found = decoded(put(tmp_path, bytes(header)), "image/png")
    assert found.failed and "3600000000 pixels" in found.failed and found.damage is None


def test_what_would_not_fit_the_memory_is_refused_beforehand(tmp_path: Path) -> None:
    path = put(tmp_path, encoded(Image.new("RGB", (2000, 2000)), "JPEG", progressive=True))
    found = decoded(path, "image/jpeg", memory_limit=20_000_000)
    assert found.failed and "MiB" in found.failed and found.damage is None


# --- PDF -----------------------------------------------------------------------------------------------------------


def test_pdf_pages_and_first_page(tmp_path: Path) -> None:
    found = decoded(put(tmp_path, samples.pdf(3)), "application/pdf")
    assert (found.pages, found.width, found.damage, found.failed) == (3, None, None, None)
    image = picture_of(found)
    assert image.size == (300, 150)
    assert near(image.getpixel((150, 75)), (254, 0, 0))


def test_pdf_behind_junk(tmp_path: Path) -> None:
    assert decoded(put(tmp_path, b"\r\n" * 300 + samples.pdf()), "application/pdf").pages == 1


def test_a_page_of_absurd_size(tmp_path: Path) -> None:
    found = decoded(put(tmp_path, samples.pdf(size=(14000, 20))), "application/pdf")
    assert found.pages == 1 and found.damage is None
    assert picture_of(found).width == 300


def test_pdf_that_states_more_bytes_than_it_has(tmp_path: Path) -> None:
    data = samples.pdf().replace(b"1 0 obj\n<<", b"1 0 obj\n<< /Linearized 1 /L 99999 ", 1)
    found = decoded(put(tmp_path, data), "application/pdf")
    assert found.damage and "99999" in found.damage


def test_pdf_without_a_thumbnail(tmp_path: Path) -> None:
    found = decoded(put(tmp_path, samples.pdf(2)), "application/pdf", want_thumbnail=False)
    assert (found.pages, found.thumbnail) == (2, None)


def test_a_thumbnail_is_small(tmp_path: Path) -> None:
    found = decoded(put(tmp_path, encoded(noise((1200, 900)), "JPEG", quality=95)), "image/jpeg")
    assert found.thumbnail is not None and len(found.thumbnail.data) < 80_000
    assert Image.open(io.BytesIO(found.thumbnail.data)).info.get("progressive")
