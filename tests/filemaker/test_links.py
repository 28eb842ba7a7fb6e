"""What a container value is, and what of a link may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlade.cargo import RefStatus
from unlade.errors import Unreadable
from unlade.filemaker.links import Link, classify, follow, looks_like_link, parse_link

PATH = "/Streaming_SSL/MainDB/0A1B.jpg?RCType=EmbeddedRCFileProcessor"


@pytest.mark.parametrize(
    "link",
    [
        f"https://fm.example.com{PATH}",
        f"http://fm.example.com{PATH}",
        f"https://fm.example.com:443{PATH}",
        PATH,
        f"//fm.example.com{PATH}",
        f"https://{PATH}",
        f"https:{PATH}",
        f"https://fm.example.com:443:443{PATH}",
        f"  https://fm.example.com{PATH}  ",
        f"HTTPS://x{PATH}#top",
    ],
)
def test_links_however_mangled_their_host(link: str) -> None:
    ref = classify("photo", link)
    assert (ref.status, ref.field) == (RefStatus.FILE, "photo")
    assert parse_link(ref.locator).target == PATH


@pytest.mark.parametrize(
    "path",
    ["/Streaming/MainDB/X", "/Streaming_SSL/Additional_1/X.pdf?RCType=RCFileProcessor&a=%2F+b", "/streaming_ssl/x"],
)
def test_path_and_query_stay_verbatim(path: str) -> None:
    assert parse_link(f"https://h{path}") == Link(path, "h")


def test_what_http_cannot_carry_is_encoded() -> None:
    assert (
        parse_link("https://h/Streaming_SSL/MainDB/ä b.jpg?x=»").target
        == "/Streaming_SSL/MainDB/%C3%A4%20b.jpg?x=%C2%BB"
    )


@pytest.mark.parametrize("value", ["", "   ", "\r", None])
def test_empty(value: object) -> None:
    assert classify("photo", value).status is RefStatus.EMPTY


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("file:20180125_151216.gpx\rfilewin:/C:/Users/x/20180125_151216.gpx", "20180125_151216.gpx"),
        ("filemac:/Disk/a/b.pdf", "b.pdf"),
        ("size:640,480\rimage:../x/c.jpg\rimagewin:/C:/x/c.jpg", "c.jpg"),
        ("movie:clip.mov", "clip.mov"),
        ("filelinux:/x/d", "d"),
        ("imagemac:/Disk/", None),
    ],
)
def test_references(value: str, name: str | None) -> None:
    ref = classify("photo", value)
    assert (ref.status, ref.name, ref.locator) == (RefStatus.REFERENCE, name, "")


@pytest.mark.parametrize(
    "value",
    [
        "?",
        "hello",
        "IMG_1.jpg",
        "https://h/fmi/data/vLatest/databases/x/layouts/y/script/z",
        "https://h/Streaming_SSL/../fmi/data",
        "https://h/Streaming_SSL/%2e%2E/fmi",
        "ftp://h/Streaming_SSL/x",
        "javascript:/Streaming_SSL/x",
        "https://h/other/Streaming_SSL/x",
        "https://h/Streaming_SSLx/y",
        17,
        f"https://h{PATH}\r\nX: y",
    ],
)
def test_everything_else_is_unreadable(value: object) -> None:
    assert classify("photo", value).status is RefStatus.UNREADABLE
    assert not looks_like_link(value)
    with pytest.raises(Unreadable):
        parse_link(str(value))


@given(st.text())
def test_no_text_leads_out_of_the_streaming_folders(text: str) -> None:
    for value in (text, "https://" + text, "/Streaming_SSL/" + text, "https://h/Streaming_SSL/" + text):
        if classify("photo", value).status is RefStatus.FILE:
            target = parse_link(value).target
            assert target.lower().startswith(("/streaming_ssl/", "/streaming/")) and ".." not in target.partition("?")[
                0
            ].split("/")
            assert target.isascii() and target.isprintable() and " " not in target


@given(st.text())
def test_no_redirect_leads_out_either(text: str) -> None:
    link = Link(PATH, "fm.example.com")
    for location in (
        text,
        "//" + text,
        "https://" + text,
        "https://fm.example.com" + text,
        "https://fm.example.com/Streaming_SSL/" + text,
    ):
        after = follow(location, link, "10.0.0.1", 443)
        if after is not None:
            assert after.target.lower().startswith(("/streaming_ssl/", "/streaming/"))
            assert after.target.isascii() and after.target.isprintable() and " " not in after.target


def test_a_redirect_may_name_either_of_the_host_s_names() -> None:
    link = Link(PATH, "fm.example.com")
    for host in ("fm.example.com", "FM.example.com:443", "10.0.0.1", "10.0.0.1:8443"):
        assert follow(f"https://{host}{PATH}&Redirect", link, "10.0.0.1", 8443) == Link(
            PATH + "&Redirect", "fm.example.com"
        )
    for host in ("other.example.com", "fm.example.com:99", "user@other.example.com"):
        assert follow(f"https://{host}{PATH}", link, "10.0.0.1", 8443) is None
    assert follow("Y.jpg?z", link, "10.0.0.1", 443) == Link("/Streaming_SSL/MainDB/Y.jpg?z", "fm.example.com")
