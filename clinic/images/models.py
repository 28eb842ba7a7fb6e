"""Images of patients, one batch for each patient, day and source."""

from __future__ import annotations

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.deletion import SET_NULL, Collector, ProtectedError
from django.utils import timezone

from clinic.patients.models import Patient


def leave_owner_ref(collector: Collector, field: Any, batches: Any, using: str) -> None:
    """Deleting a patient leaves its batches without one, but they still say whose they are, for relinking.

    A batch that knows its patient by this row alone refuses the deletion.
    """
    nameless = [batch for batch in batches if not batch.owner_ref]
    if nameless:
        raise ProtectedError("Images that know this patient by nothing else would lose their owner.", set(nameless))
    SET_NULL(collector, field, batches, using)


class ImageBatch(models.Model):
    """One patient's images of one day from one source.

    `owner_ref` is the owner's FileMaker id as it is compared ("" when the source named none or there is no source).
    It stays when the patient is linked, so that the link can be made anew after the patient was deleted.
    `image_count` is kept by the database itself (`clinic.images.counting`); what is written here is overruled.
    """

    patient = models.ForeignKey(Patient, null=True, blank=True, on_delete=leave_owner_ref, related_name="image_batches")
    owner_ref = models.CharField(max_length=255, blank=True)
    captured_on = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=200)
    image_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "image batches"
        ordering = [models.F("captured_on").desc(nulls_last=True), "pk"]
        # A NULL equals nothing, so each missing part needs a constraint of its own (CONTRACT B3).
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "captured_on", "source"],
                condition=Q(patient__isnull=False, captured_on__isnull=False),
                name="imagebatch_patient_day",
            ),
            models.UniqueConstraint(
                fields=["patient", "source"],
                condition=Q(patient__isnull=False, captured_on__isnull=True),
                name="imagebatch_patient_no_day",
            ),
            models.UniqueConstraint(
                fields=["owner_ref", "captured_on", "source"],
                condition=Q(patient__isnull=True, captured_on__isnull=False),
                name="imagebatch_ref_day",
            ),
            models.UniqueConstraint(
                fields=["owner_ref", "source"],
                condition=Q(patient__isnull=True, captured_on__isnull=True),
                name="imagebatch_ref_no_day",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """One image: where its file lies, what the file is, and what FileMaker said about it."""

    batch = models.ForeignKey(ImageBatch, on_delete=models.PROTECT, related_name="images")
    key = models.CharField(max_length=1024, db_index=True, help_text="key of the original in the store")
    thumbnail_key = models.CharField(max_length=1024, blank=True)
    thumbnail_size = models.PositiveIntegerField(default=0, help_text="bytes")
    original_name = models.CharField(max_length=255, blank=True)
    file_size = models.PositiveBigIntegerField(default=0, help_text="bytes")
    sha256 = models.CharField(max_length=64, db_index=True)
    mime_type = models.CharField(max_length=150, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    category = models.CharField(max_length=100, blank=True)
    caption = models.TextField(blank=True)
    date_taken = models.DateField(null=True, blank=True)
    uploaded_by = models.CharField(max_length=150, blank=True)
    uploaded_at = models.DateTimeField(default=timezone.now)
    order = models.PositiveBigIntegerField(default=0, help_text="place within the batch, not consecutive")
    quarantined = models.BooleanField(default=False, help_text="stored, but damaged or not a file: not for pages")
    filemaker_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    filemaker_metadata = models.JSONField(
        default=dict, blank=True, encoder=DjangoJSONEncoder, help_text="fields as they were read"
    )

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return f"Image {self.pk}"
