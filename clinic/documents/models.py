"""Documents of patients: whatever type of file they are, each a row of its own."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.deletion import SET_NULL, Collector, ProtectedError
from django.utils import timezone

from clinic.patients.models import Patient


def leave_owner_ref(collector: Collector, field: Any, documents: Any, using: str) -> None:
    """Deleting a patient leaves its documents without one, but they still say whose they are, for relinking.

    A document that knows its patient by this row alone refuses the deletion.
    """
    nameless = [document for document in documents if not document.owner_ref]
    if nameless:
        raise ProtectedError("Documents that know this patient by nothing else would lose their owner.", set(nameless))
    SET_NULL(collector, field, documents, using)


def check_tags(value: Any) -> None:
    """Raise `ValidationError` unless `value` is a list of texts."""
    if not isinstance(value, list) or not all(isinstance(tag, str) and tag.strip() for tag in value):
        raise ValidationError('Tags are a list of texts, as in ["urgent", "2019"].')


class Document(models.Model):
    """One document: where its file lies, what the file is, and what FileMaker said about it.

    `owner_ref` is the owner's FileMaker id as it is compared ("" when the source named none or there is no source).
    It stays when the patient is linked, so that the link can be made anew after the patient was deleted.
    """

    owner = models.ForeignKey(Patient, null=True, blank=True, on_delete=leave_owner_ref, related_name="documents")
    owner_ref = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, help_text="as lists show it")
    original_name = models.CharField(max_length=255, blank=True, help_text="of the file, as FileMaker had it")
    key = models.CharField(max_length=1024, db_index=True, help_text="key of the original in the store")
    thumbnail_key = models.CharField(max_length=1024, blank=True)
    thumbnail_size = models.PositiveIntegerField(default=0, help_text="bytes")
    size = models.PositiveBigIntegerField(default=0, help_text="bytes")
    sha256 = models.CharField(max_length=64, db_index=True)
    mime_type = models.CharField(max_length=150, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    category = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True, validators=[check_tags])
    document_date = models.DateField(null=True, blank=True)
    uploaded_by = models.CharField(max_length=150, blank=True)
    uploaded_at = models.DateTimeField(default=timezone.now)
    quarantined = models.BooleanField(default=False, help_text="stored, but damaged or not a file: not for pages")
    filemaker_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    filemaker_metadata = models.JSONField(
        default=dict, blank=True, encoder=DjangoJSONEncoder, help_text="fields as they were read"
    )

    class Meta:
        ordering = [models.F("document_date").desc(nulls_last=True), "pk"]

    def __str__(self) -> str:
        return self.name or f"Document {self.pk}"
