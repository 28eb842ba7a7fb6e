"""The clinic's second import: every document of the layout API_Documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clinic.documents.models import Document
from clinic.keys import write_keys
from clinic.texts import cut_name, storable
from unlade import bulk
from unlade.cargo import Content
from unlade.importer import Consignment, ContainerImport, DateField, Owner, RowFacts, Thumbnail
from unlade.owners import normalise_ref
from unlade.states import ItemState

#: FileMaker's field with a few words about the document; a layout may do without it.
DESCRIPTION = "Description"
#: Name of a document whose file FileMaker kept without one.
UNNAMED = "Document without a name"


class DocumentImport(ContainerImport):
    """Documents of patients: what FileMaker says of them goes into columns, and all of it into the metadata."""

    name = "documents"
    layout = "API_Documents"
    identity = "id"
    containers = ("file",)
    owner = Owner(field="id_Contact", model="patients.Patient", match="filemaker_id")
    taken_on = DateField("date")
    category = "Category"
    original_name = "Name of file"
    key = "patients/filemaker-import/documents/{owner}/{category}/{identity}{ext}"
    thumbnail = Thumbnail(300, 300)
    marker = "NexusExportDate"
    noun = ("document", "documents")

    def record(self, item: Consignment, content: Content) -> Document:
        """Write the document. The same identity again updates its row; tags and a name given here stay."""
        document = Document.objects.select_for_update().filter(filemaker_id=item.identity).first()
        document = self._filled(document or _new(item), item, content)
        document.save()
        return document

    def record_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Document]:
        """Write thousands of documents with a few queries; those that have a row already go one by one."""
        identities = [item.identity for item, _ in items]
        there = set(Document.objects.filter(filemaker_id__in=identities).values_list("filemaker_id", flat=True))
        fresh = [self._filled(_new(item), item, content) for item, content in items if item.identity not in there]
        rows = {document.filemaker_id: document for document in Document.objects.bulk_create(fresh)}
        rows |= {item.identity: self.record(item, content) for item, content in items if item.identity in there}
        return [rows[identity] for identity in identities]

    def insert_many(self, items: Sequence[tuple[Consignment, Content]]) -> Sequence[Any]:
        """Write thousands of documents without an object for each; those that have a row already go one by one."""
        identities = [item.identity for item, _ in items]
        there = set(Document.objects.filter(filemaker_id__in=identities).values_list("filemaker_id", flat=True))
        fresh = [(item, self._columns(item, content)) for item, content in items if item.identity not in there]
        for item, columns in fresh:
            owner = columns.pop("owner")
            columns["owner_id"] = owner.pk if owner is not None else None
            columns["name"] = columns["original_name"] or UNNAMED
            columns["filemaker_id"], columns["uploaded_by"] = item.identity, storable(item.uploaded_by)[:150]
        names = list(fresh[0][1]) if fresh else []
        values = {name: [columns[name] for _, columns in fresh] for name in names}
        keys = dict(zip([item.identity for item, _ in fresh], bulk.insert(Document, values), strict=True))
        keys |= {item.identity: self.record(item, content).pk for item, content in items if item.identity in there}
        return [keys[identity] for identity in identities]

    def _filled(self, document: Document, item: Consignment, content: Content) -> Document:
        columns = self._columns(item, content)
        if document.name in ("", document.original_name, UNNAMED):
            document.name = columns["original_name"] or UNNAMED
        for name, value in columns.items():
            setattr(document, name, value)
        return document

    def _columns(self, item: Consignment, content: Content) -> dict[str, Any]:
        """What the source and the file say."""
        metadata = {storable(name): storable(value) for name, value in item.metadata.items()}
        category = storable(item.category).strip()
        if len(category) > 255:
            metadata.setdefault(self.category, category)
        return {
            "owner": item.owner,
            "owner_ref": normalise_ref(storable(item.owner_ref))[:255],
            "original_name": cut_name(storable(item.original_name), 255),
            "key": item.key,
            "thumbnail_key": item.thumbnail_key,
            "thumbnail_size": item.thumbnail_size,
            "size": content.size,
            "sha256": content.sha256,
            "mime_type": content.mime_type[:150],
            "pages": content.pages,
            "category": category[:255],
            "description": str(metadata.get(DESCRIPTION, "")),
            "document_date": item.day,
            "quarantined": item.state == ItemState.QUARANTINED,
            "filemaker_metadata": metadata,
        }

    def link(self, pairs: Sequence[tuple[Any, Any]]) -> Collection[Any]:
        """Repoint documents, by primary key, to patients; returns the keys for which there is no document.

        The number of queries depends on how many thousands there are.
        """
        wanted = {Document._meta.pk.to_python(key): (key, patient) for key, patient in pairs}
        documents = Document.objects.filter(pk__in=wanted).order_by("pk").select_for_update()
        found = dict(documents.values_list("pk", "owner_ref"))
        owners = [wanted[pk][1] for pk in found]
        refs = [normalise_ref(owner.filemaker_id) or found[pk] for pk, owner in zip(found, owners, strict=True)]
        bulk.update(Document, list(found), {"owner_id": [owner.pk for owner in owners], "owner_ref": refs})
        return [wanted[pk][0] for pk in wanted.keys() - found.keys()]

    def rekey(self, moves: Sequence[tuple[Any, str, str]]) -> Collection[Any]:
        """Write the keys of moved files."""
        return write_keys(Document, moves)

    def orphans(self, after: Any, limit: int) -> Sequence[Any]:
        """Documents that came from FileMaker and have no patient, by primary key."""
        rows = Document.objects.filter(owner=None, filemaker_id__isnull=False).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        return list(rows.values_list("pk", flat=True)[:limit])

    def rows(self, pks: Sequence[str]) -> Mapping[str, RowFacts]:
        """Where the documents' rows point to."""
        told = ("key", "owner", "thumbnail_key", "sha256", "document_date")
        return {
            str(pk): RowFacts(*facts) for pk, *facts in Document.objects.filter(pk__in=pks).values_list("pk", *told)
        }

    def row_metadata(self, pk: str) -> Mapping[str, Any]:
        """FileMaker's fields as they were read."""
        return Document.objects.filter(pk=pk).values_list("filemaker_metadata", flat=True).first() or {}


def _new(item: Consignment) -> Document:
    return Document(filemaker_id=item.identity, uploaded_by=storable(item.uploaded_by)[:150])
