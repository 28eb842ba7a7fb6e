"""The clinic's first import: every image of the layout API_Images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import connections, router

from clinic.images import batches
from clinic.images.counting import counted_at_once
from clinic.images.models import Image
from clinic.keys import write_keys
from clinic.texts import cut_name, storable
from unlade import bulk
from unlade.cargo import Content
from unlade.importer import Consignment, ContainerImport, DateField, LeftRow, Owner, RowFacts, Thumbnail
from unlade.owners import normalise_ref
from unlade.states import ItemState


class ImageImport(ContainerImport):
    """Images of patients; DESIGN 4."""

    name = "images"
    layout = "API_Images"
    identity = "id"
    containers = ("image_Full", "image_Ex_large", "image_large", "image_medium", "image_small")
    owner = Owner(field="id_Contact", model="patients.Patient", match="filemaker_id")
    taken_on = DateField("date")
    category = "Type"
    original_name = "Name of file"
    key = "patients/filemaker-import/images/{owner}/{date}/{identity}{ext}"
    thumbnail = Thumbnail(300, 300)
    marker = "NexusExportDate"
    noun = ("image", "images")
    group_noun = "patient days"

    def record(self, item: Consignment, content: Content) -> Image:
        """Write the image and its batch. The same identity again updates its row, and moves it where it belongs."""
        image = Image.objects.select_for_update().filter(filemaker_id=item.identity).first()
        left = image.batch_id if image else None
        batch = batches.batch_for(item.owner, normalise_ref(item.owner_ref), item.day, item.source, leaving=left)
        if image is None:
            image = Image(filemaker_id=item.identity, uploaded_by=item.uploaded_by, order=_order(item.record.record_id))
        image.batch = batch
        for name, value in self._columns(item, content).items():
            setattr(image, name, value)
        image.save()
        if left is not None and left != batch.pk:
            batches.clear_away([left])
        return image

    def record_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Image]:
        """Write thousands of images with a few queries; those that have a row already go one by one."""
        identities = [item.identity for item, _ in items]
        there = set(Image.objects.filter(filemaker_id__in=identities).values_list("filemaker_id", flat=True))
        fresh = [pair for pair in items if pair[0].identity not in there]
        places = {item.identity: _place(item) for item, _ in fresh}
        homes = batches.batches_for(places.values())
        made = Image.objects.bulk_create(
            Image(
                filemaker_id=item.identity,
                uploaded_by=item.uploaded_by,
                order=_order(item.record.record_id),
                batch=homes[places[item.identity]],
                **self._columns(item, content),
            )
            for item, content in fresh
        )
        rows = {image.filemaker_id: image for image in made}
        for item, content in items:
            if item.identity in there:
                rows[item.identity] = self.record(item, content)
        return [rows[identity] for identity in identities]

    def insert_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Any]:
        """Write thousands of images without an object for each; those that have a row already go one by one."""
        identities = [item.identity for item, _ in items]
        there = set(Image.objects.filter(filemaker_id__in=identities).values_list("filemaker_id", flat=True))
        fresh = [pair for pair in items if pair[0].identity not in there]
        homes = batches.keys_for([_place(item) for item, _ in fresh])
        values = [self._columns(item, content) for item, content in fresh]
        names = list(values[0]) if values else []
        columns = dict(zip(names, zip(*(value.values() for value in values), strict=True), strict=True))
        columns["filemaker_id"] = [item.identity for item, _ in fresh]
        columns["uploaded_by"] = [item.uploaded_by for item, _ in fresh]
        columns["order"] = [_order(item.record.record_id) for item, _ in fresh]
        columns["batch_id"] = homes
        with counted_at_once(connections[router.db_for_write(Image)], homes):
            keys = dict(zip(columns["filemaker_id"], bulk.insert(Image, columns), strict=True))
        keys |= {item.identity: self.record(item, content).pk for item, content in items if item.identity in there}
        return [keys[identity] for identity in identities]

    def _columns(self, item: Consignment, content: Content) -> dict[str, Any]:
        """What the source and the file say; caption, order and uploader of an image stay as they are."""
        metadata = {storable(name): storable(value) for name, value in item.metadata.items()}
        category = storable(item.category)
        limit = Image._meta.get_field("category").max_length or 0
        if len(category) > limit:
            metadata.setdefault(self.category, category)
        taken = content.taken_naive.date() if content.taken_naive else None
        return {
            "key": item.key,
            "thumbnail_key": item.thumbnail_key,
            "thumbnail_size": item.thumbnail_size,
            "original_name": cut_name(storable(item.original_name), 255),
            "file_size": content.size,
            "sha256": content.sha256,
            "mime_type": content.mime_type[:150],
            "width": content.width,
            "height": content.height,
            "category": category[:limit],
            "date_taken": item.day or taken,
            "quarantined": item.state == ItemState.QUARANTINED,
            "filemaker_metadata": metadata,
        }

    def link(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any]:
        """Repoint images to owners that arrived later; returns the keys of images that are no longer there."""
        return batches.link(pairs)

    def reassign(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any]:
        """Repoint just these images; the others of their batches stay where they are."""
        return batches.link(pairs, whole=False)

    def rekey(self, moves: Sequence[tuple[Any, str, str]]) -> Collection[Any]:
        """Write the keys of moved files."""
        return write_keys(Image, moves)

    def orphans(self, after: Any, limit: int) -> Sequence[Any]:
        """Images of this import whose batch has no patient, by primary key."""
        rows = Image.objects.filter(batch__patient=None, batch__source=self.name).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        return list(rows.values_list("pk", flat=True)[:limit])

    def rows(self, pks: Sequence[str]) -> Mapping[str, RowFacts]:
        """Where the images' rows point to."""
        told = ("key", "batch__patient", "thumbnail_key", "sha256", "batch__captured_on")
        return {str(pk): RowFacts(*facts) for pk, *facts in Image.objects.filter(pk__in=pks).values_list("pk", *told)}

    def left_rows(self, after: Any, limit: int) -> Sequence[LeftRow]:
        """All images; FileMaker's id stands in a column of its own, or in the fields that were kept."""
        rows = Image.objects.order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        told = ("pk", "key", "filemaker_id", "filemaker_metadata", "sha256", "original_name")
        return [
            LeftRow(pk, key, normalise_ref(identity or _kept_id(fields, self.identity)), sha256, name)
            for pk, key, identity, fields, sha256, name in rows.values_list(*told)[:limit]
        ]

    def adopt_row(self, pk: Any, identity: str) -> None:
        """Give the image its column with FileMaker's id."""
        Image.objects.filter(pk=pk).update(filemaker_id=normalise_ref(identity))

    def row_metadata(self, pk: str) -> Mapping[str, Any]:
        """FileMaker's fields as they were read."""
        return Image.objects.filter(pk=pk).values_list("filemaker_metadata", flat=True).first() or {}


def _kept_id(fields: Any, name: str) -> str:
    """The id that an earlier script put into the JSON column."""
    if not isinstance(fields, dict):
        return ""
    return next((str(fields[key]) for key in (name, "filemaker_id", "filemakerId") if fields.get(key)), "")


def _place(item: Consignment) -> tuple[Any, str, date | None, str]:
    """What `batches.batches_for` knows an image's batch by."""
    return item.owner, normalise_ref(item.owner_ref), item.day, item.source


def _order(record_id: str) -> int:
    """FileMaker numbers records as they are made: an order that hangs neither on arrival nor on the batch."""
    return int(record_id) if record_id.isascii() and record_id.isdigit() and len(record_id) < 19 else 0
