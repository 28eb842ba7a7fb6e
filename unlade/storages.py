"""Files that Django's own storages serve: `FileField` and `ImageField` of the project, on `STORAGES` of its settings.

unlade writes objects through `UNLADE_STORE`; the field only gets the object's name. `FieldFile.save()`, which would
copy the bytes a second time and add a random suffix where a name is taken, is never called. For that `UNLADE_STORE`
must be the very place of the storage, or lie above or below it:

    MEDIA_ROOT = "/srv/media"                    UNLADE_STORE = "file:///srv/media"
    S3Storage bucket "b", location "media"       UNLADE_STORE = "s3://b/media"

`point_at(row, "file", item.key)` sets the field in a `record` hook; `unlade.ModelImport` does it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.core.files.storage import FileSystemStorage, Storage
from django.db.models import FileField, Model

from unlade.errors import SettingsError
from unlade.rigging import load_settings
from unlade.store.opening import local_path


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a store: scheme, bucket ("" for a disk), and the parts of its path."""

    scheme: str
    bucket: str
    parts: tuple[str, ...]

    @property
    def url(self) -> str:
        """As `UNLADE_STORE` is written."""
        path = "/".join(quote(part) if self.scheme == "file" else part for part in self.parts)
        return f"file:///{path}" if self.scheme == "file" else f"{self.scheme}://{self.bucket}/{path}".rstrip("/")


def place_of_url(url: str) -> Place:
    """The place that a store's URL means; a folder is taken with its links followed."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # one letter: a drive of Windows
        return _on_disk(local_path(url))
    return Place(parts.scheme, parts.netloc, _split(parts.path))


def place_of(storage: Storage) -> Place | None:
    """Where a storage of Django's keeps its files: a folder, or django-storages' S3, Google or Azure; else None."""
    if isinstance(storage, FileSystemStorage):
        return _on_disk(Path(storage.location))
    location = _split(str(getattr(storage, "location", "") or ""))
    # Not `type`: `default_storage` is a proxy.
    kinds = {base.__module__.removeprefix("storages.backends.") for base in storage.__class__.__mro__}
    bucket = getattr(storage, "bucket_name", None)
    if bucket and kinds & {"s3", "s3boto3"}:
        return Place("s3", str(bucket), location)
    if bucket and "gcloud" in kinds:
        return Place("gs", str(bucket), location)
    container = getattr(storage, "azure_container", None)
    if container and "azure_storage" in kinds:
        return Place("az", str(container), location)
    return None


def store_url_of(storage: Storage) -> str:
    """The `UNLADE_STORE` that writes where `storage` reads. Raises `SettingsError` for a storage that is not known."""
    return _known_place(storage).url


def _known_place(storage: Storage) -> Place:
    place = place_of(storage)
    if place is None:
        raise SettingsError(
            f"Where a {storage.__class__.__name__} keeps its files is not known here",
            remedy="Use a storage of a folder or of S3, or set the field's name in a `record` of your own.",
        )
    return place


def name_in(storage: Storage, key: str, store_url: str = "") -> str:
    """The name under which `storage` knows the store's object `key`. `store_url` is UNLADE_STORE unless it is given.

    Raises `SettingsError` when the storage would not find it there.
    """
    here, there = _both(storage, store_url)
    path = (*here.parts, *key.split("/"))
    if path[: len(there.parts)] != there.parts:
        raise _apart(here, there)
    return "/".join(path[len(there.parts) :])


def key_in(storage: Storage, name: str, store_url: str = "") -> str:
    """The store's key of the object that `storage` knows as `name`, the way back from `name_in`; "" when it is outside.

    Raises `SettingsError` as `name_in` does.
    """
    here, there = _both(storage, store_url)
    path = (*there.parts, *name.split("/"))
    inside = path[: len(here.parts)] == here.parts
    return "/".join(path[len(here.parts) :]) if inside and name else ""


def _both(storage: Storage, store_url: str) -> tuple[Place, Place]:
    here = place_of_url(store_url or load_settings().need("UNLADE_STORE"))
    there = _known_place(storage)
    if (here.scheme, here.bucket) != (there.scheme, there.bucket):
        raise _apart(here, there)
    return here, there


def _apart(here: Place, there: Place) -> SettingsError:
    return SettingsError(
        f"The storage of the file reads from {there.url}, but UNLADE_STORE writes to {here.url}",
        remedy=f"Set UNLADE_STORE to {there.url}, or give the field a storage that reads there.",
    )


def point_at(row: Model, field: str, key: str, *, store_url: str = "") -> None:
    """Let a file field of `row` name the stored object `key` ("" for none). Opens, copies and saves nothing.

    Raises `SettingsError` as `name_in` does, `FieldDoesNotExist` for a name that is no field, `TypeError` for a field
    that is no file field.
    """
    column = row._meta.get_field(field)
    if not isinstance(column, FileField):
        raise TypeError(f"{row._meta.label}.{field} is no file field")
    # Past the descriptor: an ImageField would open the file to measure it.
    row.__dict__[column.attname] = name_in(column.storage, key, store_url) if key else ""


def _on_disk(path: Path) -> Place:
    return Place("file", "", _split(path.resolve().as_posix()))


def _split(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


__all__ = ["Place", "key_in", "name_in", "place_of", "place_of_url", "point_at", "store_url_of"]
